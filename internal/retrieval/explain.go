package retrieval

import "slices"

// hits explains what was found.
func (s *searcher) hits(found []candidate, doubles [][]candidate) []Hit {
	out := make([]Hit, len(found))
	all := 0.0
	for _, t := range s.terms {
		all += t.idf
	}
	terms := make([]Term, len(found)*len(s.terms))
	for i, c := range found {
		p := &s.parts[c.part]
		h := &out[i]
		*h = Hit{PieceID: c.id, DocumentID: p.docs[p.doc[c.ord]], Score: c.score, Lexical: c.lexical, Vector: c.vector}
		h.Terms, terms = terms[:len(s.terms):len(s.terms)], terms[len(s.terms):]
		has := 0.0
		for j := range s.terms {
			t := &s.terms[j]
			h.Terms[j] = s.explain(t, c, &h.Parts)
			if h.Terms[j].Found {
				has += t.idf
			}
		}
		for j := range s.guessed {
			if t := s.explain(&s.guessed[j], c, &h.Parts); t.Score > 0 {
				h.Guessed = append(h.Guessed, t)
			}
		}
		if all > 0 {
			h.Coverage = has / all
		}
		h.Parts.Near = c.near
		h.Parts.Related = float64(p.fed[c.ord])
		if h.Parts.Related > 0 {
			h.Related = s.shared(c)
		}
		if s.fused {
			h.Parts.Lexical, h.Parts.Vector = c.words, c.meaning
		}
		if doubles != nil {
			for _, d := range doubles[i] {
				h.Doubles = append(h.Doubles, d.id)
			}
		}
	}
	return out
}

// posting is what a piece holds of a term; it has none when its ord is another.
func (t *queryTerm) posting(part, ord int) (posting, bool) {
	list := t.lists[part]
	i, ok := slices.BinarySearchFunc(list, ord, func(p posting, ord int) int { return int(p.ord) - ord })
	if !ok {
		return posting{}, false
	}
	return list[i], true
}

// value is what occurrences of a term in a piece count, as add counts them.
func (s *searcher) value(t *queryTerm, p *part, ord int, tf float32) float64 {
	return t.idf * t.weight * float64(tf*(s.k1+1)/(tf+s.norm[p.length[ord]]))
}

// explain tells what a term added to a piece, and adds it to the parts.
func (s *searcher) explain(t *queryTerm, c candidate, parts *Parts) Term {
	p := &s.parts[c.part]
	out := Term{Text: t.text, Weight: t.idf}
	post, ok := t.posting(c.part, c.ord)
	if !ok {
		for _, beside := range [2]int{c.ord - 1, c.ord + 1} {
			if beside < 0 || beside >= len(p.doc) || p.doc[beside] != p.doc[c.ord] {
				continue
			}
			if n, has := t.posting(c.part, beside); has && n.fields&0x0F == 0 {
				out.Score += float64(s.neighbour) * s.value(t, p, beside, float32(n.body)+s.boost[n.fields])
			}
		}
		parts.Neighbours += out.Score
		return out
	}
	body := s.value(t, p, c.ord, float32(post.body))
	out.Found = true
	out.Times = int(post.body)
	out.Score = s.value(t, p, c.ord, float32(post.body)+s.boost[post.fields])
	if post.fields&0x0F > 0 {
		out.Score += t.idf * t.weight * float64(s.titled)
	}
	parts.Words += body
	parts.Titles += out.Score - body
	return out
}

// shared are the words of feedback that a piece holds.
func (s *searcher) shared(c candidate) []string {
	var out []string
	for i := range s.related {
		if _, ok := s.related[i].posting(c.part, c.ord); ok {
			out = append(out, s.related[i].text)
		}
	}
	return out
}
