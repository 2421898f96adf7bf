package response

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"atrium/internal/agent"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/job"
	"atrium/internal/llm"
	"atrium/internal/llm/offline"
)

func TestResumingAfterAnyEventGivesTheSameText(t *testing.T) {
	t.Parallel()
	each(t, offline.New(), func(t *testing.T, b *bench) {
		all := b.stream("ann", "POST", askPath(b.agent())+"/stream", q("What do mallards eat?"))
		id, _ := eventID(all[0].ID)
		for i, e := range all {
			rest := b.stream("ann", "GET", onResponse(id, "/stream"), nil, "Last-Event-ID", e.ID)
			if got, want := spoken(all[:i+1])+spoken(rest), spoken(all); got != want || len(rest) != len(all)-i-1 {
				t.Fatalf("after %s: %d events, %q, want %q", e.ID, len(rest), got, want)
			}
			_, seq := eventID(e.ID)
			byNumber := b.stream("ann", "GET", onResponse(id, fmt.Sprintf("/stream?after=%d", seq)), nil)
			if len(byNumber) != len(rest) {
				t.Errorf("after=%d gives %d events, want %d", seq, len(byNumber), len(rest))
			}
		}
		again := b.stream("ann", "POST", askPath(b.do("ann", "GET", onResponse(id, ""), nil).id("data.agent.id"))+"/stream", q("Something else?"), "Last-Event-ID", all[2].ID)
		if spoken(all[:3])+spoken(again) != spoken(all) {
			t.Errorf("asking with an event's id gave %v", again)
		}
		if beyond := b.stream("ann", "GET", onResponse(id, "/stream?after=99999999"), nil); len(beyond) != 0 {
			t.Errorf("behind the end: %v", beyond)
		}
	})
}

func TestTheFramingIsTheContractsToTheByte(t *testing.T) {
	t.Parallel()
	each(t, says("Grüße, ", "鸭 \u2028 [7]", "\nend"), func(t *testing.T, b *bench) {
		res := b.open(t.Context(), "ann", "POST", askPath(b.agent())+"/stream", q("Greet."))
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		form := regexp.MustCompile(`^id: [0-9]+-([0-9]+)\nevent: (start|status|token|end|error)\ndata: (\{.*\})$`)
		events := strings.Split(strings.TrimSuffix(string(raw), "\n\n"), "\n\n")
		for i, e := range events {
			m := form.FindStringSubmatch(e)
			if m == nil || m[1] != fmt.Sprint(i+1) || !json.Valid([]byte(m[3])) || strings.ContainsAny(m[3], "\r\u2028") {
				t.Errorf("event %d: %q", i+1, e)
			}
		}
		if res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("headers: %v", res.Header)
		}
	})
}

func TestASilentStreamBeats(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	m := &script{name: "scripted", say: func(int, llm.Request) said { return said{text: []string{"done"}, wait: gate} }}
	b := newBench(t, dbtest.Open(t, db.SQLite), m, func(o *Options) { o.Heartbeat = time.Millisecond })
	res := b.open(t.Context(), "ann", "POST", askPath(b.agent())+"/stream", q("Wait."))
	beats, last := 0, ""
	var events []heard
	b.read(res, func(h heard) error {
		if h.Data["step"] == "heartbeat" {
			if h.ID != last || h.Data["message"] != "" || h.Name != evStatus {
				t.Errorf("beat %+v behind %s", h, last)
			}
			if beats++; beats == 3 {
				close(gate)
			}
			return nil
		}
		last = h.ID
		events = append(events, h)
		return nil
	})
	checkEvents(t, events)
	if beats < 3 || spoken(events) != "done" {
		t.Errorf("%d beats, %q", beats, spoken(events))
	}
}

// cut asks, reads the stream up to so many words, and stops the server there.
func cut(t *testing.T, b *bench, body map[string]any, words int, then llm.Provider) (before []heard) {
	t.Helper()
	agentID := b.agent()
	res := b.open(context.WithoutCancel(t.Context()), "ann", "POST", askPath(agentID)+"/stream", body)
	n := 0
	b.read(res, func(h heard) error {
		before = append(before, h)
		if h.Name == evToken {
			n++
		}
		if n == words && (words > 0 || h.Data["step"] == "assistant_start") {
			return errEnough
		}
		return nil
	})
	b.restart(then)
	return before
}

