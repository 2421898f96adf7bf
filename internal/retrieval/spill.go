package retrieval

import "runtime"

// spillFrom is how many pieces in settled segments an index holds before any of it
// goes to files; smaller ones are searched from memory alone.
const spillFrom = 16 * maxPieces

// spill is where a large index keeps what it reads for the best pieces only.
type spill struct {
	dir    string // empty: in memory
	from   int
	failed func(error)
}

// Spill lets the index, once it is large, keep its texts and the low bytes of its
// vectors in files in dir, which have no name and end with the process; the system
// holds in memory what is read often. Call it before the first Put. Where a file cannot
// be written failed is told, once, and the index stays in memory from then on.
func (x *Index) Spill(dir string, failed func(error)) {
	x.spill = spill{dir, spillFrom, failed}
}

// compact gives views in good order: merged, and in files what belongs there.
func (x *Index) compact(views []view) []view {
	views = compact(views, x.most)
	if x.spill.dir == "" {
		return views
	}
	pieces := 0
	for _, v := range views {
		if x.settled(v) {
			pieces += v.living()
		}
	}
	if pieces <= x.spill.from {
		return views
	}
	for i, v := range views {
		if v.filed > 0 || !x.settled(v) || len(v.texts.bytes)+len(v.vec.low) == 0 {
			continue
		}
		s, err := v.inFile(x.spill.dir)
		if err != nil {
			x.spill.dir = ""
			x.spill.failed(err)
			break
		}
		views[i].segment = s
	}
	return views
}

// settled tells of a segment that it is hardly ever merged again: two do not fit in one.
func (x *Index) settled(v view) bool { return 2*v.living() > x.most }

// inFile is the segment with what is read for the best pieces only in a file in dir.
// The file is gone when the segment is, which what points into it does not delay.
func (s *segment) inFile(dir string) (*segment, error) {
	mapped, err := mapFile(dir, s.texts.bytes, s.vec.low)
	if err != nil {
		return nil, err
	}
	out := &segment{content: s.content, filed: int64(len(mapped))}
	n := len(s.texts.bytes)
	out.texts.bytes, out.vec.low = mapped[:n:n], mapped[n:]
	runtime.AddCleanup(out, unmap, mapped)
	return out, nil
}
