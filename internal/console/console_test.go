package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func build(t *testing.T) *handler {
	t.Helper()
	h, err := newHandler(fstest.MapFS{
		"placeholder.html":       {Data: []byte("run make build")},
		"index.html":             {Data: []byte("<title>app</title>")},
		"theme.js":               {Data: []byte("1")},
		"assets/main-ab12.js.gz": {Data: zip(t, "console.log(1)")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestServing(t *testing.T) {
	t.Parallel()
	page := map[string]string{"Accept": "text/html,*/*"}
	packed := map[string]string{"Accept-Encoding": "br, gzip"}
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		status             int
		body, cache        string
	}{
		{"the root is the app", "GET", "/", page, 200, "<title>app</title>", "no-cache"},
		{"a view's address is the app", "GET", "/chat/3/9", page, 200, "<title>app</title>", "no-cache"},
		{"an address with a dot is still a view", "GET", "/agents/a.b", page, 200, "<title>app</title>", "no-cache"},
		{"a program that asks for no page gets 404", "GET", "/chat", nil, 404, "not found\n", ""},
		{"a missing asset is never the page", "GET", "/assets/gone.js", page, 404, "not found\n", ""},
		{"a folder is no file", "GET", "/assets", nil, 404, "not found\n", ""},
		{"the placeholder is not served beside a build", "GET", "/placeholder.html", nil, 404, "not found\n", ""},
		{"dots do not climb", "GET", "/../../console.go", nil, 404, "not found\n", ""},
		{"an unhashed file is checked each time", "GET", "/theme.js", nil, 200, "1", "no-cache"},
		{"a hashed file is kept for good", "GET", "/assets/main-ab12.js", nil, 200, "console.log(1)", "public, max-age=31536000, immutable"},
		{"a hashed file travels compressed", "GET", "/assets/main-ab12.js", packed, 200, string(zip(t, "console.log(1)")), "public, max-age=31536000, immutable"},
		{"gzip may be refused", "GET", "/assets/main-ab12.js", map[string]string{"Accept-Encoding": "gzip; q=0"}, 200, "console.log(1)", "public, max-age=31536000, immutable"},
		{"nothing can be posted", "POST", "/", page, 405, "method not allowed\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, c.path, nil)
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			build(t).ServeHTTP(w, r)
			if w.Code != c.status || w.Body.String() != c.body {
				t.Fatalf("got %d %q, want %d %q", w.Code, w.Body, c.status, c.body)
			}
			if got := w.Header().Get("Cache-Control"); got != c.cache {
				t.Errorf("Cache-Control is %q, want %q", got, c.cache)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("the protecting headers are missing: %v", w.Header())
			}
		})
	}
}

func TestTheTwoFormsOfAFileHaveTheirOwnTags(t *testing.T) {
	t.Parallel()
	h := build(t)
	tags := map[string]bool{}
	for _, encoding := range []string{"gzip", "identity"} {
		r := httptest.NewRequest("GET", "/assets/main-ab12.js", nil)
		r.Header.Set("Accept-Encoding", encoding)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		tags[w.Header().Get("ETag")] = true

		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusNotModified {
			t.Errorf("%s: the same tag again answers %d, want 304", encoding, w.Code)
		}
	}
	if len(tags) != 2 {
		t.Errorf("tags are %v, want two", tags)
	}
}

func TestACheckoutThatWasNeverBuiltSaysHow(t *testing.T) {
	t.Parallel()
	h, err := newHandler(fstest.MapFS{"placeholder.html": {Data: []byte("run make build")}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/chat", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "run make build" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestAnEmptyBuildIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := newHandler(fstest.MapFS{}); err == nil {
		t.Error("a build without a page was accepted")
	}
}

func TestTheEmbeddedBuildIsWhole(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Atrium") {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}