func rest(b *bench, before []heard) []heard {
	last := before[len(before)-1]
	id, _ := eventID(last.ID)
	after := b.stream("ann", "GET", onResponse(id, "/stream"), nil, "Last-Event-ID", last.ID)
	if len(after) == 0 {
		b.t.Fatalf("nothing came behind %s", last.ID)
	}
	return after
}

// hanging says some words and then waits for its context.
type hanging struct{ words []string }

func (hanging) Name() string { return "scripted" }

func (h hanging) Stream(ctx context.Context, _ llm.Request, emit func(llm.Delta) error) (llm.Result, error) {
	for _, w := range h.words {
		if err := emit(llm.Delta{Text: w}); err != nil {
			return llm.Result{}, err
		}
	}
	<-ctx.Done()
	return llm.Result{}, ctx.Err()
}

func TestAnAnswerCutByARestartGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	words := []string{"Ducks ", "sleep ", "on one leg [1", "]. ", "And ", "they ", "fly."}
	for name, c := range map[string]struct {
		sent int
		then func() *script
		want string
	}{
		"nothing was sent yet":                {0, func() *script { return says(words...) }, "Ducks sleep on one leg [1]. And they fly."},
		"the same words come again":           {4, func() *script { return says(words...) }, "Ducks sleep on one leg [1]. And they fly."},
		"the same text comes in other pieces": {2, func() *script { return says(strings.Join(words, "")) }, "Ducks sleep on one leg [1]. And they fly."},
		"other words come": {2, func() *script {
			return &script{name: "scripted", say: func(n int, req llm.Request) said {
				if n == 1 {
					return said{text: []string{"Something ", "else."}}
				}
				if last := req.Messages[len(req.Messages)-1].Text; last != continuation || req.Messages[len(req.Messages)-2].Text != "Ducks sleep" {
					return said{text: []string{"wrong: " + last}}
				}
				return said{text: []string{" standing [1]."}}
			}}
		}, "Ducks sleep standing [1]."},
		"less comes than was sent": {3, func() *script { return says("Ducks ") }, "Ducks sleep on one leg"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbEach(t, func(t *testing.T, start func(llm.Provider) *bench) {
				b := start(hanging{words[:c.sent]})
				before := cut(t, b, q("How do ducks sleep?"), c.sent, c.then())
				after := rest(b, before)
				end := after[len(after)-1]
				got := spoken(before) + spoken(after)
				if end.Name != evEnd || got != at(end.Data, "output.answer") || got != c.want {
					t.Fatalf("streamed %q, stored %q, want %q", got, at(end.Data, "output.answer"), c.want)
				}
				if refs := at(end.Data, "output.references").([]any); strings.Contains(got, "[1]") != (len(refs) == 1) {
					t.Errorf("references: %v", refs)
				}
				if after[0].Data["step"] != stepRestart {
					t.Errorf("the first event after the restart is %s", after[0].Raw)
				}
			})
		})
	}
}

func TestARunThatTakesTheProcessDownTooOftenEnds(t *testing.T) {
	t.Parallel()
	each(t, hanging{[]string{"some ", "words "}}, func(t *testing.T, b *bench) {
		before := cut(t, b, q("How?"), 2, hanging{})
		id, _ := eventID(before[0].ID)
		// The run that goes on hangs once it has said so; then it is given up as
		// the queue does it.
		last := before[len(before)-1].ID
		b.read(b.open(context.WithoutCancel(t.Context()), "ann", "GET", onResponse(id, "/stream"), nil, "Last-Event-ID", last), func(h heard) error {
			if h.Data["step"] == "assistant_start" {
				return errEnough
			}
			return nil
		})
		err := b.d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return b.s.gaveUp(ctx, tx, &job.Job{Payload: json.RawMessage(fmt.Sprintf(`{"response_id":%d}`, id))}, context.DeadlineExceeded)
		})
		if err != nil {
			t.Fatal(err)
		}
		after := rest(b, before)
		if end := after[len(after)-1]; end.Name != evError || end.Data["message"] == "" {
			t.Errorf("the last event is %s", end.Raw)
		}
		one := b.do("ann", "GET", onResponse(id, ""), nil).want(t, 200)
		if one.text("data.state") != Failed || one.text("data.response.answer") != spoken(before) || strings.Contains(one.Body, "deadline") {
			t.Errorf("stored: %s", one.Body)
		}
	})
}

