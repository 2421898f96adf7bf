// Package response answers questions. One engine stands behind every door.
//
// Asking stores the question, its thread, its first event and a job in one
// transaction. The job writes the answer, and every door reads what it writes
// from the event log of the response, "response/<id>": the stream as it comes,
// the plain operation when it has ended, a resumed stream from where it was cut.
// So an answer outlives its client and its process, and there is one check of
// rights on one path.
//
// # Stages
//
// A run goes through these, each an event for people and a Step with its time,
// tokens and cost:
//
//	query_rewrite  the question made to stand alone, when it has a conversation
//	cache          the answer to the same question over the same state of things
//	retrieval      passages of the corpora that the asker may be quoted
//	assistant      the answer, streamed; a model may call the search tool and is
//	tool           asked again, up to the agent's limit
//	followups      what could be asked next
//
// The asker's rights are used throughout, also in the search tool. Model output
// is data: the tool takes a query and nothing else. A citation is held back
// until it is whole, and leaves only when the passage exists and the sentence of
// it that supports the claim was found word for word in the document. Numbers
// stay as the model wrote them; Reference.Order is their order of appearance.
//
// # The end
//
// The stored answer, its steps, the last event and the end of the job are one
// durable transaction. Every run ends: completed, stopped (by request, with what
// there was) or failed with a reason, by an end or an error event.
//
// # After a restart
//
// A run that was cut is run again. What its client has seen cannot be taken
// back, so the answer always begins with the text that was sent, and what a
// client puts together from the tokens equals the stored answer:
//
//   - The first event of the new run is a status with the step "restart".
//   - When nothing of the answer had been sent, everything is done anew.
//   - Otherwise the passages that were stored behind the first word are used,
//     so that the numbers of citations keep their meaning, and the model is asked
//     the same again. While it says what was sent, nothing is sent.
//   - As soon as it says something else, it is stopped and asked to go on from
//     the text that was sent. The offline answerer, which only differs when the
//     documents do, gives its new answer in a paragraph of its own.
//
// Stopping is a state of the row, so it is kept through a restart too, and works
// through any process that shares the database.
package response
