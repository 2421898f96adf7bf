package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"atrium/internal/fail"
)

// File is a part of a form that carries a file; it is read once, in order.
type File struct {
	Field     string
	Name      string // base name only
	MediaType string // as the client claims
	Body      io.Reader
}

// Form is a request body of named values and files: multipart, url-encoded, or
// a flat JSON object.
type Form struct {
	Values map[string]string
	parts  *multipart.Reader
}

const (
	maxFormValue  = 16 << 20 // a pasted text
	maxFormFields = 100
	uploadTimeout = 30 * time.Minute
)

// fieldForm is what the name of a field may look like.
var fieldForm = regexp.MustCompile(`^[A-Za-z0-9_.\[\]-]{1,100}$`)

// Each reads the form to its end: values are kept in Values, and every file is
// given to take as it arrives. What take has not read is skipped.
func (f *Form) Each(take func(File) error) error {
	if f.parts == nil {
		return nil
	}
	for n := 0; ; n++ {
		p, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return badForm(err)
		}
		if !fieldForm.MatchString(p.FormName()) {
			return fail.Invalid("a field of the form is called %q; names are letters, digits and any of _ . - [ ]", p.FormName())
		}
		if n >= maxFormFields {
			return fail.TooLarge("the form has more than %d fields; send fewer", maxFormFields)
		}
		if p.FileName() != "" {
			err := take(File{Field: p.FormName(), Name: baseName(p.FileName()), MediaType: p.Header.Get("Content-Type"), Body: formReader{p}})
			if err != nil {
				return err
			}
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p, maxFormValue+1))
		if err != nil {
			return badForm(err)
		}
		if len(b) > maxFormValue {
			return fail.TooLarge("the field %s is larger than %d MiB; send it as a file", p.FormName(), maxFormValue>>20)
		}
		if bytes.IndexByte(b, 0) >= 0 {
			return fail.InvalidField(p.FormName(), "%s: expected text without the character NUL", p.FormName())
		}
		f.Values[p.FormName()] = string(b)
	}
}

// formReader marks errors of the connection as the caller's, not ours.
type formReader struct{ r io.Reader }

func (f formReader) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = badForm(err)
	}
	return n, err
}

func badForm(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fail.TooLarge("the upload is larger than %d MiB; split the file", tooLarge.Limit>>20).Because(err)
	}
	return fail.Invalid("the form broke off or is not well formed; send it again").Because(err)
}

// baseName takes the folders off a file name, whatever system wrote it.
func baseName(s string) string {
	s = path.Base(strings.ReplaceAll(s, `\`, "/"))
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if s == "." || s == "/" || s == "" {
		return "file"
	}
	return s
}

// Upload declares an operation that takes a form whose fields are described by
// Fields (struct fields with `form:"name"`; of type []byte for a file).
func Upload[In, Fields, Out any](a *API, o Op, run func(context.Context, *In, *Form) (Out, error)) {
	h := a.declare(o, reflect.TypeFor[In]())
	o = a.last()
	schema := formSchema(reflect.TypeFor[Fields](), a.huma.OpenAPI().Components.Schemas)
	h.MaxBodyBytes = -1
	out := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[envelope[Out]](), true, "")
	h.Responses = map[string]*huma.Response{strconv.Itoa(o.Status): described(out)}
	huma.Register(a.huma, h, func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			r, w := humago.Unwrap(hc)
			out, err := func() (Out, error) {
				form, err := openForm(r, w, o.MaxBody)
				if err != nil {
					var none Out
					return none, err
				}
				return run(ctx, in, form)
			}()
			if err != nil {
				a.writeFailure(ctx, w, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(o.Status)
			_, _ = w.Write(mustJSON(envelope[Out]{true, o.Message, out}))
		}}, nil
	})
	// Described only now: a body that is described beforehand is read and
	// decoded by the framework.
	a.operation(o).RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: schema}}}
}

func openForm(r *http.Request, w http.ResponseWriter, limit int64) (*Form, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTimeout))
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, fail.Unsupported("send a multipart/form-data body")
	}
	f := &Form{Values: map[string]string{}}
	switch kind {
	case "multipart/form-data":
		if params["boundary"] == "" {
			return nil, fail.Invalid("the multipart body names no boundary; let the client library set Content-Type")
		}
		f.parts = multipart.NewReader(r.Body, params["boundary"])
		return f, nil
	case "application/x-www-form-urlencoded", "application/json":
		b, err := io.ReadAll(io.LimitReader(r.Body, maxFormValue+1))
		if err != nil {
			return nil, badForm(err)
		}
		if len(b) > maxFormValue {
			return nil, fail.TooLarge("the body is larger than %d MiB; send a file as multipart/form-data", maxFormValue>>20)
		}
		if kind == "application/json" {
			return f, flatten(b, f.Values)
		}
		values, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, badForm(err)
		}
		for k := range values {
			f.Values[k] = values.Get(k)
		}
		return f, nil
	}
	return nil, fail.Unsupported("send a multipart/form-data body, not %s", kind)
}

func flatten(b []byte, into map[string]string) error {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return fail.Invalid("the body is not a JSON object; send multipart/form-data or one flat object").Because(err)
	}
	for k, v := range m {
		switch x := v.(type) {
		case nil:
		case string:
			into[k] = x
		case bool, float64:
			into[k] = string(mustJSON(x))
		default:
			return fail.InvalidField(k, "%s: expected a string, number or boolean", k)
		}
	}
	return nil
}

func formSchema(t reflect.Type, reg huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{}, Extensions: map[string]any{"propertyNames": map[string]any{"pattern": fieldForm.String()}}}
	for f := range t.Fields() {
		name := f.Tag.Get("form")
		if f.Type == reflect.TypeFor[[]byte]() {
			s.Properties[name] = &huma.Schema{Type: "string", Format: "binary", MinLength: new(1), Description: f.Tag.Get("doc")}
		} else {
			s.Properties[name] = huma.SchemaFromField(reg, f, "")
		}
		if f.Tag.Get("required") == "true" {
			s.Required = append(s.Required, name)
		}
	}
	return s
}

func disposition(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": baseName(name)})
}
