package egress

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"

	"atrium/internal/fail"
)

// Conditions make a Fetch answer 304 without a body when the document is
// unchanged; empty ones are not sent.
type Conditions struct {
	ETag         string
	LastModified string // as the server sent it
}

// Response is a fetched document. Close Body. Reading more of Body than the
// limit is a *fail.Error with code too_large.
type Response struct {
	Status       int    // 200 or 304
	FinalURL     string // after redirects
	ContentType  string // media type in lower case, without parameters; "" when not said
	Charset      string // of the Content-Type, when said
	Filename     string // one path element, safe to show; never empty
	ETag         string
	LastModified string
	Body         io.ReadCloser
}

// Fetch gets a document by an address that came through the API. A status other
// than 200 and 304 is a *fail.Error: 404 and 410 as not_found, others as
// provider_failed.
func (g *Guard) Fetch(ctx context.Context, address string, c Conditions, l Limits) (Response, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return Response{}, fail.Invalid("the address is not a valid URL")
	}
	if err := Check(u); err != nil {
		return Response{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Response{}, fail.Invalid("the address is not a valid URL")
	}
	req.Header.Set("User-Agent", "Atrium")
	req.Header.Set("Accept", "text/html, application/xhtml+xml, application/pdf;q=0.9, */*;q=0.8")
	if c.ETag != "" {
		req.Header.Set("If-None-Match", c.ETag)
	}
	if c.LastModified != "" {
		req.Header.Set("If-Modified-Since", c.LastModified)
	}
	res, err := g.Client(l).Do(req)
	if err != nil {
		return Response{}, Explain(err, u.Hostname())
	}
	final := res.Request.URL
	switch res.StatusCode {
	case http.StatusOK, http.StatusNotModified:
	case http.StatusNotFound, http.StatusGone:
		_ = res.Body.Close()
		return Response{}, fail.NotFound("%s has no document at this address (%d); check it", final.Hostname(), res.StatusCode)
	case http.StatusUnauthorized, http.StatusForbidden:
		_ = res.Body.Close()
		return Response{}, fail.Provider("%s wants a sign-in for this address (%d); upload the file instead", final.Hostname(), res.StatusCode)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		_ = res.Body.Close()
		return Response{}, fail.Provider("%s is busy (%d); try again later", final.Hostname(), res.StatusCode).After(RetryAfter(res.Header, time.Now()))
	default:
		_ = res.Body.Close()
		return Response{}, fail.Provider("%s answered %d instead of the document", final.Hostname(), res.StatusCode)
	}
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind, params = "", nil
	}
	return Response{
		Status:       res.StatusCode,
		FinalURL:     final.String(),
		ContentType:  kind,
		Charset:      strings.ToLower(params["charset"]),
		Filename:     filename(res.Header.Get("Content-Disposition"), final),
		ETag:         res.Header.Get("ETag"),
		LastModified: res.Header.Get("Last-Modified"),
		Body:         res.Body,
	}, nil
}

// filename takes the name from the header, else from the path, else the host.
func filename(disposition string, u *url.URL) string {
	if _, params, err := mime.ParseMediaType(disposition); err == nil {
		if n := safeName(params["filename"]); n != "" {
			return n
		}
	}
	if n := safeName(u.Path); n != "" {
		return n
	}
	return safeName(u.Hostname())
}

func safeName(s string) string {
	s = path.Base(strings.ReplaceAll(strings.ToValidUTF8(s, ""), `\`, "/"))
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s))
	s = strings.TrimLeft(s, ".")
	if s == "/" {
		return ""
	}
	for len(s) > 200 {
		r := []rune(s)
		s = string(r[1+len(r)/20:]) // the end holds the extension
	}
	return s
}

// RetryAfter reads how long a server asks to wait: seconds or a date, at most an
// hour; 0 when it does not say.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	d, err := time.ParseDuration(v + "s")
	if err != nil {
		at, err := http.ParseTime(v)
		if err != nil {
			return 0
		}
		d = at.Sub(now)
	}
	return min(max(d, 0), time.Hour)
}
