package eval

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/kljensen/snowball/english"
)

// PlainBM25 is the yardstick: whole documents, title before text, k1 1.2,
// b .75, English stems, a short list of stop words.
func PlainBM25() Engine {
	return &plain{posts: map[string][]plainPost{}, stems: map[string]string{}}
}

type plain struct {
	ids    []string
	length []int
	total  int
	posts  map[string][]plainPost
	stems  map[string]string
}

type plainPost struct{ doc, tf int }

var plainStops = map[string]bool{}

func init() {
	for w := range strings.FieldsSeq("a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with") {
		plainStops[w] = true
	}
}

func (p *plain) words(text string) []string {
	var out []string
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r < 0x80
	}) {
		if plainStops[w] {
			continue
		}
		s, ok := p.stems[w]
		if !ok {
			s = english.Stem(w, true)
			p.stems[w] = s
		}
		out = append(out, s)
	}
	return out
}

func (p *plain) Ingest(_ context.Context, docs []Doc) error {
	for _, d := range docs {
		n := len(p.ids)
		words := p.words(d.Title + " " + d.Text)
		p.ids = append(p.ids, d.ID)
		p.length = append(p.length, len(words))
		p.total += len(words)
		for _, w := range words {
			l := p.posts[w]
			if len(l) > 0 && l[len(l)-1].doc == n {
				l[len(l)-1].tf++
				continue
			}
			p.posts[w] = append(l, plainPost{n, 1})
		}
	}
	return nil
}

func (p *plain) Search(_ context.Context, question string, k int) ([]string, error) {
	const k1, b = 1.2, 0.75
	scores := map[int]float64{}
	mean := float64(p.total) / float64(max(1, len(p.ids)))
	for _, w := range p.words(question) {
		l := p.posts[w]
		idf := math.Log(1 + (float64(len(p.ids)-len(l))+0.5)/(float64(len(l))+0.5))
		for _, x := range l {
			tf := float64(x.tf)
			scores[x.doc] += idf * tf * (k1 + 1) / (tf + k1*(1-b+b*float64(p.length[x.doc])/mean))
		}
	}
	docs := make([]int, 0, len(scores))
	for d := range scores {
		docs = append(docs, d)
	}
	slices.SortFunc(docs, func(a, b int) int { return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b)) })
	out := make([]string, 0, k)
	for _, d := range docs[:min(k, len(docs))] {
		out = append(out, p.ids[d])
	}
	return out, nil
}
