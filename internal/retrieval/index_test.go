package retrieval

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodeIsRepeatable(t *testing.T) {
	t.Parallel()
	d := corpus(newZipf(1, 100), 1, 50, 4)[0]
	if !bytes.Equal(Encode(d.title, d.pieces), Encode(d.title, d.pieces)) {
		t.Error("the same document gave different bytes")
	}
}

func TestDecodeGivesBackWhatEncodeTook(t *testing.T) {
	t.Parallel()
	d, err := decode(Encode("Roses", []Piece{
		{ID: 7, Heading: "Care", Text: "roses like care", Vector: []float32{0.6, 0, -0.8}},
		{ID: -3, Text: ""},
	}))
	if err != nil {
		t.Fatal(err)
	}
	words := func(of run) (out []string) {
		for _, n := range of.words {
			out = append(out, d.terms[n])
		}
		return out
	}
	if !slices.Equal(words(d.title), []string{"rose"}) || len(d.pieces) != 2 {
		t.Fatalf("got %+v", d)
	}
	p := d.pieces[0]
	if p.id != 7 || !slices.Equal(words(p.heading), []string{"care"}) || !slices.Equal(words(p.text), []string{"rose", "like", "care"}) {
		t.Errorf("got %+v", p)
	}
	for i, want := range []float64{0.6, 0, -0.8} {
		if got := float64(p.vector[i]) * float64(p.scale); math.Abs(got-want) > 1e-4 {
			t.Errorf("component %d is %v", i, got)
		}
	}
	if d.pieces[1].id != -3 || d.pieces[1].vector != nil {
		t.Errorf("got %+v", d.pieces[1])
	}
}

func TestPutRefusesOtherBytesAndKeepsWhatItHad(t *testing.T) {
	t.Parallel()
	x := indexOf(t, texts("zebra crossing"))
	good := Encode("t", []Piece{{ID: 1, Text: "one two", Vector: []float32{1, 0}}})
	for name, b := range map[string][]byte{
		"nothing": nil, "another version": append([]byte{99}, good[1:]...), "a cut": good[:len(good)-1], "a tail": append(slices.Clone(good), 0),
		"version 0": append([]byte{0}, good[1:]...), "huge counts": {2, 0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		if err := x.Put(1, b); !errors.Is(err, errEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(find(t, Query{Text: "zebra"}, x)) != 1 {
		t.Error("the document is gone")
	}
}

func TestStatsCountWhatLives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		x := NewIndex()
		docs := corpus(newZipf(rapid.Uint64().Draw(r, "seed"), 50), 12, 6, 2)
		live := map[int64]int{}
		for range rapid.IntRange(0, 60).Draw(r, "steps") {
			d := docs[rapid.IntRange(0, len(docs)-1).Draw(r, "doc")]
			if rapid.Bool().Draw(r, "remove") {
				x.Remove(d.id)
				delete(live, d.id)
				continue
			}
			d.put(t, x)
			live[d.id] = len(d.pieces)
		}
		pieces := 0
		for _, n := range live {
			pieces += n
		}
		s := x.Stats()
		if s.Documents != len(live) || s.Pieces != pieces || s.Vectors != pieces || (pieces == 0) != (s.Terms == 0) {
			r.Fatalf("%+v, with %d documents of %d pieces alive", s, len(live), pieces)
		}
	})
}

func TestSegmentsStayFew(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	docs := corpus(newZipf(5, 200), 900, 4, 0)
	for _, d := range docs {
		d.put(t, x)
	}
	if n := len(x.now.Load().views); n > 24 {
		t.Errorf("%d segments", n)
	}
	for _, d := range docs[:890] {
		x.Remove(d.id)
	}
	held := 0
	for _, v := range x.now.Load().views {
		held += len(v.pieces)
	}
	if live := x.Stats().Pieces; held > 2*live+8 {
		t.Errorf("%d pieces are held for %d that live", held, live)
	}
}

func TestSegmentsAreFilledWhateverTheSizeOfDocuments(t *testing.T) {
	t.Parallel()
	for size := 1; size <= 12; size++ {
		x := NewIndex()
		x.most = 64
		d := testDoc{pieces: make([]Piece, size)}
		const n = 600
		for d.id = 1; d.id <= n; d.id++ {
			d.put(t, x)
		}
		small, views := 0, x.now.Load().views
		for _, v := range views {
			if 2*v.living() <= x.most {
				small++
			}
		}
		if small > 12 || len(views)-small > 2*n*size/x.most {
			t.Errorf("documents of %d pieces are in %d segments, %d of them small", size, len(views), small)
		}
	}
}

func TestOneDocumentMayBeLargerThanASegment(t *testing.T) {
	t.Parallel()
	d := testDoc{id: 1}
	for i := range maxPieces + 100 {
		d.pieces = append(d.pieces, Piece{ID: int64(i), Text: "zebra"})
	}
	x := indexOf(t, []testDoc{d})
	if s := x.Stats(); s.Pieces != len(d.pieces) || s.Documents != 1 {
		t.Errorf("got %+v", s)
	}
	x.Remove(1)
	if s := x.Stats(); s != (Stats{}) {
		t.Errorf("got %+v", s)
	}
}

func TestADocumentWithoutPiecesIsNone(t *testing.T) {
	t.Parallel()
	x := indexOf(t, texts("zebra"))
	if err := x.Put(1, Encode("zebra", nil)); err != nil {
		t.Fatal(err)
	}
	if s := x.Stats(); s.Documents != 0 || s.Pieces != 0 {
		t.Errorf("got %+v", s)
	}
}

func FuzzPut(f *testing.F) {
	f.Add(Encode("Title", []Piece{{ID: 1, Heading: "h", Text: "one two two", Vector: []float32{1, 2, 3}}, {ID: 2}}))
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		x := NewIndex()
		if x.Put(1, b) != nil {
			return
		}
		find(t, Query{Text: "one two title", Vector: []float32{1, 0, 0}}, x)
		x.Remove(1)
		if s := x.Stats(); s != (Stats{}) {
			t.Fatalf("got %+v", s)
		}
	})
}

// first is the encoding before extra forms were told apart.
func first(title []string, id int64, text []string) []byte {
	out := []byte{firstEncoding, byte(len(title) + len(text))}
	for _, w := range append(slices.Clone(title), text...) {
		out = append(append(out, byte(len(w))), w...)
	}
	number := 0
	run := func(n int) {
		out = append(out, byte(n))
		for range n {
			out = append(out, byte(number))
			number++
		}
	}
	run(len(title))
	out = append(out, 1, byte(id), 0)
	run(len(text))
	return append(out, 0)
}

func TestDocumentsOfTheFirstEncodingAreStillFound(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	if err := x.Put(1, first([]string{"rose"}, 7, []string{"water", "can"})); err != nil {
		t.Fatal(err)
	}
	for _, q := range []Query{{Text: "roses"}, {Text: "water"}, {Text: "can", Phrases: []string{"water cans"}}} {
		if hits := find(t, q, x); len(hits) != 1 || hits[0].PieceID != 7 {
			t.Errorf("%+v gives %+v", q, hits)
		}
	}
}
