package wire

import (
	"bytes"
	"strings"
)

// Same spares decoding: the chunks of an answer mostly differ in one string and
// nothing else. Once one was decoded, its bytes before and after that string are
// remembered, and a chunk with the same bytes around another string is read
// without parsing. The zero value, with Key set, is ready.
type Same struct {
	Key           string // of the string, such as content
	before, after []byte
	tries         int
}

// maxLearn bounds the work for servers whose chunks always differ elsewhere.
const maxLearn = 16

// Match gives the string when data is like the remembered chunk.
func (s *Same) Match(data []byte) (string, bool) {
	if len(s.before) == 0 || len(data) < len(s.before)+len(s.after) || !bytes.HasPrefix(data, s.before) || !bytes.HasSuffix(data, s.after) {
		return "", false
	}
	text := data[len(s.before) : len(data)-len(s.after)]
	if !plain(text) {
		return "", false
	}
	return strings.ToValidUTF8(string(text), "\ufffd"), true
}

// Learn remembers a chunk that was decoded to nothing but text under Key.
func (s *Same) Learn(data []byte, text string) {
	if s.tries >= maxLearn || text == "" {
		return
	}
	s.tries++
	key := []byte(`"` + s.Key + `"`)
	at := bytes.Index(data, key)
	// A second key of that name, in any case or spelled with escapes, may be the
	// one that was decoded. Without escapes no string can look like a key.
	if at < 0 || bytes.IndexByte(data, '\\') >= 0 || bytes.Count(bytes.ToLower(data), key) > 1 {
		return
	}
	start := at + len(key)
	quoted := []byte(`:"` + text + `"`)
	if !bytes.HasPrefix(data[start:], quoted) {
		quoted = []byte(`: "` + text + `"`)
		if !bytes.HasPrefix(data[start:], quoted) {
			return
		}
	}
	if !plain([]byte(text)) {
		return
	}
	end := start + len(quoted) - 1
	s.before = append(s.before[:0], data[:end-len(text)]...)
	s.after = append(s.after[:0], data[end:]...)
}

// plain tells whether bytes are the inside of a JSON string as they are.
func plain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
