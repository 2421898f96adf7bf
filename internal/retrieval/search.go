package retrieval

import (
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
	"sync"

	"atrium/internal/retrieval/analysis"
)

// tuning is what ranking depends on; chosen on the train claims of SciFact and
// checked on sets that it was not chosen on (see package eval).
type tuning struct {
	k1, b          float32
	title, heading float32 // weight of an occurrence there, in occurrences in the text
	titled         float32 // what a word in the title counts besides, in idf
	neighbour      float32 // share of a word's score that the pieces beside get
	joined         float64 // weight of a compound's joined form, its parts counting too
	mistyped       float64 // weight of a word that stands for one found nowhere
	near           float64 // weight of words standing together
	said           float64 // what a title or heading that says the question adds, in what saying it can score
	rescored       int     // pieces that nearness is looked at for

	feedbackPieces int     // best pieces that feedback reads; 0 turns it off
	feedbackTerms  int     // words it adds at most
	feedbackShared int     // pieces that have to have such a word
	feedbackSeen   int     // as many where vectors are compared, which outvote what it brings wrongly
	feedback       float64 // weight of its best word
	brief          float64 // words that a question needs to get all of it
	clarity        float64 // how fast that falls the more the best piece stands out

	kindred float64 // weight of a word that is made like one of the question

	vector     float64 // weight of the cosine in the fusion, lexical has the rest
	candidates int     // pieces from either side that are fused
}

// VectorWeight is the cosine's part of a score where vectors are compared; words have
// the rest.
const VectorWeight = 0.45

var tuned = tuning{
	k1: 1, b: 0.75, title: 1, heading: 1, titled: 0.2, neighbour: 0.3, joined: 0.15, mistyped: 0.6, near: 0.3, said: 1, rescored: 50,
	feedbackPieces: 12, feedbackTerms: 16, feedbackShared: 3, feedbackSeen: 2, feedback: 0.8, brief: 4, clarity: 1,
	kindred: 0.5,
	vector:  VectorWeight, candidates: 200,
}

// maxQueryTerms bounds the work of one question; the rarest terms are kept.
const maxQueryTerms = 128

// Search gives the best pieces of the indexes, best first, ties by piece id.
// The only errors are those of the context and of Query.Vectors.
func Search(ctx context.Context, in []*Index, q Query) ([]Hit, error) {
	return search(ctx, in, q, &tuned)
}

func search(ctx context.Context, in []*Index, q Query, t *tuning) ([]Hit, error) {
	if q.Limit <= 0 {
		q.Limit = 10
	}
	q.Limit = min(q.Limit, MaxLimit)
	s := newSearcher(in, q.Allow, t)
	defer s.release()
	if s.pieces == 0 {
		return nil, ctx.Err()
	}
	s.question(q.Text)
	if !s.narrow(q.Phrases) {
		return nil, ctx.Err()
	}
	eyes, vectors := s.sight(q)
	s.sees = vectors
	closest := make(chan nearest, 1)
	if vectors { // beside the words, which it does not depend on
		go func() { closest <- eyes.closest(ctx) }()
	}
	s.guess()
	for _, term := range slices.Concat(s.terms, s.guessed) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.add(term, t.neighbour, false)
	}
	top := s.best(max(1, t.feedbackPieces)) // fill needs one
	s.feedBack(top)
	s.kin()
	if len(top) > 0 {
		s.fill(top[0].score)
	}
	found := s.best(max(q.Limit, t.rescored, t.candidates))
	s.nearness(found[:min(len(found), t.rescored)])
	found = s.saying(found)
	if vectors {
		var err error
		if found, err = s.fuse(ctx, found, eyes, <-closest); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, rank)
	var doubles [][]candidate
	if q.Fold {
		found, doubles = s.fold(found, q.Limit)
	}
	return s.hits(found[:min(len(found), q.Limit)], doubles), ctx.Err()
}

// part is one segment of one index within a search.
type part struct {
	view
	index  int       // into searcher.snaps
	base   int       // of its pieces among all of the search
	admit  []bool    // a document; nil: all that live
	only   []uint64  // bit a piece that may be found; nil: all
	scores []float32 // a piece, by the question's own words
	fed    []float32 // a piece, by the words of feedback
}

// open tells whether a piece may be found.
func (p *part) open(ord int) bool {
	return p.only == nil || p.only[ord>>6]&(1<<(ord&63)) != 0
}

func (p *part) admitted(doc int) bool {
	if p.admit != nil {
		return p.admit[doc]
	}
	return !p.isDead(doc)
}

// whole tells that every piece of the part counts.
func (p *part) whole() bool { return p.admit == nil && p.dead == nil }

