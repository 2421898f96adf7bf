// Package offline answers from the passages alone, with no language model and no
// network: it quotes the one or two sentences that support an answer best, word
// for word, with their citations, and says that this is an extract. Where
// nothing supports an answer it says so. It never writes a claim of its own.
package offline

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"atrium/internal/llm"
	"atrium/internal/retrieval/analysis"
)

// Extract is what Answer found.
type Extract struct {
	Sentences  []Sentence // at most two, in reading order, of one passage; none when declined
	Declined   bool       // nothing in the passages supports an answer well enough
	Confidence float64    // 0 to 1; declined below one half
}

// Sentence is a quotation: passage.Text[Start:End] == Text, in bytes, of the
// passage with that Number.
type Sentence struct {
	Text       string
	Number     int
	Start, End int
}

// Answer looks in the passages, given best first, for the sentences that answer
// the question. The evidence of the passages tells how rare each term of the
// question is; without it that is guessed from the passages themselves.
func Answer(question string, passages []llm.Passage) Extract {
	q := read(question, passages)
	if len(q.terms) == 0 {
		return Extract{Declined: true}
	}
	var best *found
	var all []*found
	for i, p := range passages {
		f := q.look(p, i)
		if f == nil {
			continue
		}
		all = append(all, f)
		if best == nil || f.score > best.score {
			best = f
		}
	}
	if best == nil {
		return Extract{Declined: true}
	}
	confidence := q.confidence(best, all)
	if confidence < 0.5 {
		return Extract{Declined: true, Confidence: confidence}
	}
	out := Extract{Confidence: confidence}
	// Where two passages are as good, each says its sentence; a line of a program or
	// a table reads better behind one.
	if other := rival(best, all); other != nil {
		out.Sentences = []Sentence{best.quote(best.first), other.quote(other.first)}
		if !ends(out.Sentences[0].Text) && ends(out.Sentences[1].Text) {
			slices.Reverse(out.Sentences)
		}
		return out
	}
	picked := []int{best.first}
	if second := q.second(best); second >= 0 {
		picked = append(picked, second)
	}
	slices.Sort(picked)
	for _, i := range picked {
		out.Sentences = append(out.Sentences, best.quote(i))
	}
	return out
}

func (f *found) quote(i int) Sentence {
	s := f.sentences[i]
	return Sentence{Text: f.passage.Text[s.start:s.end], Number: f.passage.Number, Start: s.start, End: s.end}
}

// rival is the passage that supports an answer almost as well as the best, with
// another sentence (pieces overlap); nil when there is none.
func rival(best *found, all []*found) *found {
	var out *found
	said := best.quote(best.first).Text
	for _, f := range all {
		if f != best && best.score-f.score < rivalGap && f.quote(f.first).Text != said && (out == nil || f.score > out.score) {
			out = f
		}
	}
	return out
}

// found is how a passage supports an answer.
type found struct {
	passage   llm.Passage
	order     int
	sentences []sentence
	title     map[int]bool // terms of the question in title or heading
	has       map[int]bool // and anywhere in the passage
	cover     float64      // share of the question's weight in it
	first     int          // its best sentence
	score     float64
}

type sentence struct {
	start, end int
	has        map[int]float64 // terms of the question, how well they are matched
	cover      float64         // share of the question's weight, with the title's terms
	near       float64
	fits       bool // holds what the question asks for: a number, a date, a name
	words      int
	label      bool // asks, or names what follows: it is never an answer itself
	asked      bool // stands below the very question
	score      float64
}

