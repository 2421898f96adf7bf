// Package console serves the web console that is built from web/ and embedded
// in the binary.
//
// The build writes into dist: index.html, hashed files under assets, and for
// everything worth compressing only the gzip form (name.gz), so that the binary
// carries each byte once. A checkout that was never built has placeholder.html
// alone, and then every page says how to build.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// policy lets the pages load nothing from elsewhere. Inline styles are for the
// positions that menus and dialogs compute.
const policy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// file is one embedded file, ready to send.
type file struct {
	kind   string // media type
	etag   string
	gzip   []byte // nil when it is stored plain
	plain  []byte // nil when it is stored as gzip only
	pinned bool   // the name holds a hash of the content
}

type handler struct {
	files map[string]file // by slash path below dist, without .gz
	index file
}

// Handler serves the console. A path that is a file of the build answers that
// file; any other GET that asks for HTML answers the application's page, which
// shows the view the address names; the rest is 404. It panics when the
// embedded build cannot be read, which only a broken binary can cause.
func Handler() http.Handler {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err)
	}
	h, err := newHandler(sub)
	if err != nil {
		panic(err)
	}
	return h
}

func newHandler(build fs.FS) (*handler, error) {
	h := &handler{files: map[string]file{}}
	err := fs.WalkDir(build, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(build, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		f := file{etag: `"` + hex.EncodeToString(sum[:12]) + `"`, plain: b}
		if bare, ok := strings.CutSuffix(name, ".gz"); ok {
			name, f.gzip, f.plain = bare, b, nil
		}
		f.kind = mediaType(name)
		f.pinned = strings.HasPrefix(name, "assets/")
		h.files[name] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded console: %w", err)
	}
	var ok bool
	if h.index, ok = h.files["index.html"]; !ok {
		if h.index, ok = h.files["placeholder.html"]; !ok {
			return nil, fmt.Errorf("read the embedded console: neither index.html nor placeholder.html is there")
		}
	}
	delete(h.files, "placeholder.html")
	return h, nil
}

// mediaType does not trust the machine's own table, which may lack or bend types.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if f, ok := h.files[name]; ok {
		send(w, r, f)
		return
	}
	// A missing script must not answer a page: the browser would run it as text.
	if strings.HasPrefix(name, "assets/") || !wantsPage(r) {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	send(w, r, h.index)
}

// wantsPage tells a person's navigation from a program's request.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) == "gzip" {
			return strings.ReplaceAll(q, " ", "") != "q=0"
		}
	}
	return false
}

func send(w http.ResponseWriter, r *http.Request, f file) {
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("ETag", f.etag)
	if f.pinned {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		head.Set("Cache-Control", "no-cache")
	}
	body := f.plain
	if f.gzip != nil {
		head.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			head.Set("Content-Encoding", "gzip")
			body = f.gzip
		} else {
			plain, err := gunzip(f.gzip)
			if err != nil {
				http.Error(w, "the embedded console is damaged; build the binary again", http.StatusInternalServerError)
				return
			}
			body = plain
			// The plain form is another representation: it needs its own tag.
			head.Set("ETag", strings.TrimSuffix(f.etag, `"`)+`-p"`)
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
