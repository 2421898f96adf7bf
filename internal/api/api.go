// Package api turns declarations into operations.
//
// An operation is one Op literal and one call of a verb:
//
//	api.Do(a, api.Op{ID: "getAgent", Route: "GET /api/v2/agents/{agent_id}", Title: "Get an Agent",
//		Group: "Agents", Needs: authz.To(authz.View, authz.Agent)},
//		func(ctx context.Context, in *byID) (Agent, error) { return s.Get(ctx, authz.From(ctx), in.ID) })
//
// Before the body is read, the gate finds the principal, decides on Needs and
// puts the authz.Scope into the context. Answers and failures leave in the one
// envelope of contract §3. Everything is described in /openapi.json, with the
// permission as x-permission. This is the only package that knows the HTTP
// framework.
package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"atrium/internal/authz"
)

// Op declares an operation.
type Op struct {
	ID      string // verbNoun, unique and stable
	Route   string // "POST /api/v2/agents"
	Title   string
	Group   string
	Doc     string // what it does, in a few sentences
	Needs   authz.Need
	Status  int      // 200 unless set
	Message string   // of the envelope; "OK" unless set
	Bare    bool     // answers the object without the envelope
	MaxBody int64    // bytes; 1 MiB unless set
	NoKey   bool     // needs a signed-in user, but never an API key beside it
	Sort    []string // of Many: the fields it can be ordered by; created_on unless set
	Feature string   // the flag that switches it off for an organization
}

// Method and Path are the two halves of the route.
func (o Op) Method() string { m, _, _ := strings.Cut(o.Route, " "); return m }

// Path is the route without its method.
func (o Op) Path() string { _, p, _ := strings.Cut(o.Route, " "); return p }

// Authenticator finds who sent a request. It answers nil and no error for a
// request that carries no credentials, and a *fail.Error for bad ones.
type Authenticator interface {
	Authenticate(r *http.Request, noKey bool) (*authz.Principal, error)
}

// Options configure an API.
type Options struct {
	Version   string
	PublicURL string
	Auth      Authenticator
	Log       *slog.Logger
	// Feature tells whether a flag is on in an organization; nil: all are.
	Feature func(ctx context.Context, orgID int64, name string) (bool, error)
	// Proxies are believed when they say whom they pass a request on for.
	Proxies []netip.Prefix
}

// API is the set of operations being served.
type API struct {
	huma huma.API
	mux  *http.ServeMux
	opts Options
	ops  []Op
	spec func() []byte // made when first asked for: most starts never are
	// refused are routes that only say which methods their address takes.
	refused map[string]bool
	load    load
}

// A type may describe itself by a method Schema(api.Registry) *api.Schema.
type (
	// Schema is the JSON schema of a type.
	Schema = huma.Schema
	// Registry knows the schemas that have names.
	Registry = huma.Registry
)

// servicePrefixes may stand before any path (contract §1).
var servicePrefixes = []string{"/auth-service", "/response-service", "/indexing-service"}

func trimService(path string) string {
	for _, p := range servicePrefixes {
		if rest, ok := strings.CutPrefix(path, p); ok && strings.HasPrefix(rest, "/") {
			return rest
		}
	}
	return path
}

// prefixless registers each route without its service prefix, because the
// server takes the prefix off every request.
type prefixless struct{ *http.ServeMux }

func (m prefixless) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	method, path, _ := strings.Cut(pattern, " ")
	m.ServeMux.HandleFunc(method+" "+trimService(path), h)
}

// The framework keeps these for the whole process.
func init() {
	huma.NewError = newError
	huma.DefaultArrayNullable = false
}

// New makes an API without operations.
func New(o Options) *API {
	reg := huma.NewMapRegistry("#/components/schemas/", schemaName)
	cfg := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Atrium",
				Version:     o.Version,
				Description: "Agents that answer from your organization's own documents, with citations.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{
				Schemas: reg,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", Description: "The platform token of sign-in, or a personal API key."},
					"apiKey": {Type: "apiKey", In: "header", Name: "Ocp-Apim-Subscription-Key", Description: "The calling application's key; sent beside a user's token."},
				},
			},
		},
		Formats: map[string]huma.Format{
			"application/json":                  jsonFormat,
			"json":                              jsonFormat,
			"application/x-www-form-urlencoded": formFormat,
		},
		DefaultFormat: "application/json",
	}
	cfg.AllowAdditionalPropertiesByDefault = true
	mux := http.NewServeMux()
	a := &API{mux: mux, opts: o, refused: map[string]bool{}}
	a.huma = humago.New(prefixless{mux}, cfg)
	return a
}

