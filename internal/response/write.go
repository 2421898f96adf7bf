package response

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"atrium/internal/db"
	"atrium/internal/fail"
	"atrium/internal/llm"
)

// writer takes the answer's text from the model to the journal. Behind a
// restart it keeps back what an earlier run has sent already.
type writer struct {
	r     *run
	cite  *citer
	sent  string // by an earlier run
	known bool   // the citations were checked before: an answer of the cache
	// followups are the questions to ask next.
	followups []string
}

func newWriter(r *run, sent string) *writer {
	w := &writer{r: r, sent: sent, followups: []string{}}
	w.cite = newCiter(w.holds)
	return w
}

// text is what has been sent, by this run or the one before.
func (w *writer) text() string {
	if t := w.cite.text.String(); len(t) > len(w.sent) {
		return t
	}
	return w.sent
}

// errDiverged says that a run after a restart writes other words than the one before.
var errDiverged = errors.New("response: the answer goes another way than before")

// add sends what may be sent of the next text.
func (w *writer) add(s string) error {
	from := w.cite.text.Len()
	return w.send(from, w.cite.write(s))
}

// close sends what was held back.
func (w *writer) close() error {
	from := w.cite.text.Len()
	return w.send(from, w.cite.close())
}

func (w *writer) send(from int, s string) error {
	if from < len(w.sent) {
		n := min(len(w.sent)-from, len(s))
		if w.sent[from:from+n] != s[:n] {
			return errDiverged
		}
		s = s[n:]
	}
	if s != "" {
		w.r.journal.add(token(s))
		w.r.checkpoint()
	}
	return nil
}

// takeOver makes what was sent the beginning of the answer, and finds its
// citations again.
func (w *writer) takeOver() {
	w.cite = newCiter(w.holds)
	w.cite.write(w.sent)
	w.cite.close()
	// Should a citation not hold any more, the text stands as it was sent.
	w.cite.text.Reset()
	w.cite.text.WriteString(w.sent)
}

// holds checks a citation: the passage exists, and the quote that supports the
// sentence stands in its document.
func (w *writer) holds(number int, before string) bool {
	if _, ok := w.r.refs[number]; ok || w.known {
		return ok
	}
	if number < 1 || number > len(w.r.passages) {
		return false
	}
	p := &w.r.passages[number-1]
	start, end := quoteFor(citing(before), w.r.query, p.Text)
	quote := p.Text[start:end]
	from, to, page, ok := w.r.s.Documents.Locate(w.r.work, w.r.sc, p.DocumentID, p.Version, quote)
	if !ok {
		return false
	}
	if points := utf8.RuneCountInString(quote); to-from == points {
		// The same words may stand elsewhere in the document too.
		from = p.Start + utf8.RuneCountInString(p.Text[:start])
		to = from + points
	}
	ref := Reference{
		Number: number, Order: len(w.r.refs) + 1, Title: p.Title, DocumentID: p.DocumentID, Version: p.Version, Quote: quote, Start: from, End: to,
		URL: w.r.s.Documents.CitationURL(p.VersionID, p.Title),
	}
	if page > 0 {
		ref.Page = &page
		if p.MediaType == "application/pdf" {
			ref.URL += fmt.Sprintf("#page=%d", page)
		}
	}
	w.r.refs[number] = ref
	return true
}

// references are the citations of the answer, by first appearance.
func (r *run) references() []Reference {
	out := make([]Reference, 0, len(r.refs))
	for _, ref := range r.refs {
		out = append(out, ref)
	}
	slices.SortFunc(out, func(a, b Reference) int { return a.Order - b.Order })
	return out
}

const (
	noDocuments  = "This agent has no documents yet. Add some to one of its corpora, and ask again when they are completed."
	mostCalls    = 5 // tool calls of one turn of the model
	continuation = "Your answer above was cut off by an interruption. Continue it exactly where it stops, in the same language and form. Repeat nothing of it and do not mention the interruption."
)

