package retrieval

import (
	"slices"

	"atrium/internal/retrieval/analysis"
)

// narrow leaves the pieces that hold each of the phrases: its words, in any of
// their forms, one behind the other in the text, the headings or the title.
// It tells whether any piece can.
func (s *searcher) narrow(phrases []string) bool {
	for _, phrase := range phrases {
		var words []queryTerm
		analysis.Terms(phrase, func(t analysis.Token) {
			if !t.Extra && len(words) < maxQueryTerms {
				words = append(words, s.resolve(t.Term, 0))
			}
		})
		if len(words) > 0 && !s.holding(words) {
			return false
		}
	}
	return true
}

// holding narrows every part to the pieces with a run of words.
func (s *searcher) holding(words []queryTerm) bool {
	some := false
	want := make([]uint32, len(words))
	var seq []uint32
	for i := range s.parts {
		p := &s.parts[i]
		only := make([]uint64, (len(p.pieces)+63)/64)
		rarest := words[0].lists[i]
		for j, w := range words {
			want[j] = w.number[p.index]
			if len(w.lists[i]) < len(rarest) {
				rarest = w.lists[i]
			}
		}
		for _, post := range rarest {
			ord := int(post.ord)
			doc := int(p.doc[ord])
			if !p.open(ord) || !p.admitted(doc) {
				continue
			}
			if seq = p.texts.at(ord, seq[:0]); !contains(seq, want) {
				if seq = p.headings.at(ord, seq[:0]); !contains(seq, want) {
					if seq = p.titles.at(doc, seq[:0]); !contains(seq, want) {
						continue
					}
				}
			}
			only[ord>>6] |= 1 << (ord & 63)
			some = true
		}
		p.only = only
	}
	return some
}

// contains tells whether the words stand in the sequence side by side.
func contains(seq, words []uint32) bool {
	for len(seq) >= len(words) {
		at := slices.Index(seq[:len(seq)-len(words)+1], words[0])
		if at < 0 {
			return false
		}
		if slices.Equal(seq[at:at+len(words)], words) {
			return true
		}
		seq = seq[at+1:]
	}
	return false
}
