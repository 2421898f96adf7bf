package fake

import (
	"encoding/json"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"atrium/internal/llm"
)

// embeddings answers POST /v1/embeddings; the vectors are not normalized and
// come in reverse order, as a server is free to do.
func (s *server) embeddings(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
	if err != nil {
		return
	}
	var in struct {
		Model      string   `json:"model"`
		Input      []string `json:"input"`
		Dimensions int      `json:"dimensions"`
	}
	if json.Unmarshal(data, &in) != nil || in.Model == "" || len(in.Input) == 0 {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "model and input are required")
		return
	}
	if s.APIKey != "" && r.Header.Get("Authorization") != "Bearer "+s.APIKey {
		refuse(w, http.StatusUnauthorized, "authentication_error", "the key "+Secret+" is wrong")
		return
	}
	if s.refused(w, r, in.Model) {
		return
	}
	dims := s.Dimensions
	if in.Dimensions > 0 {
		dims = in.Dimensions
	}
	type item struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	out := make([]item, 0, len(in.Input))
	tokens := 0
	for i, text := range slices.Backward(in.Input) {
		if text == "" {
			refuse(w, http.StatusBadRequest, "invalid_request_error", "input must not be empty")
			return
		}
		v := Vector(text, dims)
		switch in.Model {
		case Ragged:
			v = v[:dims-i%2]
		case Null:
			clear(v)
		}
		tokens += llm.EstimateTokens(text)
		out = append(out, item{"embedding", i, v})
	}
	if in.Model == Short {
		out = out[1:]
	}
	if in.Model == Garbage {
		_, _ = io.WriteString(w, "not JSON "+Secret)
		return
	}
	writeJSON(w, http.StatusOK, object{"object": "list", "model": in.Model, "data": out, "usage": object{"prompt_tokens": tokens, "total_tokens": tokens}})
}

// Vector is the hashed bag of a text's words, in lower case: texts that share
// words are near each other. It is never all zeros for a text with a letter,
// digit or sign in it.
func Vector(text string, dims int) []float32 {
	v := make([]float32, dims)
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		words = []string{text}
	}
	for _, word := range words {
		h := fnv.New64a()
		_, _ = io.WriteString(h, word)
		v[h.Sum64()%uint64(dims)]++
	}
	return v
}
