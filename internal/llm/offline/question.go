package offline

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"atrium/internal/llm"
	"atrium/internal/retrieval/analysis"
)

// question is a question read: its terms with their weight, and what it asks for.
type question struct {
	terms   []term
	slot    map[string]int
	total   float64 // weight of all terms
	follows map[[2]int]bool
	asks    kind
	words   string // all of them, in order
}

type term struct {
	text   string
	weight float64
}

func read(text string, passages []llm.Passage) *question {
	q := &question{slot: map[string]int{}, follows: map[[2]int]bool{}, words: allWords(text)}
	weights := weigh(passages)
	last := -1
	var stops []analysis.Token
	for _, t := range analysis.Tokens(text) {
		if t.Extra {
			continue
		}
		if t.Stop {
			stops = append(stops, t)
			continue
		}
		last = q.term(t, last, weights)
	}
	if len(q.terms) == 0 {
		for _, t := range stops {
			last = q.term(t, last, weights)
		}
	}
	q.asks = kindOf(text)
	for _, t := range q.terms {
		q.total += t.weight
	}
	return q
}

// allWords are the words of a text, common ones too, so that two spellings of a
// question can be told to be the same.
func allWords(text string) string {
	var b strings.Builder
	for _, t := range analysis.Tokens(text) {
		if !t.Extra {
			b.WriteString(t.Term)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func (q *question) term(t analysis.Token, last int, weights func(string) float64) int {
	i, ok := q.slot[t.Term]
	if !ok {
		i = len(q.terms)
		q.slot[t.Term] = i
		q.terms = append(q.terms, term{t.Term, weights(t.Term)})
	}
	if last >= 0 && last != i {
		q.follows[[2]int{last, i}] = true
	}
	return i
}

// weigh tells how rare a term is: as retrieval knows it, else by how few of the
// passages' sentences hold it.
func weigh(passages []llm.Passage) func(string) float64 {
	known := map[string]float64{}
	for _, p := range passages {
		for _, e := range p.Evidence {
			known[e.Term] = e.Weight
		}
	}
	var in map[string]int
	n := 0
	return func(t string) float64 {
		if w, ok := known[t]; ok {
			return max(w, 0.1)
		}
		if in == nil {
			in = map[string]int{}
			for _, p := range passages {
				from := 0
				for _, end := range analysis.Sentences(p.Text) {
					n++
					seen := map[string]bool{}
					for _, x := range analysis.Tokens(p.Text[from:end]) {
						if !seen[x.Term] {
							seen[x.Term] = true
							in[x.Term]++
						}
					}
					from = end
				}
			}
		}
		return math.Log(1 + (float64(n-in[t])+0.5)/(float64(in[t])+0.5))
	}
}

// match finds the term of the question that a word is: 1 when it is that term,
// less when the two share a long beginning (govern, governor), 0 for none.
func (q *question) match(word string) (int, float64) {
	if i, ok := q.slot[word]; ok {
		return i, 1
	}
	if len(word) < 5 {
		return 0, 0
	}
	for i, t := range q.terms {
		n := 0
		for n < len(word) && n < len(t.text) && word[n] == t.text[n] {
			n++
		}
		if n >= 5 && n*10 >= 6*max(len(word), len(t.text)) {
			return i, 0.7
		}
	}
	return 0, 0
}

// kind is what sort of thing a question asks for.
type kind int

const (
	anything kind = iota
	person
	date
	number
	place
)

func kindOf(text string) kind {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
	for i, w := range words {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch w {
		case "who", "whose", "whom":
			return person
		case "when":
			return date
		case "where":
			return place
		case "how":
			switch next {
			case "many", "much", "old", "long", "far", "tall", "large", "big", "high", "deep", "fast", "often", "wide", "heavy":
				return number
			}
		case "what", "which":
			switch next {
			case "year", "date", "century", "decade", "month", "day", "season":
				return date
			case "percentage", "percent", "number", "proportion", "fraction", "amount", "population", "share":
				return number
			case "city", "country", "state", "region", "continent", "town", "place", "location", "county":
				return place
			case "person", "president", "king", "queen", "author", "scientist", "actor", "player", "team", "company", "name":
				return person
			}
		}
	}
	return anything
}

var months = words("january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday century centuries decade")

var numerals = words("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half third quarter dozen once twice percent")

func words(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

// fits tells whether a sentence holds a thing of the kind that the question does
// not name itself.
func (k kind) fits(text string, tokens []analysis.Token, q *question) bool {
	for n, t := range tokens {
		if _, own := q.slot[t.Term]; own {
			continue
		}
		raw := text[t.Start:t.End]
		r, _ := utf8.DecodeRuneInString(raw)
		digits := strings.ContainsAny(raw, "0123456789")
		lower := strings.ToLower(raw)
		switch k {
		case date:
			if digits && len(raw) == 4 || months[lower] && unicode.IsUpper(r) || strings.HasPrefix(lower, "centur") || strings.HasPrefix(lower, "decade") || digits && strings.HasSuffix(lower, "s") {
				return true
			}
		case number:
			if digits || numerals[lower] {
				return true
			}
		case person, place:
			if n > 0 && unicode.IsUpper(r) && !t.Stop {
				return true
			}
		}
	}
	return false
}
