package retrieval

import (
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"sync"
)

// posting says that a piece of the segment holds a term: how often in its text,
// and in four bits each how often in the title (low) and headings (high).
type posting struct {
	ord    uint16
	body   uint8
	fields uint8
}

// maxPieces bounds a segment: its ordinals fit posting, its sums stay in cache,
// and merging one never takes long.
const maxPieces = 8192

// segment is an immutable run of documents; a piece is named by its ordinal.
// Who reads its texts or the low bytes of its vectors keeps it reachable until
// then: they may lie in a file that is unmapped with it, see inFile.
type segment struct {
	content

	filed int64 // bytes of it that lie in a file

	ordering sync.Once
	ordered  []uint16 // indexes into docs by document id, see find
}

// content is what a segment holds.
type content struct {
	docs   []int64  // document ids
	starts []uint16 // first ordinal of each document, and the end
	pieces []int64  // piece ids
	doc    []uint16 // document of each piece, as an index into docs
	length []uint16 // terms in the text of each piece, capped
	total  int64    // sum of length

	// Postings: of terms[i] they are posts[offs[i]:offs[i+1]], by ordinal.
	terms []uint32
	offs  []uint32
	posts []posting

	titles   sequences // of each document
	headings sequences // of each piece
	texts    sequences // of each piece

	vec vectors

	sketches []sketch // of each piece
}

const maxLength = 2047

// sequences are words in order, as term numbers in uvarints.
type sequences struct {
	ends  []uint32
	bytes []byte
}

func (q *sequences) add(words, number []uint32) {
	for _, w := range words {
		q.bytes = binary.AppendUvarint(q.bytes, uint64(number[w]))
	}
	q.ends = append(q.ends, uint32(len(q.bytes)))
}

func (q *sequences) raw(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = q.ends[i-1]
	}
	return q.bytes[from:q.ends[i]]
}

func (q *sequences) copy(from *sequences, i int) {
	q.bytes = append(q.bytes, from.raw(i)...)
	q.ends = append(q.ends, uint32(len(q.bytes)))
}

// at appends the words of the i-th to out.
func (q *sequences) at(i int, out []uint32) []uint32 {
	b := q.raw(i)
	for len(b) > 0 {
		if b[0] < 0x80 {
			out = append(out, uint32(b[0]))
			b = b[1:]
			continue
		}
		if len(b) > 1 && b[1] < 0x80 { // nearly all
			out = append(out, uint32(b[0]&0x7F)|uint32(b[1])<<7)
			b = b[2:]
			continue
		}
		v, n := binary.Uvarint(b)
		out = append(out, uint32(v))
		b = b[n:]
	}
	return out
}

func (q *sequences) size() int { return 4*len(q.ends) + len(q.bytes) }

func (s *segment) postings(term uint32) []posting {
	i, ok := slices.BinarySearch(s.terms, term)
	if !ok {
		return nil
	}
	return s.posts[s.offs[i]:s.offs[i+1]]
}

// bytes are those in memory.
func (s *segment) bytes() int64 {
	return int64(8*len(s.docs)+2*len(s.starts)+8*len(s.pieces)+2*len(s.doc)+2*len(s.length)+
		4*len(s.terms)+4*len(s.offs)+4*len(s.posts)+8*len(s.sketches)+s.titles.size()+s.headings.size()+s.texts.size()+s.vec.bytes()) - s.filed
}

// newSegment indexes pieces of one document; number gives a term's number in the index.
func newSegment(docID int64, d *decoded, pieces []decodedPiece, number []uint32) *segment {
	s := &segment{content: content{
		docs:   []int64{docID},
		starts: []uint16{0, uint16(len(pieces))},
		pieces: make([]int64, len(pieces)),
		doc:    make([]uint16, len(pieces)),
		length: make([]uint16, len(pieces)),
	}}
	s.titles.add(d.title.words, number)
	type entry struct {
		term uint32
		posting
	}
	var all []entry
	counts := map[uint32]posting{}
	for ord, p := range pieces {
		clear(counts)
		for _, t := range slices.Concat(p.text.words, p.text.extra) {
			c := counts[t]
			if c.body < math.MaxUint8 {
				c.body++
			}
			counts[t] = c
		}
		for _, t := range slices.Concat(d.title.words, d.title.extra) {
			c := counts[t]
			if c.fields&0x0F < 0x0F {
				c.fields++
			}
			counts[t] = c
		}
		for _, t := range slices.Concat(p.heading.words, p.heading.extra) {
			c := counts[t]
			if c.fields>>4 < 0x0F {
				c.fields += 0x10
			}
			counts[t] = c
		}
		for t, c := range counts {
			c.ord = uint16(ord)
			all = append(all, entry{number[t], c})
		}
		s.pieces[ord] = p.id
		s.length[ord] = uint16(min(len(p.text.words), maxLength))
		s.total += int64(s.length[ord])
		s.headings.add(p.heading.words, number)
		s.texts.add(p.text.words, number)
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.term != b.term {
			return int(int64(a.term) - int64(b.term))
		}
		return int(a.ord) - int(b.ord)
	})
	s.posts = make([]posting, len(all))
	for i, e := range all {
		if i == 0 || e.term != all[i-1].term {
			s.terms = append(s.terms, e.term)
			s.offs = append(s.offs, uint32(i))
		}
		s.posts[i] = e.posting
	}
	s.offs = append(s.offs, uint32(len(all)))
	s.vec = newVectors(pieces)
	s.sketches = make([]sketch, len(pieces))
	hashes := hashed(d.terms)
	for ord, p := range pieces {
		s.sketches[ord] = draw(p.text.words, hashes)
	}
	return s
}

