package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html/charset"

	"atrium/internal/fail"
	"atrium/internal/source"
)

// Sitemap is the pages that a sitemap lists: XML, also gzipped, an index of
// others, or a plain list of addresses. Its keys are addresses.
type Sitemap struct {
	Address  string // of the sitemap, or of its site's start page
	MaxItems int    // addresses taken from one sitemap, of those that fit the filter
	Filter   Filter
	web      *Web
}

// Sitemap makes a source of a sitemap.
func (w *Web) Sitemap(address string, maxItems int, f Filter) *Sitemap {
	return &Sitemap{Address: address, MaxItems: maxItems, Filter: f, web: w}
}

const (
	maxSitemap = 50 << 20 // bytes unpacked, as the protocol has it
	maxEntries = 50_000   // likewise
	maxNesting = 3        // of sitemaps in indexes
)

// Start names the sitemap; for the start page of a site those that its
// robots.txt names, else /sitemap.xml.
func (s *Sitemap) Start(ctx context.Context) ([]source.Item, error) {
	u := parse(s.Address)
	if u == nil {
		return nil, fail.Invalid("the address %q cannot be fetched; it starts with http:// or https://", s.Address)
	}
	if u.Path != "/" || u.RawQuery != "" {
		return []source.Item{{Key: u.String(), Listing: true}}, nil
	}
	_, r, err := s.web.knock(ctx, u)
	if err != nil {
		return nil, err
	}
	var out []source.Item
	for _, a := range r.sitemaps {
		if m := parse(a); m != nil && site(m) == site(u) {
			out = append(out, source.Item{Key: m.String(), Listing: true})
		}
	}
	if len(out) == 0 {
		out = append(out, source.Item{Key: u.JoinPath("sitemap.xml").String(), Listing: true})
	}
	return out, nil
}

// Visit gets a sitemap or one of its pages. A page whose listing gives the same
// time of change as at the mark is not asked for at all.
func (s *Sitemap) Visit(ctx context.Context, it source.Item, was source.Mark) (source.Visit, error) {
	if it.Listing {
		return s.list(ctx, it, was)
	}
	if exact(it.Listed) && it.Listed == was.Listed {
		return source.Visit{Outcome: source.Unchanged, Mark: was}, nil
	}
	v, _, err := s.web.page(ctx, it, was)
	return v, err
}

// exact tells whether a time of change is more than a day, within which a page
// may have changed twice.
func exact(lastmod string) bool { return strings.Contains(lastmod, "T") }

func (s *Sitemap) list(ctx context.Context, it source.Item, was source.Mark) (source.Visit, error) {
	u := parse(it.Key)
	if u == nil {
		return source.Visit{Outcome: source.Gone, Reason: "it is no address that can be fetched"}, nil
	}
	// A sitemap is made for robots: robots.txt is read for its pause alone.
	h, _, err := s.web.knock(ctx, u)
	if err != nil {
		return source.Visit{}, err
	}
	res, err := s.web.get(ctx, h, u, conditions(was))
	if err != nil {
		return source.Visit{}, err
	}
	defer func() { _ = res.Body.Close() }()
	v := source.Visit{Outcome: source.Listing, Mark: source.Mark{ETag: res.Header.Get("ETag"), LastModified: res.Header.Get("Last-Modified"), Listed: it.Listed}}
	switch res.StatusCode {
	case http.StatusNotModified:
		v.Outcome, v.Mark = source.Unchanged, was
		return v, nil
	case http.StatusNotFound, http.StatusGone:
		v.Outcome, v.Reason = source.Gone, gone(u.Hostname(), res.StatusCode)
		return v, nil
	}
	if v, moved := redirected(it, u, res.Request.URL); moved {
		return v, nil
	}
	entries, err := readSitemap(res.Body, maxEntries, maxSitemap)
	if err != nil {
		return source.Visit{}, err
	}
	for _, e := range entries {
		if len(v.Leads) >= s.MaxItems {
			break
		}
		to := resolve(u, e.loc)
		switch {
		case to == nil || site(to) != site(u):
		case e.sitemap && it.Depth+1 < maxNesting:
			v.Leads = append(v.Leads, source.Item{Key: to.String(), Depth: it.Depth + 1, Listing: true})
		case !e.sitemap && s.Filter.takes(to):
			v.Leads = append(v.Leads, source.Item{Key: to.String(), Depth: maxNesting, Listed: e.lastmod})
		}
	}
	return v, nil
}

