package retrieval

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Index is one corpus in memory. Searches run on a snapshot and never wait;
// Put and Remove wait for one another only.
type Index struct {
	writing sync.Mutex // serialises Put and Remove
	live    map[int64]struct{}
	words   bool // vectors are left out
	spill   spill
	most    int // pieces of a segment

	now atomic.Pointer[snapshot]
}

// snapshot is what a search sees, unchanged for as long as it looks.
type snapshot struct {
	views []view
	terms []string    // by number; Put appends behind what older snapshots see
	dict  *dictionary // may know more terms than this snapshot has postings of
	forms forms       // of terms
}

// dictionary numbers terms. It only grows; an index that was emptied gets another.
type dictionary struct {
	mu    sync.RWMutex
	names map[string]uint32
}

func (d *dictionary) lookup(term string) (uint32, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, ok := d.names[term]
	return n, ok
}

// number gives each term its number, and the list of all terms by number.
func (d *dictionary) number(terms, all []string) ([]uint32, []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]uint32, len(terms))
	for i, t := range terms {
		n, ok := d.names[t]
		if !ok {
			n = uint32(len(all))
			d.names[t] = n
			all = append(all, t)
		}
		out[i] = n
	}
	return out, all
}

func empty() *snapshot {
	return &snapshot{dict: &dictionary{names: map[string]uint32{}}}
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	x := &Index{live: map[int64]struct{}{}, most: maxPieces}
	x.now.Store(empty())
	return x
}

// NewWordIndex makes an empty index that keeps no vectors, for searches with
// Query.Vectors: it is a fraction of the size.
func NewWordIndex() *Index {
	x := NewIndex()
	x.words = true
	return x
}

// Put adds a document or replaces the one with that id. The bytes are those of
// Encode; any others are an error and change nothing. A search sees the
// document wholly or not at all.
func (x *Index) Put(documentID int64, encoded []byte) error {
	d, err := decodeFor(encoded, !x.words)
	if err != nil {
		return err
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	was := x.now.Load()
	views := slices.Clip(was.views)
	if _, ok := x.live[documentID]; ok {
		views = x.compact(without(views, documentID))
	}
	if len(views) == 0 {
		was = empty()
	}
	if len(d.pieces) == 0 {
		delete(x.live, documentID)
		x.now.Store(&snapshot{views, was.terms, was.dict, was.forms})
		return nil
	}
	number, terms := was.dict.number(d.terms, was.terms)
	for part := range slices.Chunk(d.pieces, x.most) {
		views = append(views, view{segment: newSegment(documentID, d, part, number)})
	}
	x.live[documentID] = struct{}{}
	x.now.Store(&snapshot{x.compact(views), terms, was.dict, was.forms.grown(terms)})
	return nil
}

// Remove forgets a document; an unknown id is no error.
func (x *Index) Remove(documentID int64) {
	x.writing.Lock()
	defer x.writing.Unlock()
	if _, ok := x.live[documentID]; !ok {
		return
	}
	delete(x.live, documentID)
	was := x.now.Load()
	views := x.compact(without(was.views, documentID))
	if len(views) == 0 {
		was = empty()
	}
	x.now.Store(&snapshot{views, was.terms, was.dict, was.forms})
}

// Stats tells what the index holds now.
func (x *Index) Stats() Stats {
	s := x.now.Load()
	out := Stats{Terms: len(s.terms)}
	seen := map[int64]struct{}{}
	for _, v := range s.views {
		out.Bytes += v.bytes() + int64(8*len(v.dead))
		out.Files += v.filed
		for d, id := range v.docs {
			if v.isDead(d) {
				continue
			}
			seen[id] = struct{}{}
			for ord := v.starts[d]; ord < v.starts[d+1]; ord++ {
				out.Pieces++
				if v.vec.dims > 0 && v.vec.scale[ord] != 0 {
					out.Vectors++
				}
			}
		}
	}
	out.Documents = len(seen)
	for _, t := range s.terms {
		out.Bytes += int64(len(t)) + 48 // both string headers, the number, and the map's own
	}
	out.Bytes += int64(4 * (len(s.forms.heads) + len(s.forms.tails)))
	return out
}

// without is the views with a document marked dead.
func without(views []view, documentID int64) []view {
	views = slices.Clone(views)
	for i, v := range views {
		for d, id := range v.docs {
			if id != documentID || v.isDead(d) {
				continue
			}
			dead := make([]uint64, (len(v.docs)+63)/64)
			copy(dead, views[i].dead)
			dead[d>>6] |= 1 << (d & 63)
			views[i].dead = dead
			views[i].lost += int(v.starts[d+1] - v.starts[d])
		}
	}
	return views
}

// fanout is how many segments of about one size are merged into one.
const fanout = 4

// compact drops empty segments, rewrites those that a quarter is dead of, and
// merges runs of similar size, fanout of them or as many as fit, so that their
// number stays logarithmic below most and they hold half of it and more beyond.
func compact(views []view, most int) []view {
	out := make([]view, 0, len(views))
	for _, v := range views {
		switch {
		case v.lost == len(v.pieces):
		case v.lost*4 > len(v.pieces):
			out = append(out, view{segment: merge([]view{v})})
		default:
			out = append(out, v)
		}
	}
	for {
		var groups [32]struct{ count, pieces, dims int }
		pick, dims := -1, 0
		for i := len(out) - 1; i >= 0 && pick < 0; i-- {
			v := out[i]
			n, t := v.living(), tier(v)
			g := &groups[t]
			if g.count > 0 && g.dims != 0 && v.vec.dims != 0 && g.dims != v.vec.dims {
				continue
			}
			if g.pieces+n <= most {
				g.count++
				g.pieces += n
				g.dims = max(g.dims, v.vec.dims)
			}
			if g.count == fanout || g.count > 1 && g.pieces+n > most {
				pick, dims = t, g.dims
			}
		}
		if pick < 0 {
			return out
		}
		var part []view
		pieces := 0
		rest := make([]view, 0, len(out))
		for _, v := range slices.Backward(out) {
			n := v.living()
			if len(part) < fanout && tier(v) == pick && pieces+n <= most && (v.vec.dims == 0 || v.vec.dims == dims) {
				part = append(part, v)
				pieces += n
				continue
			}
			rest = append(rest, v)
		}
		slices.Reverse(rest)
		slices.Reverse(part)
		out = append(rest, view{segment: merge(part)})
	}
}

// tier is the order of magnitude, by fanout, of what lives in a segment.
func tier(v view) int {
	t := 0
	for n := v.living(); n >= fanout; n /= fanout {
		t++
	}
	return t
}
