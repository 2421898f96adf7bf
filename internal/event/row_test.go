package event

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
)

func TestWhatIsAppendedAtOnceSharesRowsAndIsReadFromAnyNumber(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, d)
		wanted := make([]Event, 0, 300)
		for _, n := range []int{1, 2, maxSize, maxSize + 1, 1, 2*maxSize + 3} {
			add(t, l, "s", e(len(wanted)+1, n, false))
			wanted = append(wanted, want(len(wanted)+1, n, false)...)
		}
		add(t, l, "other", e(1, 3, false))
		odd := []Event{
			{Name: `a "name"`, Data: json.RawMessage(`{"a" : [1, {"b":"[\",\"]"}]}`)},
			{Name: "empty"}, {Name: "", Data: json.RawMessage(`"ü\u0000"`), Last: true},
		}
		add(t, l, "s", odd)
		for i := range odd {
			odd[i].Seq = int64(len(wanted) + 1 + i)
		}
		odd[1].Data = json.RawMessage("null")
		wanted = append(wanted, odd...)
		if rows, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM event WHERE stream = 's'`); err != nil || rows != 1+1+1+2+1+3+1 {
			t.Errorf("%d rows, %v", rows, err)
		}
		for after := range int64(len(wanted)) {
			var got []Event
			for at := after; ; at = got[len(got)-1].Seq {
				more, err := History(t.Context(), d, "s", at)
				if err != nil {
					t.Fatal(err)
				}
				if len(more) == 0 {
					break
				}
				got = append(got, more...)
			}
			if diff := cmp.Diff(wanted[after:], got); diff != "" {
				t.Fatalf("after %d (-want +got):\n%s", after, diff)
			}
		}
		if seq, ended, err := l.LastSeq(t.Context(), "s"); seq != int64(len(wanted)) || !ended || err != nil {
			t.Errorf("the last is %d, ended %v, %v", seq, ended, err)
		}
	})
}

func TestARowThatIsNotWhatItSaysIsAnError(t *testing.T) {
	t.Parallel()
	for _, data := range []string{``, `[]`, `{"a":1}`, `["word",1]`, `["word",1,"word"]`, `[1,1,1,1]`} {
		if got, err := (row{Seq: 1, Size: 2, Data: json.RawMessage(data)}).unpack(nil, 0); err == nil {
			t.Errorf("%s gave %v", data, got)
		}
	}
}
