package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// methods are those that operations are declared with.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// close keeps an address from being taken for another's parameter: where the
// path of one operation also fits the pattern of another (…/corpora/search and
// …/corpora/{corpus_id}), methods that are declared for the pattern alone are
// answered 405.
func (a *API) close() {
	for _, o := range a.ops {
		path := trimService(o.Path())
		for _, m := range methods {
			r, err := http.NewRequestWithContext(context.Background(), m, strings.NewReplacer("{", "", "}", "").Replace(path), nil)
			if err != nil {
				continue
			}
			_, pattern := a.mux.Handler(r)
			if _, other, _ := strings.Cut(pattern, " "); pattern != "" && other != path {
				a.mux.HandleFunc(m+" "+path, func(w http.ResponseWriter, r *http.Request) { a.unknown(r.Context(), w, r) })
				a.refused[m+" "+path] = true
			}
		}
	}
}

type object = map[string]any

// describe writes the description, with what the framework does not say by
// itself: that null stands for an optional field that is not sent, and that a
// path answers alike with and without a service prefix.
func (a *API) describe() ([]byte, error) {
	raw, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var spec object
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, err
	}
	n := nullable{spec: spec, seen: map[string]bool{}}
	paths := spec["paths"].(object)
	for _, item := range paths {
		for _, op := range item.(object) {
			if body, ok := op.(object)["requestBody"].(object); ok {
				if media, ok := body["content"].(object)["application/json"].(object); ok {
					n.visit(media["schema"])
				}
			}
		}
	}
	mirror(paths)
	b, err := json.MarshalIndent(spec, "", "  ")
	return append(b, '\n'), err
}

// mirror describes an operation under each path that is declared with and
// without a service prefix, because it answers there.
func mirror(paths object) {
	for path, item := range paths {
		bare := trimService(path)
		other, both := paths[bare].(object)
		if bare == path || !both {
			continue
		}
		copyMissing(item.(object), other)
		copyMissing(other, item.(object))
	}
}

func copyMissing(to, from object) {
	for method, op := range from {
		if _, there := to[method]; there {
			continue
		}
		c := object{}
		maps.Copy(c, op.(object))
		c["operationId"] = c["operationId"].(string) + "Too"
		c["summary"] = c["summary"].(string) + " (the same, at the other address)"
		to[method] = c
	}
}

// nullable lets null stand for whatever is optional in a request.
type nullable struct {
	spec object
	seen map[string]bool
}

func (n nullable) visit(v any) {
	s, ok := v.(object)
	if !ok {
		return
	}
	if ref, ok := s["$ref"].(string); ok {
		if name := ref[strings.LastIndexByte(ref, '/')+1:]; !n.seen[name] {
			n.seen[name] = true
			n.visit(n.spec["components"].(object)["schemas"].(object)[name])
		}
		return
	}
	required := map[string]bool{}
	if list, ok := s["required"].([]any); ok {
		for _, name := range list {
			required[name.(string)] = true
		}
	}
	if props, ok := s["properties"].(object); ok {
		for name, p := range props {
			n.visit(p)
			if !required[name] && p.(object)["format"] != "binary" {
				props[name] = orNull(p.(object))
			}
		}
	}
	n.visit(s["items"])
}

func orNull(s object) any {
	kind, plain := s["type"].(string)
	switch {
	case s["$ref"] != nil:
		return object{"anyOf": []any{s, object{"type": "null"}}}
	case s["anyOf"] != nil:
		s["anyOf"] = append(s["anyOf"].([]any), object{"type": "null"})
	case plain:
		s["type"] = []any{kind, "null"}
	}
	if list, ok := s["enum"].([]any); ok {
		for _, x := range list {
			if x == nil {
				return s
			}
		}
		s["enum"] = append(list, nil)
	}
	return s
}
