package response

import (
	"context"
	"strings"
	"testing"

	"atrium/internal/llm"
	"atrium/internal/llm/offline"
)

func TestAnOfflineAnswerIsCitedStreamedAndStored(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		id := b.agent()
		events := b.stream("ann", "POST", askPath(id)+"/stream", q("What do mallards eat?", "chat_thread_id", nil, "query_source", "app", "approach", "rrr", "stream", true))
		checkEvents(t, events)
		end := events[len(events)-1].Data
		text := at(end, "output.answer").(string)
		if !strings.Contains(text, "pondweed") || spoken(events) != text {
			t.Fatalf("answer %q, streamed %q", text, spoken(events))
		}
		quote := at(end, "output.references.0.quote").(string)
		if !strings.Contains(ducks, quote) || !strings.Contains(quote, "pondweed") || at(end, "output.references.0.title") != "ducks.md" {
			t.Errorf("references: %v", at(end, "output.references"))
		}
		if u := at(end, "output.references.0.url").(string); !strings.HasPrefix(u, "https://atrium.example/api/v2/citation/") {
			t.Errorf("url %q", u)
		}
		if at(end, "output.agent_mode") != ModeOffline || at(end, "output.cost") != 0.0 {
			t.Errorf("output: %v", end["output"])
		}
		rid := int64(at(end, "output.agent_response_id").(float64))
		one := b.do("ann", "GET", onResponse(rid, ""), nil).want(t, 200)
		if one.text("data.response.answer") != text || one.at("data.response.success") != true || one.text("data.state") != Completed || one.len("data.response_steps") < 2 {
			t.Fatalf("stored: %s", one.Body)
		}
		if one.text("data.response_steps.0.step_name") != "retrieval" || one.text("data.query_source") != "app" {
			t.Errorf("stored: %s", one.Body)
		}
		if s := b.do("ann", "GET", onResponse(rid, "/supporting-content"), nil).want(t, 200); s.len("data.supporting_content") < 1 || s.at("data.supporting_content.0.number") != 1.0 {
			t.Errorf("supporting content: %s", s.Body)
		}
		if s := b.do("ann", "GET", onResponse(rid, "/steps"), nil).want(t, 200); s.len("data.steps") != one.len("data.response_steps") {
			t.Errorf("steps: %s", s.Body)
		}
		if s := b.do("ann", "GET", onResponse(rid, "/thoughts"), nil).want(t, 200); s.len("data.thoughts") != 0 {
			t.Errorf("thoughts: %s", s.Body)
		}
		whole := b.do("ann", "POST", askPath(id), q("What do mallards eat?", "chat_thread_id", at(end, "output.thread_id"))).want(t, 200)
		if whole.text("data.answer") != text || whole.id("data.thread_id") != int64(at(end, "output.thread_id").(float64)) {
			t.Errorf("whole: %s", whole.Body)
		}
		for field, v := range at(end, "output").(map[string]any) {
			if _, ok := whole.JSON["data"].(map[string]any)[field]; !ok {
				t.Errorf("the plain answer lacks %s (%v)", field, v)
			}
		}
	})
}

// checkEvents holds a stream to contract §5.
func checkEvents(t *testing.T, events []heard) {
	t.Helper()
	for i, e := range events {
		first, last := i == 0, i == len(events)-1
		if first != (e.Name == evStart) || last != (e.Name == evEnd || e.Name == evError) || e.ID == "" {
			t.Errorf("event %d of %d: %+v", i, len(events), e)
		}
		if e.Name == evToken && (e.Data["step"] != "assistant_stream" || len(e.Data) != 2) {
			t.Errorf("token: %s", e.Raw)
		}
	}
}

func TestCitationsToNowhereAreTakenOutEvenWhenSplit(t *testing.T) {
	t.Parallel()
	const want = "Ducks sleep standing on one leg in the reeds [1]. They fly."
	m := &script{name: "scripted"}
	m.say = func(_ int, req llm.Request) said {
		n := "1"
		for _, p := range req.Passages {
			if strings.Contains(p.Text, "one leg") {
				n = string(rune('0' + p.Number))
			}
		}
		text := "Ducks sleep standing on one leg in the reeds [" + n + ", 77]. They fly [99]."
		return said{text: strings.Split(text, "")}
	}
	each(t, m, func(t *testing.T, b *bench) {
		events := b.stream("ann", "POST", askPath(b.agent())+"/stream", q("How do ducks sleep?"))
		checkEvents(t, events)
		end := events[len(events)-1].Data
		n := at(end, "output.references.0.number").(float64)
		text := strings.Replace(want, "[1]", "["+string(rune('0'+int(n)))+"]", 1)
		if got := spoken(events); got != text || at(end, "output.answer") != text {
			t.Errorf("streamed %q, stored %q, want %q", got, at(end, "output.answer"), text)
		}
		if refs := at(end, "output.references").([]any); len(refs) != 1 || !strings.Contains(at(refs[0], "quote").(string), "one leg") {
			t.Errorf("references: %v", refs)
		}
	})
}

func TestAClientThatLeavesDoesNotStopTheAnswer(t *testing.T) {
	t.Parallel()
	dbEach(t, func(t *testing.T, start func(llm.Provider) *bench) {
		gate := make(chan struct{})
		b := start(&script{name: "scripted", say: func(int, llm.Request) said { return said{text: []string{"one ", "two ", "three"}, wait: gate} }})
		agentID := b.agent()
		ctx, cancel := context.WithCancel(t.Context())
		res := b.open(ctx, "ann", "POST", askPath(agentID)+"/stream", q("Count."))
		var id int64
		b.read(res, func(h heard) error {
			id, _ = eventID(h.ID)
			return errEnough
		})
		cancel()
		close(gate)
		rest := b.stream("ann", "GET", onResponse(id, "/stream"), nil)
		if spoken(rest) != "one two three" {
			t.Errorf("resumed: %v", rest)
		}
		if one := b.do("ann", "GET", onResponse(id, ""), nil).want(t, 200); one.text("data.response.answer") != "one two three" {
			t.Errorf("stored: %s", one.Body)
		}
	})
}

// dbEach lets a test make the provider that its bench begins with.
func dbEach(t *testing.T, run func(*testing.T, func(llm.Provider) *bench)) {
	t.Helper()
	each(t, says("unused"), func(t *testing.T, b *bench) {
		run(t, func(m llm.Provider) *bench {
			b.restart(m)
			return b
		})
	})
}