// Ops lists the operations in the order of their declaration.
func (a *API) Ops() []Op { return slices.Clone(a.ops) }

var idForm = regexp.MustCompile(`^[a-z][A-Za-z0-9]+$`)

// declare checks an Op and makes the framework's form of it.
func (a *API) declare(o Op, in reflect.Type) huma.Operation {
	visible(o, in)
	switch {
	case !idForm.MatchString(o.ID):
		panic("api: operation id is not verbNoun: " + o.ID)
	case o.Needs.IsZero():
		panic("api: operation " + o.ID + " declares no permission; a public one says authz.Public(why)")
	case o.Title == "" || o.Group == "":
		panic("api: operation " + o.ID + " has no title or group")
	case slices.ContainsFunc(a.ops, func(x Op) bool { return x.ID == o.ID || x.Route == o.Route }):
		panic("api: operation declared twice: " + o.ID + " " + o.Route)
	}
	if o.Status == 0 {
		o.Status = http.StatusOK
	}
	if o.Message == "" {
		o.Message = "OK"
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	a.ops = append(a.ops, o)
	doc := o.Doc
	if o.Needs.IsPublic() {
		doc = strings.TrimSpace(doc + "\n\nPublic: " + o.Needs.Why() + ".")
	} else {
		doc = strings.TrimSpace(doc + "\n\nNeeds the permission `" + o.Needs.String() + "`.")
	}
	if o.Feature != "" {
		doc += " Off when the feature flag `" + o.Feature + "` is."
	}
	h := huma.Operation{
		OperationID: o.ID, Method: o.Method(), Path: o.Path(), Summary: o.Title, Description: doc,
		Tags: []string{o.Group}, DefaultStatus: o.Status, MaxBodyBytes: o.MaxBody,
		BodyReadTimeout: 30 * time.Second,
		Extensions:      map[string]any{"x-permission": o.Needs.String()},
		Middlewares:     huma.Middlewares{a.gate(o)},
	}
	if !o.Needs.IsPublic() {
		h.Security = []map[string][]string{{"bearer": {}, "apiKey": {}}, {"bearer": {}}}
	}
	return h
}

// visible panics when an input embeds an unexported type, because the framework
// passes such fields over in silence: no value and no check.
func visible(o Op, t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() == "time" {
		return
	}
	for f := range t.Fields() {
		if f.Anonymous && !f.IsExported() {
			panic("api: the input of " + o.ID + " embeds the unexported type " + f.Name + "; export it")
		}
		if f.IsExported() {
			visible(o, f.Type)
		}
	}
}

// last gives the operation that declare made just now, with its defaults.
func (a *API) last() Op { return a.ops[len(a.ops)-1] }

// operation is the description of a declared operation.
func (a *API) operation(o Op) *huma.Operation {
	for _, x := range operations(a.huma.OpenAPI().Paths[o.Path()]) {
		if x.OperationID == o.ID {
			return x
		}
	}
	panic("api: not declared: " + o.ID)
}

// operations are those of a path that are there.
func operations(p *huma.PathItem) []*huma.Operation {
	var out []*huma.Operation
	for _, x := range []*huma.Operation{p.Get, p.Post, p.Put, p.Patch, p.Delete} {
		if x != nil {
			out = append(out, x)
		}
	}
	return out
}

// envelope is the success answer of contract §3.
type envelope[T any] struct {
	Success bool   `json:"success" doc:"Always true here."`
	Message string `json:"message" doc:"What was done, in words for people."`
	Data    T      `json:"data"`
}

type answer[T any] struct{ Body envelope[T] }
type bare[T any] struct{ Body T }

// Do declares an operation that answers one value.
func Do[In, Out any](a *API, o Op, run func(context.Context, *In) (Out, error)) {
	h := a.declare(o, reflect.TypeFor[In]())
	o = a.last()
	if o.Bare {
		huma.Register(a.huma, h, func(ctx context.Context, in *In) (*bare[Out], error) {
			tell(ctx, in)
			out, err := run(ctx, in)
			if err != nil {
				return nil, a.failure(ctx, err)
			}
			return &bare[Out]{out}, nil
		})
		return
	}
	huma.Register(a.huma, h, func(ctx context.Context, in *In) (*answer[Out], error) {
		tell(ctx, in)
		out, err := run(ctx, in)
		if err != nil {
			return nil, a.failure(ctx, err)
		}
		return &answer[Out]{envelope[Out]{true, o.Message, out}}, nil
	})
}

// Nothing is the data of an operation that has nothing to tell: null.
type Nothing struct{}

// MarshalJSON writes null.
func (Nothing) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// Schema describes null.
func (Nothing) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "null", Description: "Always null."}
}

