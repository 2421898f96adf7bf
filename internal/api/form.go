package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// formFormat reads url-encoded bodies as a flat object of strings.
var formFormat = huma.Format{
	Marshal: func(io.Writer, any) error { return errors.New("answers are never url-encoded") },
	Unmarshal: func(data []byte, v any) error {
		values, err := url.ParseQuery(string(data))
		if err != nil {
			return fmt.Errorf("the body is not url-encoded: %w", err)
		}
		flat := make(map[string]any, len(values))
		for k, vs := range values {
			if len(vs) > 0 {
				flat[k] = vs[0]
			}
		}
		if p, ok := v.(*any); ok {
			*p = flat
			return nil
		}
		b, err := json.Marshal(flat)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, v)
	},
}

// jsonFormat reads JSON as its schema does: 7.0 is an integer too.
var jsonFormat = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		err := json.Unmarshal(data, v)
		var wrong *json.UnmarshalTypeError
		if !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Value, "number") {
			return err
		}
		var plain any
		if json.Unmarshal(data, &plain) != nil {
			return err
		}
		again, err2 := json.Marshal(plain) // writes whole numbers without a fraction
		if err2 != nil || json.Unmarshal(again, v) != nil {
			return err
		}
		return nil
	},
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("api: cannot encode an answer: " + err.Error())
	}
	return b
}
