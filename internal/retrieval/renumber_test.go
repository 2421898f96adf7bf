package retrieval

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRenumberingChangesNothingButTheIDs(t *testing.T) {
	t.Parallel()
	pieces := func(first int64) []Piece {
		var out []Piece
		for i, text := range []string{"Herons stand in shallow water.", "Owls hunt voles at night.", "", "Ducks 鴨 dabble."} {
			p := Piece{ID: first + int64(i)*3, Heading: "Birds > Water", Text: text}
			if i != 1 {
				p.Vector = []float32{.6, 0, float32(i) / 10, .8}
			}
			out = append(out, p)
		}
		return out
	}
	was := pieces(1)
	encoded := Encode("All birds", was)
	for _, first := range []int64{1, 77, 1 << 40} {
		want := pieces(first)
		for i := range want {
			want[i].ID = first + int64(i)
		}
		got, err := Renumber(encoded, first)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(Encode("All birds", want), got); d != "" {
			t.Error(d)
		}
		ids, err := PieceIDs(got)
		if err != nil || !slices.Equal(ids, []int64{first, first + 1, first + 2, first + 3}) {
			t.Error(ids, err)
		}
	}
	for cut := range encoded {
		if _, err := Renumber(encoded[:cut], 1); err == nil {
			t.Errorf("the first %d bytes are taken for a document", cut)
		}
	}
}
