package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"atrium/internal/api"
	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

// sent is a valid request of an operation beside its path, made of its
// description, and the places in it where ids stand.
type sent struct {
	contentType string
	bytes       []byte
	value       map[string]any
	params      url.Values
	inBody      []spot
	inQuery     []spot
}

// spot is a field that holds ids.
type spot struct {
	path []string
	kind string
	many bool
}

func (b sent) query(extra string) string {
	q := b.params.Encode()
	if extra != "" {
		q = strings.Trim(q+"&"+extra, "&")
	}
	if q == "" {
		return ""
	}
	return "?" + q
}

// idKind is what a field or parameter of this name holds.
func (m *matrix) idKind(name string) (kind string, many bool) {
	switch name {
	case "llm_config_id":
		return "llm_configuration_id", false
	case "project":
		return "project_id", false
	}
	if m.places[name] != nil && strings.HasSuffix(name, "_id") {
		return name, false
	}
	if one, ok := strings.CutSuffix(name, "s"); ok && strings.HasSuffix(one, "_id") && m.places[one] != nil {
		return one, true
	}
	return "", false
}

func dig(v any, path ...string) any {
	for _, p := range path {
		x, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = x[p]
	}
	return v
}

func (m *matrix) resolve(s map[string]any) map[string]any {
	if ref, ok := s["$ref"].(string); ok {
		r, _ := dig(m.spec, "components", "schemas", ref[strings.LastIndexByte(ref, '/')+1:]).(map[string]any)
		return m.resolve(r)
	}
	for _, x := range []string{"anyOf", "oneOf"} {
		if list, ok := s[x].([]any); ok && len(list) > 0 {
			first, _ := list[0].(map[string]any)
			return m.resolve(first)
		}
	}
	return s
}

// bodyOf makes the least valid body and the needed query of an operation, with
// the ids of an organization.
func (m *matrix) bodyOf(o api.Op, org int64) sent {
	out := sent{params: url.Values{}}
	op, _ := dig(m.spec, "paths", o.Path(), strings.ToLower(o.Method())).(map[string]any)
	params, _ := op["parameters"].([]any)
	for _, x := range params {
		p, _ := x.(map[string]any)
		name, _ := p["name"].(string)
		if p["in"] != "query" {
			continue
		}
		schema, _ := p["schema"].(map[string]any)
		if kind, many := m.idKind(name); kind != "" {
			out.inQuery = append(out.inQuery, spot{[]string{name}, kind, many})
		}
		if p["required"] == true {
			v := m.example(name, schema, org, 0)
			if list, ok := v.([]any); ok && len(list) == 1 {
				v = list[0]
			}
			out.params.Set(name, fmt.Sprint(v))
		}
	}
	content, _ := dig(op, "requestBody", "content").(map[string]any)
	for _, ct := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data"} {
		media, ok := content[ct].(map[string]any)
		if !ok {
			continue
		}
		schema, _ := media["schema"].(map[string]any)
		out.contentType = ct
		if schema == nil {
			break
		}
		value, _ := m.example("", schema, org, 0).(map[string]any)
		if given, ok := bodies[o.ID]; ok {
			value = map[string]any{}
			if err := json.Unmarshal([]byte(m.filled(given, org)), &value); err != nil {
				m.t.Fatalf("the body of %s: %v", o.ID, err)
			}
		}
		out.value = value
		m.spots(schema, nil, &out.inBody, 0)
		switch ct {
		case "application/json":
			out.bytes, _ = json.Marshal(value)
		case "application/x-www-form-urlencoded":
			form := url.Values{}
			for k, v := range value {
				form.Set(k, fmt.Sprint(v))
			}
			out.bytes = []byte(form.Encode())
		default:
			out.contentType, out.bytes = m.form(schema)
		}
		break
	}
	return out
}

// form is a multipart body with a small picture for each file.
func (m *matrix) form(schema map[string]any) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	s := m.resolve(schema)
	props, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		p := m.resolve(props[name].(map[string]any))
		switch {
		case p["format"] == "binary" && name == "source":
			part, _ := w.CreateFormFile(name, "x.md")
			_, _ = part.Write([]byte("some text"))
		case p["format"] == "binary" && name == "bundle":
			part, _ := w.CreateFormFile(name, "x.atrium")
			_, _ = part.Write(m.bundle)
		case p["format"] == "binary":
			part, _ := w.CreateFormFile(name, "x.png")
			_, _ = part.Write(picture())
		case name == "content_type":
			_ = w.WriteField(name, "file")
		}
	}
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

// picture is a PNG of one pixel.
func picture() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)))
	return b.Bytes()
}

// of is the first thing of an organization.
func (p *place) of(org int64) thing {
	return p.things[slices.IndexFunc(p.things, func(x thing) bool { return x.org == org })]
}

// filled puts the ids of an organization in the place of {kind}.
func (m *matrix) filled(s string, org int64) string {
	for kind, p := range m.places {
		s = strings.ReplaceAll(s, "{"+kind+"}", p.of(org).id)
	}
	return s
}

