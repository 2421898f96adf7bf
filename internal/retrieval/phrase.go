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
	only := make([][]uint64, len(s.parts))
	for i := range s.parts {
		only[i] = make([]uint64, (len(s.parts[i].pieces)+63)/64)
	}
	s.runs(words, true, func(part, ord int) {
		only[part][ord>>6] |= 1 << (ord & 63)
		some = true
	})
	for i := range s.parts {
		s.parts[i].only = only[i]
	}
	return some
}

// runs gives the pieces, of those that may be found, in which words stand side by side:
// in headings or title, and in the text when that counts too.
func (s *searcher) runs(words []queryTerm, inText bool, found func(part, ord int)) {
	want := make([]uint32, len(words))
	var seq []uint32
	for i := range s.parts {
		p := &s.parts[i]
		rarest := words[0].lists[i]
		for j, w := range words {
			want[j] = w.number[p.index]
			if len(w.lists[i]) < len(rarest) {
				rarest = w.lists[i]
			}
		}
		has := func(q *sequences, at int) bool {
			seq = q.at(at, seq[:0])
			return contains(seq, want)
		}
		for _, post := range rarest {
			ord := int(post.ord)
			doc := int(p.doc[ord])
			if post.fields == 0 && !inText || !p.open(ord) || !p.admitted(doc) {
				continue
			}
			if inText && has(&p.texts, ord) || has(&p.headings, ord) || has(&p.titles, doc) {
				found(i, ord)
			}
		}
	}
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
