package wire

import (
	"encoding/json"
	"testing"
)

func chunkText(t *testing.T, data string) (string, bool) {
	t.Helper()
	var c struct {
		Delta struct{ Content Text }
	}
	err := json.Unmarshal([]byte(data), &c)
	return string(c.Delta.Content), err == nil
}

func TestAChunkLikeTheLastIsReadWithoutParsing(t *testing.T) {
	t.Parallel()
	s := Same{Key: "content"}
	s.Learn([]byte(`{"id":1,"delta":{"content": "a"},"x":null}`), "a")
	for data, want := range map[string]string{
		`{"id":1,"delta":{"content": " word"},"x":null}`: " word",
		`{"id":1,"delta":{"content": ""},"x":null}`:      "",
		`{"id":1,"delta":{"content": "日本"},"x":null}`:    "日本",
	} {
		if got, ok := s.Match([]byte(data)); !ok || got != want {
			t.Errorf("%s: %q, %v", data, got, ok)
		}
	}
	for _, data := range []string{
		`{"id":2,"delta":{"content": "a"},"x":null}`, `{"id":1,"delta":{"content": "a"},"x":1}`, `{"id":1,"delta":{"content": "\n"},"x":null}`,
		`{"id":1,"delta":{"content": "a"},"y":{"content": "b"},"x":null}`, `{"id":1,"delta":{"content": "},"x":null}`, ``, `{`,
	} {
		if got, ok := s.Match([]byte(data)); ok {
			t.Errorf("%s was read as %q", data, got)
		}
	}
}

func TestAmbiguousChunksAreNotRemembered(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"content":"a","delta":{"content":"a"}}`, `{"delta":{"content":["a"]}}`, `{"delta":{"content":"b"}}`, `{"delta":{"content"  :  "a"}}`, `[]`,
		`{"delta":{"content":"a","Content":"a"}}`, `{"delta":{"content":"a","c\u006fntent":"a"}}`,
	} {
		s := Same{Key: "content"}
		s.Learn([]byte(data), "a")
		if s.before != nil {
			t.Errorf("%s was remembered", data)
		}
	}
	s := Same{Key: "content"}
	s.Learn([]byte(`{"content":"a\b"}`), `a\b`)
	if s.before != nil {
		t.Error("an escape was remembered as it stands")
	}
}

// FuzzSame holds the short way to the long one.
func FuzzSame(f *testing.F) {
	f.Add(`{"delta":{"content":"a"}}`, `{"delta":{"content":"b"}}`)
	f.Add(`{"delta":{"content":"a"},"content":1}`, `{"delta":{"content":"b"},"content":1}`)
	f.Fuzz(func(t *testing.T, first, second string) {
		text, ok := chunkText(t, first)
		if !ok {
			return
		}
		s := Same{Key: "content"}
		s.Learn([]byte(first), text)
		got, matched := s.Match([]byte(second))
		if want, valid := chunkText(t, second); matched && (!valid || got != want) {
			t.Errorf("after %q, %q was read as %q, want %q", first, second, got, want)
		}
	})
}