// write has the answer written and sent, with the search tool in a bounded loop.
func (r *run) write(ctx context.Context) error {
	if r.offline() && len(r.passages) == 0 && !r.row.Request.Limited {
		empty, err := r.s.empty(ctx, r.shelves)
		if err != nil {
			return err
		}
		if empty {
			return errors.Join(r.out.add(noDocuments), r.out.close())
		}
	}
	req := llm.Request{Model: r.agent.Model, Temperature: r.agent.Temperature, Messages: conversation(r.turns, r.row.Question)}
	if r.offline() {
		req.Messages = conversation(nil, r.query)
	}
	again := r.out.sent != ""
	r.journal.add(status("assistant_start", "Writing the answer"))
	err := r.loop(ctx, req, r.agent.React && !r.offline() && len(r.shelves) > 0 && !again)
	if errors.Is(err, errDiverged) {
		err = r.goOn(ctx, req)
	}
	if err == nil {
		err = r.out.close()
	}
	if err == nil && r.out.text() == "" {
		err = fail.Provider("the model gave no answer; ask again, or in other words")
	}
	return err
}

// loop asks the model until it asks for no tool any more.
func (r *run) loop(ctx context.Context, req llm.Request, searching bool) error {
	plain := req.Messages
	for n := 1; ; n++ {
		turn := req
		if searching && n <= r.agent.MaxIterations && !r.repeats {
			turn.Tools = []llm.Tool{searchTool}
		} else {
			// Some servers refuse calls of a tool that is not offered any more.
			turn.Messages = plain
		}
		res, err := r.turn(ctx, turn, r.out.cite.text.Len() > 0)
		if err != nil || len(res.Calls) == 0 || turn.Tools == nil {
			return err
		}
		if err := r.out.close(); err != nil {
			return err
		}
		req.Messages = append(slices.Clone(req.Messages), llm.Message{Role: llm.Assistant, Text: res.Text, Calls: res.Calls})
		if err := r.calls(ctx, &req, res.Calls); err != nil {
			return err
		}
	}
}

// goOn continues what an earlier run has sent, when the model does not say the
// same again.
func (r *run) goOn(ctx context.Context, req llm.Request) error {
	r.out.takeOver()
	if r.offline() {
		_, err := r.turn(ctx, req, true)
		return err
	}
	req.Messages = append(slices.Clone(req.Messages), llm.Message{Role: llm.Assistant, Text: r.out.sent}, llm.Message{Role: llm.User, Text: continuation})
	_, err := r.turn(ctx, req, false)
	return err
}

// checkpoint stores the passages once something that may cite them was sent, so
// that a run after a restart goes on from the same. It comes behind the first
// word, which it would only hold up: until it is written, a search for the same
// question finds the same.
func (r *run) checkpoint() {
	if r.saved == len(r.passages) {
		return
	}
	r.saved = len(r.passages)
	id, query, passages := r.row.ID, r.query, encode(r.passages) // here, not while the database is held
	r.journal.save(func(ctx context.Context, tx *db.Tx) error { return keepPassages(ctx, tx, id, query, passages) })
}

// calls runs the tools that one turn of the model asks for.
func (r *run) calls(ctx context.Context, req *llm.Request, calls []llm.ToolCall) error {
	before := len(r.passages)
	for i, c := range calls {
		told := "Too many calls at once; this one was not run."
		if i < mostCalls {
			var err error
			if told, err = r.use(ctx, c); err != nil {
				return err
			}
		}
		req.Messages = append(req.Messages, llm.Message{Role: llm.ToolRole, Text: told, CallID: c.ID})
	}
	if n := len(r.passages) - before; n > 0 {
		r.journal.add(status("tool_end", fmt.Sprintf("Found %d more passages", n)))
	}
	return nil
}

// turn asks the model once and sends what it says, apart from what was said
// before when that is wanted.
func (r *run) turn(ctx context.Context, req llm.Request, apart bool) (llm.Result, error) {
	req.System = system(r.agent, len(r.shelves) > 0, len(r.passages))
	req.Passages = given(r.passages)
	start := time.Now()
	var thought strings.Builder
	res, err := r.model.Stream(ctx, req, func(d llm.Delta) error {
		if d.Reasoning != "" {
			thought.WriteString(d.Reasoning)
			r.journal.add(tools(d.Reasoning))
		}
		if d.Text == "" {
			return nil
		}
		text := d.Text
		if apart {
			apart, text = false, "\n\n"+text
		}
		return r.out.add(text)
	})
	if thought.Len() > 0 {
		r.thoughts = append(r.thoughts, thought.String())
	}
	if res.Model != "" {
		r.named = res.Model
	}
	r.keep("assistant", "Writing the answer", string(res.Finish), start, res.Usage)
	return res, err
}