func TestStoppingEndsWithWhatThereIs(t *testing.T) {
	t.Parallel()
	each(t, hanging{[]string{"Ducks ", "sleep ", "here"}}, func(t *testing.T, b *bench) {
		agentID := b.agent()
		res := b.open(t.Context(), "ann", "POST", askPath(agentID)+"/stream", q("How?"))
		var all []heard
		n := 0
		b.read(res, func(h heard) error {
			all = append(all, h)
			if h.Name == evToken {
				if n++; n == 3 {
					id, _ := eventID(h.ID)
					b.do("eve", "POST", onResponse(id, "/stop"), nil).want(t, 404)
					b.do("ann", "POST", onResponse(id, "/stop"), nil).want(t, 200)
				}
			}
			return nil
		})
		checkEvents(t, all)
		end := all[len(all)-1]
		if end.Name != evEnd || end.Data["success"] != true || at(end.Data, "output.answer") != "Ducks sleep here" || spoken(all) != "Ducks sleep here" {
			t.Fatalf("ended with %s", end.Raw)
		}
		id, _ := eventID(end.ID)
		if one := b.do("ann", "POST", onResponse(id, "/stop"), nil).want(t, 200); one.text("data.state") != Stopped || one.at("data.response.success") != true {
			t.Errorf("stopping twice: %s", one.Body)
		}
	})
}

func TestAStopThatComesWhileTheServerIsDownIsKept(t *testing.T) {
	t.Parallel()
	each(t, hanging{[]string{"one ", "two "}}, func(t *testing.T, b *bench) {
		before := cut(t, b, q("Count."), 1, hanging{})
		id, _ := eventID(before[0].ID)
		b.do("ann", "POST", onResponse(id, "/stop"), nil).want(t, 200)
		after := rest(b, before)
		end := after[len(after)-1]
		if got := spoken(before) + spoken(after); end.Name != evEnd || at(end.Data, "output.answer") != got || !strings.HasPrefix(got, "one") {
			t.Errorf("%q ended with %s", got, end.Raw)
		}
	})
}

func TestAnotherProcessCanStopARun(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	b := newBench(t, d, hanging{[]string{"one "}})
	res := b.open(t.Context(), "ann", "POST", askPath(b.agent())+"/stream", q("Count."))
	stopped := false
	var last heard
	b.read(res, func(h heard) error {
		last = h
		if h.Data["step"] == "assistant_start" && !stopped {
			stopped = true
			id, _ := eventID(h.ID)
			return d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := db.Exec(ctx, tx, `UPDATE agent_response SET state = 'stopping' WHERE id = ?`, id)
				return err
			})
		}
		return nil
	})
	if last.Name != evEnd || at(last.Data, "output.answer") != "one" {
		t.Errorf("ended with %s", last.Raw)
	}
}

func TestTooManyAtOnceAreRefusedWithATime(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite), hanging{}, func(o *Options) { o.MaxRuns = 1 })
	agentID := b.agent()
	b.read(b.open(t.Context(), "ann", "POST", askPath(agentID)+"/stream", q("One?")), func(heard) error { return errEnough })
	a := b.do("ann", "POST", askPath(agentID), q("Two?")).want(t, 503)
	if a.Header.Get("Retry-After") == "" || a.text("error.code") != "unavailable" {
		t.Errorf("%v %s", a.Header, a.Body)
	}
}

func TestARunThatTakesTooLongEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.Open(t, db.SQLite), hanging{[]string{"some "}}, func(o *Options) { o.MaxTime = 20 * time.Millisecond })
	id := b.agent(func(*agent.Draft) {})
	if a := b.do("ann", "POST", askPath(id), q("Long?")).want(t, 502); !strings.Contains(a.text("message"), "longer") {
		t.Errorf("%s", a.Body)
	}
}

func TestAStreamArrivesEventByEvent(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	m := &script{name: "scripted", say: func(int, llm.Request) said { return said{text: []string{"late"}, wait: gate} }}
	each(t, m, func(t *testing.T, b *bench) {
		res := b.open(t.Context(), "ann", "POST", askPath(b.agent())+"/stream", q("Now?"))
		defer res.Body.Close()
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "id: ") {
			t.Errorf("the first line is %q, %v", line, err)
		}
	})
}