// None declares an operation that answers no data.
func None[In any](a *API, o Op, run func(context.Context, *In) error) {
	Do(a, o, func(ctx context.Context, in *In) (Nothing, error) { return Nothing{}, run(ctx, in) })
}

// Pagination stands beside every list.
type Pagination struct {
	Page       int `json:"page" doc:"This page, from 1."`
	PageSize   int `json:"page_size" doc:"The most items a page holds."`
	Total      int `json:"total" doc:"Items on all pages."`
	TotalPages int `json:"total_pages" doc:"Pages there are."`
}

// paged is implemented by every input that embeds Paging.
type paged interface{ paging() *Paging }

type collection struct {
	name  string
	items any
	page  Pagination
}

func (c collection) MarshalJSON() ([]byte, error) {
	items, err := json.Marshal(c.items)
	if err != nil {
		return nil, err
	}
	page, err := json.Marshal(c.page)
	if err != nil {
		return nil, err
	}
	return []byte(`{"` + c.name + `":` + string(items) + `,"pagination":` + string(page) + `}`), nil
}

// Many declares an operation that answers a page of a collection:
// data: {"<name>": […], "pagination": {…}}. The input embeds Paging.
func Many[In, Item any](a *API, o Op, name string, run func(context.Context, *In) ([]Item, int, error)) {
	if _, ok := any(new(In)).(paged); !ok {
		panic("api: the input of " + o.ID + " does not embed api.Paging")
	}
	h := a.declare(o, reflect.TypeFor[In]())
	o = a.last()
	reg := a.huma.OpenAPI().Components.Schemas
	data := &huma.Schema{
		Type: "object", Required: []string{name, "pagination"},
		Properties: map[string]*huma.Schema{
			name:         {Type: "array", Items: reg.Schema(reflect.TypeFor[Item](), true, "")},
			"pagination": reg.Schema(reflect.TypeFor[Pagination](), true, ""),
		},
	}
	h.Responses = map[string]*huma.Response{strconv.Itoa(o.Status): described(envelopeSchema(data))}
	if len(o.Sort) == 0 {
		o.Sort = []string{"created_on"}
	}
	huma.Register(a.huma, h, func(ctx context.Context, in *In) (*answer[collection], error) {
		items, total, err := run(ctx, in)
		if err != nil {
			return nil, a.failure(ctx, err)
		}
		if items == nil {
			items = []Item{}
		}
		p := any(in).(paged).paging()
		return &answer[collection]{envelope[collection]{true, o.Message, collection{name, items, p.count(total)}}}, nil
	})
	sortable(a.operation(o), o.Sort)
}

func envelopeSchema(data *huma.Schema) *huma.Schema {
	return &huma.Schema{
		Type: "object", Required: []string{"success", "message", "data"},
		Properties: map[string]*huma.Schema{
			"success": {Type: "boolean"}, "message": {Type: "string"}, "data": data,
		},
	}
}

func described(s *huma.Schema) *huma.Response {
	return &huma.Response{Description: "Success", Content: map[string]*huma.MediaType{"application/json": {Schema: s}}}
}

// schemaName names a type's schema by package and type, arguments included, so
// that equal names of two packages do not clash.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Name() == "" {
		return upper(hint)
	}
	pkg := t.PkgPath()
	return typeName(pkg[strings.LastIndexByte(pkg, '/')+1:], t.Name())
}

var argument = regexp.MustCompile(`[\w./]*?([\w]+)\.([\w]+)`)

func typeName(pkg, name string) string {
	base, args, generic := strings.Cut(name, "[")
	out := upper(base)
	if pkg != "api" && !strings.EqualFold(pkg, base) && !strings.HasPrefix(strings.ToLower(base), pkg) {
		out = upper(pkg) + out
	}
	if !generic {
		return out
	}
	args = argument.ReplaceAllStringFunc(strings.TrimSuffix(args, "]"), func(s string) string {
		m := argument.FindStringSubmatch(s)
		return typeName(m[1], m[2])
	})
	for _, part := range strings.FieldsFunc(args, func(r rune) bool { return strings.ContainsRune("[]*,·{} ", r) }) {
		out += upper(part)
	}
	return out
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Seal ends the declaring: call it once, after every operation is mounted and
// before the first is served.
func (a *API) Seal() {
	a.bound()
	a.close()
	a.spec = sync.OnceValue(func() []byte {
		b, err := a.describe()
		if err != nil {
			panic("api: describe the operations: " + err.Error()) // plain structs
		}
		return b
	})
}

// OpenAPI is the description of all operations as JSON, once they are sealed.
func (a *API) OpenAPI() []byte { return a.spec() }