// entry is a line of a sitemap.
type entry struct {
	loc, lastmod string
	sitemap      bool
}

var errNoSitemap = fail.Invalid("the address is no sitemap: neither its XML nor a list of addresses; choose a page or a site instead")

// readSitemap reads at most so many entries, from at most so many bytes unpacked.
func readSitemap(r io.Reader, most int, maxBytes int64) ([]entry, error) {
	in := bufio.NewReader(r)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fail.Invalid("the sitemap's gzip is damaged").Because(err)
		}
		in = bufio.NewReader(z)
	}
	limited := &io.LimitedReader{R: in, N: maxBytes}
	in = bufio.NewReader(limited)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return nil, broken(err)
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\uFEFF")), " \t\r\n")
	var out []entry
	if bytes.HasPrefix(text, []byte("<")) {
		out, err = readXML(in, most)
	} else {
		out, err = readList(in, most)
	}
	if limited.N == 0 && len(out) < most {
		err = fail.TooLarge("the sitemap is larger than %d MiB; give its parts instead", maxBytes>>20)
	}
	return out, err
}

// broken says of an error of reading whether the network or the gzip is at fault.
func broken(err error) error {
	if known, ok := errors.AsType[*fail.Error](err); ok {
		return known
	}
	return fail.Invalid("the sitemap is damaged or broke off").Because(err)
}

func readXML(r io.Reader, most int) ([]entry, error) {
	d := xml.NewDecoder(r)
	d.Strict = false
	d.CharsetReader = charset.NewReaderLabel
	var out []entry
	var e entry
	var field *string
	known := false
	for len(out) < most {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) && known && len(out) > 0 {
				break // what was read stands; the rest cannot be
			}
			if errors.As(err, &syntax) {
				return nil, errNoSitemap
			}
			return nil, broken(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			field = nil
			switch strings.ToLower(t.Name.Local) {
			case "urlset", "sitemapindex":
				known = true
			case "url", "sitemap":
				e = entry{sitemap: strings.EqualFold(t.Name.Local, "sitemap")}
			case "loc":
				if p := t.Name.Space; p != "image" && p != "video" && p != "news" {
					field = &e.loc
				}
			case "lastmod":
				field = &e.lastmod
			}
		case xml.CharData:
			if field != nil && len(*field)+len(t) <= maxAddress {
				*field += string(t)
			}
		case xml.EndElement:
			field = nil
			if n := strings.ToLower(t.Name.Local); (n == "url" || n == "sitemap") && strings.TrimSpace(e.loc) != "" {
				e.loc, e.lastmod = strings.TrimSpace(e.loc), strings.TrimSpace(e.lastmod)
				if len(e.lastmod) > 40 {
					e.lastmod = ""
				}
				out, e = append(out, e), entry{}
			}
		}
		if !known && d.InputOffset() > 1<<20 {
			break
		}
	}
	if !known {
		return nil, errNoSitemap
	}
	return out, nil
}

// readList reads a plain list, a line an address.
func readList(r io.Reader, most int) ([]entry, error) {
	var out []entry
	lines := bufio.NewScanner(r)
	for len(out) < most && lines.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\uFEFF"))
		if line == "" {
			continue
		}
		if u, err := url.Parse(line); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errNoSitemap
		}
		out = append(out, entry{loc: line})
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, errNoSitemap
	}
	if err := lines.Err(); err != nil {
		return nil, broken(err)
	}
	if len(out) == 0 {
		return nil, errNoSitemap
	}
	return out, nil
}
