package wire

import (
	"bytes"
	"encoding/json"
	"strings"

	"atrium/internal/fail"
)

// Text is a string that servers also write as null, as an object (kept as its
// JSON), or as a list of parts with text in them.
type Text string

// UnmarshalJSON takes the short way for a string without escapes, which is
// nearly every streamed token.
func (t *Text) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) >= 2 && b[0] == '"':
		inner := b[1 : len(b)-1]
		if bytes.IndexByte(inner, '\\') < 0 {
			*t = Text(strings.ToValidUTF8(string(inner), "\ufffd"))
			return nil
		}
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = Text(s)
	case string(b) == "null":
		*t = ""
	case len(b) > 0 && b[0] == '[':
		var parts []struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(b, &parts); err != nil {
			return err
		}
		var s strings.Builder
		for _, p := range parts {
			s.WriteString(p.Text)
		}
		*t = Text(s.String())
	default:
		*t = Text(b)
	}
	return nil
}

// Arguments checks what a model wants to give to a tool: a JSON object, where
// nothing stands for an empty one.
func Arguments(tool, text string) (json.RawMessage, error) {
	if strings.TrimSpace(text) == "" {
		return json.RawMessage("{}"), nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
		return nil, fail.Provider("the model asked for the tool %q in a form that cannot be read; try again", clip(tool)).Because(err)
	}
	return json.RawMessage(text), nil
}

// clip keeps a name from the model short enough for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 64 {
		return string(r[:64]) + "…"
	}
	return s
}