// merge joins segments without the documents that died in them.
func merge(in []view) *segment {
	out := &segment{content: content{starts: []uint16{0}, offs: []uint32{0}}}
	const gone = math.MaxUint16
	moved := make([][]uint16, len(in)) // ordinal before → after
	nTerms, nPosts, nText, nPieces := 0, 0, 0, 0
	for _, v := range in {
		nTerms = max(nTerms, len(v.terms))
		nPosts += len(v.posts)
		nText += len(v.texts.bytes)
		nPieces += v.living()
	}
	out.pieces = make([]int64, 0, nPieces)
	out.doc = make([]uint16, 0, nPieces)
	out.length = make([]uint16, 0, nPieces)
	out.texts = sequences{make([]uint32, 0, nPieces), make([]byte, 0, nText)}
	out.posts = make([]posting, 0, nPosts)
	out.terms = make([]uint32, 0, nTerms)
	for i, v := range in {
		moved[i] = make([]uint16, len(v.pieces))
		for d, id := range v.docs {
			dead := v.isDead(d)
			for ord := v.starts[d]; ord < v.starts[d+1]; ord++ {
				if dead {
					moved[i][ord] = gone
					continue
				}
				moved[i][ord] = uint16(len(out.pieces))
				out.pieces = append(out.pieces, v.pieces[ord])
				out.doc = append(out.doc, uint16(len(out.docs)))
				out.length = append(out.length, v.length[ord])
				out.total += int64(v.length[ord])
				out.headings.copy(&v.headings, int(ord))
				out.texts.copy(&v.texts, int(ord))
			}
			if !dead {
				out.titles.copy(&v.titles, d)
				out.docs = append(out.docs, id)
				out.starts = append(out.starts, uint16(len(out.pieces)))
			}
		}
	}
	at := make([]int, len(in))
	for {
		next := uint32(math.MaxUint32)
		for i, v := range in {
			if at[i] < len(v.terms) {
				next = min(next, v.terms[at[i]])
			}
		}
		if next == math.MaxUint32 {
			break
		}
		before := len(out.posts)
		for i, v := range in {
			if at[i] == len(v.terms) || v.terms[at[i]] != next {
				continue
			}
			for _, p := range v.posts[v.offs[at[i]]:v.offs[at[i]+1]] {
				if to := moved[i][p.ord]; to != gone {
					p.ord = to
					out.posts = append(out.posts, p)
				}
			}
			at[i]++
		}
		if len(out.posts) > before {
			out.terms = append(out.terms, next)
			out.offs = append(out.offs, uint32(len(out.posts)))
		}
	}
	out.docs, out.starts = fit(out.docs), fit(out.starts)
	out.terms, out.offs, out.posts = fit(out.terms), fit(out.offs), fit(out.posts)
	for _, q := range []*sequences{&out.titles, &out.headings, &out.texts} {
		q.ends, q.bytes = fit(q.ends), fit(q.bytes)
	}
	out.vec = mergeVectors(in, moved, gone, len(out.pieces))
	out.sketches = make([]sketch, len(out.pieces))
	for i, v := range in {
		for ord, to := range moved[i] {
			if to != gone {
				out.sketches[to] = v.sketches[ord]
			}
		}
	}
	runtime.KeepAlive(in)
	return out
}

// fit gives back the room that s has to grow, where it is much.
func fit[T any](s []T) []T {
	if cap(s)-len(s) <= len(s)/32 {
		return s
	}
	return slices.Clip(slices.Clone(s))
}

// view is a segment as one snapshot sees it.
type view struct {
	*segment
	dead []uint64 // bit a document of the segment; nil: none
	lost int      // pieces of dead documents
}

// living are its pieces that are not dead.
func (v view) living() int { return len(v.pieces) - v.lost }

func (v view) isDead(doc int) bool {
	return v.dead != nil && v.dead[doc>>6]&(1<<(doc&63)) != 0
}
