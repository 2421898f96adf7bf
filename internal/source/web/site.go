package web

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"atrium/internal/fail"
	"atrium/internal/source"
)

// Site is a web site within limits: the pages of one host that a page links,
// directly or over others. Its keys are addresses.
type Site struct {
	Address  string // of the page to start at
	MaxDepth int    // links from the start
	Filter   Filter
	web      *Web
}

// Site makes a source of a site.
func (w *Web) Site(address string, maxDepth int, f Filter) *Site {
	return &Site{Address: address, MaxDepth: maxDepth, Filter: f, web: w}
}

// Start names the first page.
func (s *Site) Start(context.Context) ([]source.Item, error) {
	u := parse(s.Address)
	if u == nil {
		return nil, fail.Invalid("the address %q cannot be fetched; it starts with http:// or https://", s.Address)
	}
	return []source.Item{{Key: u.String()}}, nil
}

// Visit gets a page and the links it leads to.
func (s *Site) Visit(ctx context.Context, it source.Item, was source.Mark) (source.Visit, error) {
	v, links, err := s.web.page(ctx, it, was)
	if err != nil {
		return v, err
	}
	start := parse(s.Address)
	if it.Depth < s.MaxDepth {
		for _, u := range links {
			if site(u) == site(start) && s.Filter.takes(u) && !dull(u) {
				v.Leads = append(v.Leads, source.Item{Key: u.String(), Depth: it.Depth + 1})
			}
		}
	}
	if u := parse(it.Key); v.Outcome == source.Fetched && !s.Filter.takes(u) {
		_ = v.Content.Body.Close()
		v.Outcome, v.Reason, v.Content = source.Skipped, "it is outside of the paths that were chosen", source.Content{}
	}
	return v, nil
}

// dull tells whether an address names what has no text.
func dull(u *url.URL) bool {
	switch strings.ToLower(path.Ext(u.Path)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".svg", ".bmp", ".tif", ".tiff",
		".css", ".js", ".mjs", ".map", ".woff", ".woff2", ".ttf", ".otf", ".eot",
		".mp3", ".mp4", ".m4a", ".m4v", ".mov", ".avi", ".webm", ".ogg", ".wav", ".flac",
		".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".exe", ".msi", ".dmg", ".iso", ".deb", ".rpm", ".apk", ".jar", ".bin":
		return true
	}
	return false
}

// page visits one address: its content, and the links that may be followed.
func (w *Web) page(ctx context.Context, it source.Item, was source.Mark) (source.Visit, []*url.URL, error) {
	u := parse(it.Key)
	if u == nil {
		return source.Visit{Outcome: source.Gone, Reason: "it is no address that can be fetched"}, nil, nil
	}
	h, r, err := w.knock(ctx, u)
	if err != nil {
		return source.Visit{}, nil, err
	}
	if !r.allows(u) {
		return skipped("robots.txt does not allow it"), nil, nil
	}
	res, err := w.get(ctx, h, u, conditions(was))
	if err != nil {
		return source.Visit{}, nil, err
	}
	handed := false
	defer func() {
		if !handed {
			_ = res.Body.Close()
		}
	}()
	v := source.Visit{Mark: source.Mark{ETag: res.Header.Get("ETag"), LastModified: res.Header.Get("Last-Modified"), Listed: it.Listed}}
	switch res.StatusCode {
	case http.StatusNotModified:
		v.Outcome, v.Mark = source.Unchanged, was
		v.Mark.Listed = it.Listed
		return v, nil, nil
	case http.StatusNotFound, http.StatusGone:
		v.Outcome, v.Reason = source.Gone, gone(u.Hostname(), res.StatusCode)
		return v, nil, nil
	}
	if v, moved := redirected(it, u, res.Request.URL); moved {
		return v, nil, nil
	}
	says := headerDirectives(res.Header.Values("X-Robots-Tag"))
	kind, params, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	main, _, _ := strings.Cut(kind, "/")
	if main == "image" || main == "audio" || main == "video" || main == "font" {
		return skipped("it is of the type " + kind + ", which has no text to read"), nil, nil
	}
	v.Outcome = source.Fetched
	v.Content = source.Content{Name: fileName(u, kind), MediaType: res.Header.Get("Content-Type"), Body: res.Body}
	var links []*url.URL
	if kind == "text/html" || kind == "application/xhtml+xml" {
		text, err := readPage(res.Body)
		if err != nil {
			return source.Visit{}, nil, err
		}
		p := parsePage(text, params["charset"], u)
		says.add(p.says)
		if links = p.links; says.nofollow {
			links = nil
		}
		if c := p.canonical; c != nil && !it.Pinned && c.String() != u.String() && site(c) == site(u) && !says.noindex {
			v := skipped("it names " + c.String() + " as its address, which is taken instead")
			v.Leads = []source.Item{{Key: c.String(), Depth: it.Depth, Pinned: true}}
			return v, links, nil
		}
		v.Content.Body = io.NopCloser(bytes.NewReader(text))
	}
	if says.noindex {
		v.Outcome, v.Reason, v.Content = source.Skipped, "it asks not to be indexed", source.Content{}
		return v, links, nil
	}
	handed = v.Content.Body == res.Body
	return v, links, nil
}

func skipped(why string) source.Visit { return source.Visit{Outcome: source.Skipped, Reason: why} }

func gone(host string, status int) string {
	if status == http.StatusGone {
		return host + " says that it is gone for good (410)"
	}
	return host + " has no document at this address (404)"
}

// redirected is the visit of an address that leads to another, which is visited
// under its own name.
func redirected(it source.Item, u, final *url.URL) (source.Visit, bool) {
	to := normal(final)
	if to == nil || to.String() == u.String() {
		return source.Visit{}, false
	}
	if site(to) != site(u) {
		return skipped("it redirects to another site, " + to.Host + "; if that is meant, add its address"), true
	}
	v := skipped("it redirects to " + to.String())
	v.Leads = []source.Item{{Key: to.String(), Depth: it.Depth, Listing: it.Listing, Pinned: it.Pinned}}
	return v, true
}

func conditions(was source.Mark) http.Header {
	h := http.Header{}
	if was.ETag != "" {
		h.Set("If-None-Match", was.ETag)
	}
	if was.LastModified != "" {
		h.Set("If-Modified-Since", was.LastModified)
	}
	return h
}

const maxPage = 10 << 20

// readPage reads a page that is looked into for links.
func readPage(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPage+1))
	if err == nil && len(text) > maxPage {
		err = fail.TooLarge("the page is larger than %d MiB", maxPage>>20)
	}
	return text, err
}

// fileName is what a page's bytes are called when they are read.
func fileName(u *url.URL, kind string) string {
	name := path.Base(u.Path)
	if name == "/" || name == "." {
		name = u.Hostname()
	}
	if kind == "text/html" && !strings.HasPrefix(strings.ToLower(path.Ext(name)), ".htm") {
		name += ".html"
	}
	return name
}
