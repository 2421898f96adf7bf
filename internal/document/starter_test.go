package document

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/fake"
	"atrium/internal/llm/openai"
)

const kitchen = `# The kitchen

## Cleaning the coffee machine

The coffee machine is cleaned each Friday by whoever drank the last cup. The descaler stands below the sink.

## Who may use the oven?

Only people who have read the fire rules may use the oven, and the oven is off after seven.

## Overview

A tamarind is a sour fruit that the cooks keep in the pantry. Nobody takes a tamarind without a note.
`

const garage = `# The garage

## Charging a car

Cars are charged in the places with a green line. A charging card is at the reception.
`

func (b *bench) starters(sc authz.Scope, id int64) Starters {
	b.t.Helper()
	got, err := b.Starters(b.t.Context(), sc, id, 6)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func questions(s Starters) []string {
	var out []string
	for _, x := range s.Starters {
		out = append(out, x.Question)
	}
	return out
}

func TestStartersAreQuestionsThatTheDocumentAnswers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		one, two := b.file("kitchen.md", kitchen).ID, b.file("garage.md", garage).ID
		b.completed(one)
		b.completed(two)
		got := b.starters(b.viewer, one)
		if !slices.Contains(questions(got), "Who may use the oven?") || len(got.Starters) < 3 || got.IsDrafting {
			t.Fatalf("the starters are %+v", got)
		}
		for _, s := range got.Starters {
			found := b.search(b.owner, s.Question)
			if len(found) == 0 || found[0].DocumentID != one || s.DocumentID != one || s.Version != 1 {
				t.Errorf("%q is answered elsewhere: %+v", s.Question, found)
			}
			if p, err := b.Passage(t.Context(), b.viewer, one, s.Version, s.Start, s.End); err != nil || p.Quote == "" {
				t.Errorf("%q points nowhere: %v", s.Question, err)
			}
		}
		both, err := b.CorpusStarters(t.Context(), b.viewer, b.corpus, 4)
		if err != nil || len(both.Starters) != 4 || both.Starters[0].DocumentID == both.Starters[1].DocumentID {
			t.Errorf("the corpus's are %+v, %v", both, err)
		}
		for _, sc := range []authz.Scope{b.other, b.alien} {
			if _, err := b.Starters(t.Context(), sc, one, 6); !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("a stranger is answered %v", err)
			}
			if _, err := b.CorpusStarters(t.Context(), sc, b.corpus, 6); !fail.Is(err, fail.CodeNotFound) {
				t.Errorf("a stranger is answered %v", err)
			}
		}
	})
}

func TestStartersFollowTheVersion(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		id := b.file("rules.md", kitchen).ID
		if got := b.starters(b.owner, id); got.Starters == nil {
			t.Error("null stands for none")
		}
		b.completed(id)
		b.starters(b.owner, id)
		b.file("rules.md", garage)
		b.completed(id)
		got := b.starters(b.owner, id)
		if len(got.Starters) == 0 || got.Starters[0].Version != 2 || slices.Contains(questions(got), "Who may use the oven?") {
			t.Errorf("the starters of the old version stay: %+v", got)
		}
		if err := b.Delete(t.Context(), b.owner, id); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Starters(t.Context(), b.owner, id, 6); !fail.Is(err, fail.CodeNotFound) {
			t.Errorf("a deleted document answers %v", err)
		}
		if err := b.Sweep(t.Context(), time.Now().Add(2*retention)); err != nil {
			t.Fatal(err)
		}
		if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM document_starter`); err != nil || n != 0 {
			t.Errorf("%d drafts of a purged document are left (%v)", n, err)
		}
	})
}

// aModel is a drafter whose model is a server that writes what script says.
func aModel(t *testing.T, model string, script func() string) func(*Options) {
	t.Helper()
	s := httptest.NewServer(fake.Server(fake.Options{Script: func(fake.Request) (fake.Reply, bool) {
		if script == nil {
			return fake.Reply{}, false
		}
		return fake.Reply{Text: script()}, true
	}}))
	t.Cleanup(s.Close)
	guard := egress.New(egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(guard.Close)
	p, err := openai.New(openai.Config{BaseURL: s.URL + "/v1", Model: model, Client: guard.Operator(egress.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) {
		o.Draft = func(context.Context, int64) (llm.Provider, string, error) { return p, model, nil }
	}
}

func (b *bench) drafted(id int64) Starters {
	b.t.Helper()
	for range 3000 {
		if got := b.starters(b.owner, id); !got.IsDrafting {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatal("the drafting does not end")
	return Starters{}
}

func TestWhatAModelDraftsIsTriedToo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		wrote, err := json.Marshal([]string{"Where does the descaler for the coffee machine stand?", "What is the capital of Mongolia?", "Where is the charging card for a car?"})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, d, aModel(t, "writer", func() string { return string(wrote) }))
		one, two := b.file("kitchen.md", kitchen).ID, b.file("garage.md", garage).ID
		b.completed(one)
		b.completed(two)
		if first := b.starters(b.owner, one); !first.IsDrafting || len(first.Starters) == 0 {
			t.Errorf("nothing is offered while the model writes: %+v", first)
		}
		got := questions(b.drafted(one))
		if len(got) == 0 || !strings.HasPrefix(got[0], "Where does the descaler") {
			t.Errorf("the model's own are not first: %q", got)
		}
		for _, q := range got {
			if strings.Contains(q, "Mongolia") || strings.Contains(q, "charging card") {
				t.Errorf("%q is no question for this document", q)
			}
		}
	})
}

func TestAModelThatFailsLeavesTheExtractedStarters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d, aModel(t, fake.NoKey, nil))
		id := b.file("kitchen.md", kitchen).ID
		b.completed(id)
		was := questions(b.starters(b.owner, id))
		if got := questions(b.drafted(id)); len(got) == 0 || !slices.Equal(got, was) {
			t.Errorf("the starters are %q, were %q", got, was)
		}
	})
}