// queryTerm is a term of the question, resolved.
type queryTerm struct {
	text   string
	weight float64 // how much the question says it: times, or feedback's share
	joined bool    // only as the extra form of a compound
	idf    float64
	df     int
	number []uint32 // a snapshot; absent where none
	lists  [][]posting
}

const absent = math.MaxUint32

// searcher is the state of one Search.
type searcher struct {
	*tuning
	snaps  []*snapshot
	parts  []part
	pieces int     // admitted
	picked bool    // not all that live are admitted
	mean   float64 // length
	norm   []float32
	terms  []queryTerm
	words  []string // the question's terms in order, for nearness
	scores []float32
	boost  [256]float32 // what the fields of a posting add to its occurrences

	guessed []queryTerm // words for those that stand nowhere
	related []queryTerm // the words of feedback, and kin
	sees    bool        // vectors are compared
	fused   bool        // and were
}

var scorePool = sync.Pool{New: func() any { return new([]float32) }}

func newSearcher(in []*Index, allow func(int64) bool, t *tuning) *searcher {
	s := &searcher{tuning: t, picked: allow != nil}
	seen := make(map[*Index]bool, len(in))
	asked := map[int64]bool{}
	var total int64
	size := 0
	for _, x := range in {
		if x == nil || seen[x] {
			continue
		}
		seen[x] = true
		snap := x.now.Load()
		for _, v := range snap.views {
			p := part{view: v, index: len(s.snaps), base: size}
			if allow != nil {
				p.admit = make([]bool, len(v.docs))
				for d, id := range v.docs {
					if v.isDead(d) {
						continue
					}
					ok, known := asked[id]
					if !known {
						ok = allow(id)
						asked[id] = ok
					}
					p.admit[d] = ok
				}
			}
			if p.whole() {
				s.pieces += len(v.pieces)
				total += v.total
			} else {
				for d := range v.docs {
					if !p.admitted(d) {
						continue
					}
					for ord := v.starts[d]; ord < v.starts[d+1]; ord++ {
						s.pieces++
						total += int64(v.length[ord])
					}
				}
			}
			size += len(v.pieces)
			s.parts = append(s.parts, p)
		}
		s.snaps = append(s.snaps, snap)
	}
	s.mean = float64(total) / float64(max(1, s.pieces))
	s.norm = make([]float32, maxLength+1)
	for l := range s.norm {
		s.norm[l] = t.k1 * (1 - t.b + t.b*float32(float64(l)/max(1, s.mean)))
	}
	for f := range s.boost {
		s.boost[f] = t.title*float32(f&0x0F) + t.heading*float32(f>>4)
	}
	buf := *scorePool.Get().(*[]float32)
	if cap(buf) < 2*size {
		buf = make([]float32, 2*size)
	}
	s.scores = buf[:2*size]
	clear(s.scores)
	for i := range s.parts {
		p := &s.parts[i]
		p.scores = s.scores[p.base : p.base+len(p.pieces)]
		p.fed = s.scores[size+p.base : size+p.base+len(p.pieces)]
	}
	return s
}

// release ends the search; until then its segments and their files stay.
func (s *searcher) release() {
	scores := s.scores // not &s.scores, which would keep the searcher
	scorePool.Put(&scores)
	runtime.KeepAlive(s)
}

// resolve finds a term's postings and rarity among the admitted pieces.
func (s *searcher) resolve(text string, weight float64) queryTerm {
	t := queryTerm{text: text, weight: weight, number: make([]uint32, len(s.snaps)), lists: make([][]posting, len(s.parts))}
	for i, snap := range s.snaps {
		n, ok := snap.dict.lookup(text)
		if !ok {
			n = absent
		}
		t.number[i] = n
	}
	for i := range s.parts {
		p := &s.parts[i]
		n := t.number[p.index]
		if n == absent {
			continue
		}
		list := p.postings(n)
		t.lists[i] = list
		if p.whole() {
			t.df += len(list)
			continue
		}
		for _, post := range list {
			if p.admitted(int(p.doc[post.ord])) {
				t.df++
			}
		}
	}
	t.idf = math.Log(1 + (float64(s.pieces-t.df)+0.5)/(float64(t.df)+0.5))
	return t
}

