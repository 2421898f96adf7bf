package eval

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// Answerer is what XQuAD measures: Ingest once, then questions.
type Answerer interface {
	Ingest(ctx context.Context, docs []Doc) error
	Answer(ctx context.Context, question string) (Answered, error)
}

// Answered is an answer as its reader sees it.
type Answered struct {
	Declined  bool
	Text      string     // the answer; the quotations one after the other when empty
	Citations []Citation // in the order of the answer
}

// Citation is a quotation and the document that it is said to stand in.
type Citation struct {
	DocumentID string
	Quote      string
}

// Report is what XQuAD measured; shares are 0 to 1.
type Report struct {
	Questions int // asked with everything ingested
	Answered  int
	// Of the questions answered: the right paragraph is cited, is cited first;
	// the quotations hold an expected answer.
	RightParagraph, RightFirst, HoldsSpan float64
	Quotes                                int
	Verbatim                              float64 // quotations that stand in their document
	// With a fifth of the articles left out: questions about those that were
	// declined, and questions about the others that were answered.
	Absent, Present                 int
	AbsentDeclined, PresentAnswered float64
}

// sample is how many questions of either kind the second part asks.
const sample = 200

// XQuAD measures answers on a folder in the form of a Set with answers.jsonl
// ({"_id", "answers"} a line) beside it, whose document ids begin with their
// article and a dash. fresh makes an empty answerer; it is called twice.
func XQuAD(ctx context.Context, dir string, fresh func() Answerer) (Report, error) {
	var r Report
	set, err := Load(dir, "")
	if err != nil {
		return r, err
	}
	expected := map[string][]string{}
	if err := lines(filepath.Join(dir, "answers.jsonl"), func(line []byte) error {
		var a struct {
			ID      string   `json:"_id"`
			Answers []string `json:"answers"`
		}
		err := json.Unmarshal(line, &a)
		expected[a.ID] = a.Answers
		return err
	}); err != nil {
		return r, err
	}
	if err := r.whole(ctx, set, expected, fresh()); err != nil {
		return r, err
	}
	return r, r.leftOut(ctx, set, fresh())
}

func (r *Report) whole(ctx context.Context, set *Set, expected map[string][]string, a Answerer) error {
	if err := a.Ingest(ctx, set.Docs); err != nil {
		return err
	}
	texts := map[string]string{}
	for _, d := range set.Docs {
		texts[d.ID] = loose(d.Text)
	}
	for _, q := range set.Questions {
		got, err := a.Answer(ctx, q.Text)
		if err != nil {
			return err
		}
		r.Questions++
		if got.Declined || len(got.Citations) == 0 {
			continue
		}
		r.Answered++
		if set.Grades[q.ID][got.Citations[0].DocumentID] > 0 {
			r.RightFirst++
		}
		if slices.ContainsFunc(got.Citations, func(c Citation) bool { return set.Grades[q.ID][c.DocumentID] > 0 }) {
			r.RightParagraph++
		}
		var said strings.Builder
		for _, c := range got.Citations {
			said.WriteString(loose(c.Quote) + " ")
			r.Quotes++
			if quote := loose(c.Quote); quote != "" && strings.Contains(texts[c.DocumentID], quote) {
				r.Verbatim++
			}
		}
		answer := said.String()
		if got.Text != "" {
			answer = loose(got.Text)
		}
		if slices.ContainsFunc(expected[q.ID], func(e string) bool { return strings.Contains(answer, loose(e)) }) {
			r.HoldsSpan++
		}
	}
	r.RightParagraph /= float64(max(1, r.Answered))
	r.RightFirst /= float64(max(1, r.Answered))
	r.HoldsSpan /= float64(max(1, r.Answered))
	r.Verbatim /= float64(max(1, r.Quotes))
	return nil
}

func (r *Report) leftOut(ctx context.Context, set *Set, a Answerer) error {
	var articles []string
	out := map[string]bool{}
	var docs []Doc
	for _, d := range set.Docs {
		art := article(d.ID)
		if !slices.Contains(articles, art) {
			articles = append(articles, art)
			out[art] = len(articles)%5 == 0
		}
		if !out[art] {
			docs = append(docs, d)
		}
	}
	if err := a.Ingest(ctx, docs); err != nil {
		return err
	}
	var absent, present []Question
	for _, q := range set.Questions {
		for id := range set.Grades[q.ID] {
			if out[article(id)] {
				absent = append(absent, q)
			} else {
				present = append(present, q)
			}
		}
	}
	for _, q := range spread(absent, sample) {
		got, err := a.Answer(ctx, q.Text)
		if err != nil {
			return err
		}
		r.Absent++
		if got.Declined {
			r.AbsentDeclined++
		}
	}
	for _, q := range spread(present, sample) {
		got, err := a.Answer(ctx, q.Text)
		if err != nil {
			return err
		}
		r.Present++
		if !got.Declined {
			r.PresentAnswered++
		}
	}
	r.AbsentDeclined /= float64(max(1, r.Absent))
	r.PresentAnswered /= float64(max(1, r.Present))
	return nil
}

func article(id string) string {
	a, _, _ := strings.Cut(id, "-")
	return a
}

// spread takes n of the questions at even distances.
func spread(qs []Question, n int) []Question {
	if len(qs) <= n {
		return qs
	}
	out := make([]Question, n)
	for i := range out {
		out[i] = qs[i*len(qs)/n]
	}
	return out
}

// loose makes white space alike.
func loose(s string) string { return strings.Join(strings.Fields(s), " ") }