// look reads a passage; nil when it holds no term of the question.
func (q *question) look(p llm.Passage, order int) *found {
	f := &found{passage: p, order: order, title: map[int]bool{}, has: map[int]bool{}, first: -1}
	for _, t := range analysis.Tokens(p.Title + "\n" + p.Heading) {
		if i, ok := q.match(t.Term); ok >= 1 {
			f.title[i] = true
			f.has[i] = true
		}
	}
	from := 0
	for _, end := range analysis.Sentences(p.Text) {
		for from < end {
			to := short(p.Text, from, end)
			text := strings.TrimSpace(p.Text[from:to])
			start := from + strings.Index(p.Text[from:to], text)
			from = to
			if text == "" {
				continue
			}
			s := q.weigh(text)
			s.start, s.end = start, start+len(text)
			s.label = labels(text, p)
			for i, m := range s.has {
				if m >= 1 {
					f.has[i] = true
				}
			}
			f.sentences = append(f.sentences, s)
		}
	}
	if len(f.has) == 0 || !slices.ContainsFunc(f.sentences, func(s sentence) bool { return !s.label }) {
		return nil
	}
	for i := range f.has {
		f.cover += q.terms[i].weight / q.total
	}
	label := -1
	// What follows stands below the very question.
	is := func(text string) bool { return allWords(text) == q.words }
	asked := is(p.Heading[max(0, strings.LastIndex(p.Heading, " > ")):]) &&
		!slices.ContainsFunc(f.sentences, func(s sentence) bool { return s.label && is(p.Text[s.start:s.end]) })
	for i := range f.sentences {
		s := &f.sentences[i]
		if s.label {
			label = i
			asked = is(p.Text[s.start:s.end])
			continue
		}
		for t, m := range s.has {
			s.cover += m * q.terms[t].weight / q.total
		}
		lent := 0.0
		if label >= 0 {
			// What stands below a question or a heading speaks of it, the nearer the more.
			lent += labelFactor * q.adds(f.sentences[label], *s) / math.Sqrt(float64(i-label))
		}
		for t := range f.title {
			if _, ok := s.has[t]; !ok {
				lent += 0.5 * q.terms[t].weight / q.total
			}
		}
		s.cover += min(lent, labelFactor*(1-s.cover)) // less than saying it
		if s.asked = asked; asked {
			s.score += askedBonus / math.Sqrt(float64(i-label))
		}
		s.score += s.cover + nearFactor*s.near
		if s.fits {
			s.score += fitsBonus
		}
		if fragment(p.Text[s.start:s.end], s.words) {
			s.score -= fragmentCost
		}
		// What stands just before is often what a sentence speaks of.
		if i > 0 {
			s.score += beforeFactor * q.adds(f.sentences[i-1], *s)
		}
		if f.first < 0 || s.score > f.sentences[f.first].score {
			f.first = i
		}
	}
	together := 0.0
	for _, s := range f.sentences {
		together = max(together, s.near)
	}
	f.score = f.sentences[f.first].score + coverFactor*f.cover - orderCost*float64(order) + togetherFactor*together
	return f
}

// labels tells whether a sentence asks something, or is the title or a heading of
// its passage.
func labels(text string, p llm.Passage) bool {
	bare := strings.TrimRight(text, "\"'”’»)]} ")
	if strings.HasSuffix(bare, "?") || strings.HasSuffix(bare, "？") || strings.HasSuffix(bare, "؟") {
		return true
	}
	bare = strings.TrimSpace(strings.TrimLeft(text, "# "))
	for part := range strings.SplitSeq(p.Title+" > "+p.Heading, " > ") {
		if part = strings.TrimSpace(part); part != "" && bare == part {
			return true
		}
	}
	return false
}

// fragment tells whether a sentence is a few words without an end, such as a
// line of a program or a cell of a table.
func fragment(text string, words int) bool {
	return words < 5 && !ends(text)
}

// ends tells whether a text ends as a sentence does.
func ends(text string) bool {
	return strings.ContainsAny(text[max(0, len(text)-4):], ".!…。！")
}

// longest is how many bytes are quoted at once; a table or a list may have no
// full stop for pages.
const longest = 700

// short is where a quotation that begins at from ends: at end, or before it at
// the last line end, else space, else rune within longest.
func short(text string, from, end int) int {
	if end-from <= longest {
		return end
	}
	cut := text[from : from+longest]
	if i := strings.LastIndexByte(cut, '\n'); i > 0 {
		return from + i + 1
	}
	if i := strings.LastIndexByte(cut, ' '); i > 0 {
		return from + i + 1
	}
	for i := from + longest; i > from; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return end
}