// example is a valid value of a schema.
func (m *matrix) example(name string, s map[string]any, org int64, depth int) any {
	s = m.resolve(s)
	if depth > 6 {
		return nil
	}
	if kind, many := m.idKind(name); kind != "" {
		var id any = json.Number(m.places[kind].of(org).id)
		if many {
			return []any{id}
		}
		return id
	}
	if list, ok := s["enum"].([]any); ok && len(list) > 0 {
		return list[0]
	}
	if name == "address" {
		return "https://pages.example/"
	}
	kind := s["type"]
	if list, ok := kind.([]any); ok {
		kind = list[0]
	}
	switch kind {
	case "object":
		out := map[string]any{}
		required, _ := s["required"].([]any)
		props, _ := s["properties"].(map[string]any)
		for _, r := range required {
			p, _ := props[r.(string)].(map[string]any)
			out[r.(string)] = m.example(r.(string), p, org, depth+1)
		}
		return out
	case "array":
		items, _ := s["items"].(map[string]any)
		if n, _ := s["minItems"].(float64); n == 0 {
			return []any{}
		}
		return []any{m.example(strings.TrimSuffix(name, "s"), items, org, depth+1)}
	case "integer", "number":
		if n, ok := s["minimum"].(float64); ok && n > 0 {
			return n
		}
		return 1
	case "boolean":
		return true
	case "string":
		switch {
		case s["format"] == "date-time":
			return "2099-01-01T00:00:00Z"
		case name == "user_email":
			return "eve@home.example"
		case strings.Contains(name, "email") || name == "username":
			return "somebody@home.example"
		case strings.Contains(name, "password"):
			return servertest.AdminPassword
		case name == "permission":
			return "agent:view"
		}
		if n, ok := s["minLength"].(float64); ok && n > 1 {
			return strings.Repeat("x", int(n))
		}
		return "x"
	}
	return nil
}

// spots finds the fields of a schema that hold ids.
func (m *matrix) spots(s map[string]any, path []string, out *[]spot, depth int) {
	s = m.resolve(s)
	if depth > 2 {
		return
	}
	props, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		p, _ := props[name].(map[string]any)
		at := append(slices.Clone(path), name)
		if kind, many := m.idKind(name); kind != "" {
			*out = append(*out, spot{at, kind, many})
			continue
		}
		if r := m.resolve(p); r["properties"] != nil {
			m.spots(p, at, out, depth+1)
		}
	}
}

// with is the body with a value in one place.
func with(v map[string]any, path []string, x any) map[string]any {
	out := maps.Clone(v)
	if out == nil {
		out = map[string]any{}
	}
	if len(path) == 1 {
		out[path[0]] = x
		return out
	}
	inner, _ := out[path[0]].(map[string]any)
	out[path[0]] = with(inner, path[1:], x)
	return out
}

// inside tries ids in the body and the query: a foreign one is answered like an
// unknown one, and nothing that would be stored ties two organizations.
func (m *matrix) inside(t *testing.T, o api.Op, s subject, b sent) {
	t.Helper()
	target := m.targets(o)[0].target
	for _, x := range b.inBody {
		if b.contentType != "application/json" {
			continue
		}
		m.alike(t, o, s, "the field "+strings.Join(x.path, "."), x, func(id any) cell {
			body, _ := json.Marshal(with(b.value, x.path, id))
			return m.ask(s, o, target+b.query(""), b.contentType, body, m.untied)
		})
	}
	for _, x := range b.inQuery {
		m.alike(t, o, s, "the parameter "+x.path[0], x, func(id any) cell {
			if list, ok := id.([]any); ok {
				id = list[0]
			}
			b := b
			b.params = maps.Clone(b.params)
			b.params.Set(x.path[0], fmt.Sprint(id))
			return m.ask(s, o, target+b.query(""), b.contentType, b.bytes, m.untied)
		})
	}
}

func (m *matrix) alike(t *testing.T, o api.Op, s subject, where string, x spot, ask func(any) cell) {
	t.Helper()
	var foreign []cell
	var unknown cell
	for _, v := range m.places[x.kind].things {
		if v.org == s.p.org && asks[o.ID] {
			continue
		}
		var id any = json.Number(v.id)
		if x.many {
			id = []any{id}
		}
		c := ask(id)
		c.body = neutral(c.body, v.id)
		if asks[o.ID] && c.status == http.StatusOK {
			c.body = "" // the answers have ids of their own
		}
		switch v.org {
		case 0:
			unknown = c
		case s.p.org:
		default:
			foreign = append(foreign, c)
		}
	}
	for _, c := range foreign {
		if c != unknown {
			t.Errorf("%s by %s: %s: a foreign and an unknown id are answered otherwise:\n%d committed=%v %s\n%d committed=%v %s", o.ID, s.name, where,
				c.status, c.committed, c.body, unknown.status, unknown.committed, unknown.body)
		}
	}
}

// ties are the columns that name rows of other tables.
var ties = map[string]string{
	"user_id": "users", "owner_id": "users", "author_id": "users", "team_id": "team", "project_id": "project", "agent_id": "agent", "corpus_id": "corpus",
	"document_id": "document", "thread_id": "chat_thread", "response_id": "agent_response", "set_id": "permission_set", "notification_id": "notification",
	"llm_configuration_id": "llm_configuration",
}

// tied are the columns of each table that tie it to another.
func (m *matrix) tied() []string {
	m.once.Do(func() {
		d := m.h.Server.DB()
		columns, err := db.All[string](m.t.Context(), d, d.Pick(
			`SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`,
			`SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema()`))
		if err != nil {
			m.t.Error(err)
		}
		for _, x := range columns {
			table, column, _ := strings.Cut(x, ".")
			if to := ties[column]; to != "" && slices.Contains(columns, table+".org_id") && table != "audit_event" && !strings.HasPrefix(table, "job") && table != "event" {
				m.tieChecks = append(m.tieChecks, `SELECT COUNT(*) FROM `+table+` a JOIN `+to+` b ON b.id = a.`+column+` WHERE a.org_id <> b.org_id`)
			}
		}
	})
	return m.tieChecks
}

// untied looks before a commit for rows that tie two organizations.
func (m *matrix) untied(ctx context.Context, tx *db.Tx) error {
	for _, check := range m.tied() {
		n, err := db.One[int64](ctx, tx, check)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: %s", errTied, check)
		}
	}
	return nil
}