// question reads the question's terms. Stop words count only when it has no
// other, so that "to be or not to be" finds something.
func (s *searcher) question(text string) {
	type word struct {
		text   string
		times  float64
		joined bool
	}
	var words, stops []*word
	known := map[string]*word{}
	read := 0
	analysis.Terms(text, func(t analysis.Token) {
		if read++; read > 1<<13 {
			return
		}
		if !t.Extra {
			s.words = append(s.words, t.Term)
		}
		w := known[t.Term]
		if w == nil {
			w = &word{text: t.Term, joined: t.Extra}
			known[t.Term] = w
			if t.Stop {
				stops = append(stops, w)
			} else {
				words = append(words, w)
			}
		}
		w.times++
		w.joined = w.joined && t.Extra
	})
	if len(words) == 0 {
		words = stops
	}
	for _, w := range words {
		weight := math.Sqrt(w.times)
		if w.joined {
			weight *= s.joined
		}
		t := s.resolve(w.text, weight)
		t.joined = w.joined
		s.terms = append(s.terms, t)
	}
	if len(s.terms) > maxQueryTerms {
		byWeight := slices.Clone(s.terms)
		slices.SortStableFunc(byWeight, func(a, b queryTerm) int { return cmp.Compare(b.idf*b.weight, a.idf*a.weight) })
		kept := map[string]bool{}
		for _, t := range byWeight[:maxQueryTerms] {
			kept[t.text] = true
		}
		s.terms = slices.DeleteFunc(s.terms, func(t queryTerm) bool { return !kept[t.text] })
	}
}

// add adds a term's BM25F to the scores, and the share aside of it to those on
// either side in the same document, since what stands across a cut counts for both.
func (s *searcher) add(t queryTerm, aside float32, fed bool) {
	if t.df == 0 {
		return
	}
	boost, factor, k := &s.boost, float32(t.idf*t.weight), s.k1+1
	for i, list := range t.lists {
		p := &s.parts[i]
		scores, length, doc := p.scores, p.length, p.doc
		if fed {
			scores = p.fed
		}
		whole := p.whole()
		for j, post := range list {
			o, d := int(post.ord), doc[post.ord]
			if !whole && !p.admitted(int(d)) {
				continue
			}
			tf := float32(post.body) + boost[post.fields]
			v := factor * tf * k / (tf + s.norm[length[o]])
			if post.fields&0x0F > 0 {
				// The title is that of the neighbours too: they have the word.
				scores[o] += v + factor*s.titled
				continue
			}
			scores[o] += v
			if aside == 0 {
				continue
			}
			if o > 0 && doc[o-1] == d && (j == 0 || int(list[j-1].ord) != o-1) {
				scores[o-1] += aside * v
			}
			if o+1 < len(doc) && doc[o+1] == d && (j+1 == len(list) || int(list[j+1].ord) != o+1) {
				scores[o+1] += aside * v
			}
		}
	}
}

// candidate is a piece that may be a hit.
type candidate struct {
	part, ord int
	id        int64
	score     float64
	lexical   float64
	near      float64 // part of lexical
	vector    float64
	measured  bool    // vector is its cosine; false too where it has none
	words     float64 // what lexical and vector make of score, when fused
	meaning   float64
}

// rank orders candidates: higher score, then lower id.
func rank(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id))
}

// best takes the n pieces of the highest score above 0, best first.
func (s *searcher) best(n int) []candidate {
	h := make(heap, 0, n)
	var least float32 // that the next has to have
	for i := range s.parts {
		p := &s.parts[i]
		fed := p.fed[:len(p.scores)]
		for ord, v := range p.scores {
			v += fed[ord]
			if v <= 0 || v < least || !p.open(ord) {
				continue
			}
			h = h.offer(spot{p.pieces[ord], v, int32(i), int32(ord)}, n)
			if len(h) == n {
				least = h[0].score
			}
		}
	}
	slices.SortFunc(h, func(a, b spot) int {
		if a.better(b) {
			return -1
		}
		return 1
	})
	out := make([]candidate, len(h))
	for i, x := range h {
		out[i] = x.candidate()
		out[i].lexical = out[i].score
	}
	return out
}

// spot is a piece that may be among the best, small because many are moved about.
type spot struct {
	id        int64
	score     float32
	part, ord int32
}

func (a spot) better(b spot) bool {
	return a.score > b.score || a.score == b.score && a.id < b.id
}

func (a spot) candidate() candidate {
	return candidate{part: int(a.part), ord: int(a.ord), id: a.id, score: float64(a.score)}
}

// heap holds the best spots, the worst of them first.
type heap []spot

func (h heap) offer(c spot, n int) heap {
	if len(h) < n {
		h = append(h, c)
		for i := len(h) - 1; i > 0; {
			up := (i - 1) / 2
			if !h[up].better(h[i]) {
				break
			}
			h[up], h[i] = h[i], h[up]
			i = up
		}
		return h
	}
	if n == 0 || !c.better(h[0]) {
		return h
	}
	h[0] = c
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down].better(h[down+1]) {
			down++
		}
		if !h[i].better(h[down]) {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	return h
}