// adds is the share of the question's weight that a has and b has not.
func (q *question) adds(a, b sentence) float64 {
	sum := 0.0
	for i, m := range a.has {
		if m > b.has[i] {
			sum += (m - b.has[i]) * q.terms[i].weight / q.total
		}
	}
	return sum
}

// weigh finds the question in a sentence.
func (q *question) weigh(text string) sentence {
	s := sentence{has: map[int]float64{}}
	tokens := analysis.Tokens(text)
	last, lastAt := -1, 0
	for at, t := range tokens {
		if t.Extra {
			continue
		}
		s.words++
		i, m := q.match(t.Term)
		if m == 0 {
			continue
		}
		s.has[i] = max(s.has[i], m)
		if last >= 0 && last != i {
			gap := float64(at - lastAt)
			pair := min(q.terms[i].weight, q.terms[last].weight) / q.total
			if q.follows[[2]int{last, i}] {
				s.near += 2 * pair / gap
			} else {
				s.near += 0.5 * pair / gap
			}
		}
		last, lastAt = i, at
	}
	s.near = math.Min(s.near, 1)
	s.fits = q.asks.fits(text, tokens, q)
	return s
}

// second is the sentence of the passage that adds most to the first, or -1.
func (q *question) second(f *found) int {
	best, top := -1, 0.0
	for i, s := range f.sentences {
		if i == f.first || s.words == 0 || s.label || s.asked != f.sentences[f.first].asked {
			continue
		}
		v := s.score + q.adds(s, f.sentences[f.first])
		switch i - f.first {
		case 1:
			v += 0.12
		case -1:
			v += 0.06
		}
		if v > top {
			best, top = i, v
		}
	}
	return best
}

// confidence is how well the question is supported, as a probability. A question
// about something that no document speaks of shares common words with many
// passages: so it counts how much of the question's weight one sentence holds,
// its words standing together, the title naming what it is about, and that no
// other document holds as much. The factors are of a logistic regression that
// was validated across subjects, the title's made smaller: what a document is
// about does not mean that it answers.
func (q *question) confidence(best *found, all []*found) float64 {
	s := best.sentences[best.first]
	two := s.cover
	if i := q.second(best); i >= 0 {
		two += q.adds(best.sentences[i], s)
	}
	title := 0.0
	for i := range best.title {
		title += q.terms[i].weight / q.total
	}
	x := bias + 6*s.cover + 5*two + 2.5*s.near + 5*margin(best, all) + 7*title + 0.25*min(float64(len(q.terms)), 10)
	if q.asks != anything && !s.fits {
		x -= 1.4
	}
	return 1 / (1 + math.Exp(-x))
}

const bias = -6.8

// What a sentence and its passage are ordered by, all on the scale of shares of
// the question's weight.
const (
	nearFactor     = 0.3  // words standing as in the question
	fitsBonus      = 0.15 // holds the kind of thing asked for
	beforeFactor   = 0.1  // words that the sentence before holds
	fragmentCost   = 0.25 // a few words that are no sentence
	askedBonus     = 1    // stands first below the very question
	labelFactor    = 0.9  // words of the question or heading that a sentence stands below
	coverFactor    = 0.6  // words that the whole passage holds
	togetherFactor = 0.2  // best nearness in the passage
	orderCost      = 0.03 // a place further down in what retrieval gave
	rivalGap       = 0.12 // a passage this close is quoted too
)

// margin is by how much more of the question's weight the passage holds than any
// of another document; a middle value when there is no other to compare with.
func margin(best *found, all []*found) float64 {
	other, compared := 0.0, false
	for _, f := range all {
		if f.passage.Title != best.passage.Title {
			other, compared = max(other, f.cover), true
		}
	}
	if !compared {
		return min(0.2, best.cover)
	}
	return best.cover - other
}
