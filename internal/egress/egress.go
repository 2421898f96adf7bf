// Package egress is the only place from which Atrium opens connections to
// others; a test in this package fails when another one does it by itself.
//
// There are two kinds of client. Client is for addresses that came through the
// API, which may have been written by anybody: it speaks http and https, looks
// at the address it is really about to connect to (after the name was resolved,
// so a name cannot change its mind in between), refuses whatever is not the
// public internet unless the operator opened it with ATRIUM_EGRESS_ALLOW, checks
// each redirect again, and limits size and time. Operator is for addresses that
// the operator wrote into the settings, such as a model in the local network.
//
// Neither reads a proxy from the environment. Refusals are *fail.Error with code
// invalid_input, which http.Client wraps: use errors.As, or Explain.
package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"atrium/internal/fail"
)

// Setting is the setting that opens private networks, named in refusals.
const Setting = "ATRIUM_EGRESS_ALLOW"

const (
	maxRedirects   = 3
	defaultTimeout = 30 * time.Second
	defaultBytes   = 64 << 20
	connectTimeout = 10 * time.Second
)

// Options make a Guard.
type Options struct {
	// Allow lists private networks that addresses given through the API may reach.
	Allow []netip.Prefix
	// Resolver answers names; nil is the system's.
	Resolver *net.Resolver
}

// Limits bound one exchange. For Client, zero takes the default; for Operator,
// zero is no limit, because a model may stream for long and sets its own.
type Limits struct {
	Timeout      time.Duration // from the start until the body is read; default 30 s
	MaxBytes     int64         // of the decoded body; default 64 MiB; more is an error, never a cut
	MaxRedirects int           // default and most: 3; negative: none
}

// Guard opens connections. Its clients share their idle connections.
type Guard struct {
	guarded, operator *http.Transport
}

// New makes a Guard.
func New(o Options) *Guard {
	dial := func(check func(ctx context.Context, network, address string, c syscall.RawConn) error) func(context.Context, string, string) (net.Conn, error) {
		d := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, Resolver: o.Resolver, ControlContext: check}
		return d.DialContext
	}
	return &Guard{
		guarded:  transport(dial(checker(o.Allow)), 4),
		operator: transport(dial(nil), 128),
	}
}

// transport speaks HTTP/1.1 only: streams get a connection each, so that none
// waits for another, and they are kept for the next question.
func transport(dial func(context.Context, string, string) (net.Conn, error), idlePerHost int) *http.Transport {
	var p http.Protocols
	p.SetHTTP1(true)
	return &http.Transport{
		DialContext:            dial,
		Protocols:              &p,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// Close drops the idle connections.
func (g *Guard) Close() {
	g.guarded.CloseIdleConnections()
	g.operator.CloseIdleConnections()
}

// checker looks at the address of each socket just before it connects.
func checker(allow []netip.Prefix) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, netw, address string, _ syscall.RawConn) error {
		if netw != "tcp4" && netw != "tcp6" {
			return fail.Invalid("the address cannot be fetched: only TCP is allowed")
		}
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fail.Invalid("the address cannot be fetched: %q is not an internet address", address)
		}
		if kind := special(ap.Addr()); kind != "" && !allowed(allow, ap.Addr()) {
			return fail.Invalid("the address leads to %s, a %s address that may not be fetched; if it is meant, the operator adds it to %s", ap.Addr(), kind, Setting)
		}
		return nil
	}
}

// Client gives a client for addresses that came through the API.
func (g *Guard) Client(l Limits) *http.Client {
	if l.Timeout <= 0 {
		l.Timeout = defaultTimeout
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultBytes
	}
	most := min(l.MaxRedirects, maxRedirects)
	if l.MaxRedirects == 0 {
		most = maxRedirects
	}
	return &http.Client{
		Timeout:   l.Timeout,
		Transport: gate{next: g.guarded, check: Check, maxBytes: l.MaxBytes},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > most {
				return fail.Invalid("the address redirects more than %d times; give the final address", max(most, 0))
			}
			if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return fail.Invalid("the address redirects from https to %s, which is refused", req.URL.Scheme)
			}
			if leftOrigin(req, via) {
				dropCredentials(req.Header)
			}
			return nil
		},
	}
}

// Operator gives a client for addresses from the operator's settings. They may
// be private; a redirect is followed only within the same origin.
func (g *Guard) Operator(l Limits) *http.Client {
	return &http.Client{
		Timeout:   max(l.Timeout, 0),
		Transport: gate{next: g.operator, check: checkScheme, maxBytes: l.MaxBytes},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if leftOrigin(req, via) || len(via) > maxRedirects {
				return fail.Provider("%s redirects elsewhere, which is not followed; set the final address", via[0].URL.Host)
			}
			return nil
		},
	}
}

// Dial opens a connection to an address from the operator's settings that does
// not speak HTTP, such as the mail server's.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return g.operator.DialContext(ctx, network, address)
}

// gate checks each request, redirected ones too, and limits each body.
type gate struct {
	next     *http.Transport
	check    func(*url.URL) error
	maxBytes int64
}

func (g gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.check(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	res, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if g.maxBytes > 0 {
		if res.ContentLength > g.maxBytes && req.Method != http.MethodHead {
			_ = res.Body.Close()
			return nil, tooLarge(g.maxBytes)
		}
		res.Body = &capped{ReadCloser: res.Body, left: g.maxBytes, max: g.maxBytes}
	}
	return res, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (g gate) CloseIdleConnections() { g.next.CloseIdleConnections() }

// Check refuses an address that is wrong by its spelling alone. It is no
// permission: where the name leads is checked when connecting.
func Check(u *url.URL) error {
	if err := checkScheme(u); err != nil {
		return err
	}
	if u.User != nil {
		return fail.Invalid("the address holds a name and password; give it without them")
	}
	if oddNumber(u.Hostname()) {
		return fail.Invalid("the address's host %q is not a name and not a plain IP address", u.Hostname())
	}
	return nil
}

func checkScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fail.Invalid("the address has to start with http:// or https://")
	}
	if u.Hostname() == "" {
		return fail.Invalid("the address has no host")
	}
	return nil
}

// leftOrigin tells whether the chain was ever at another origin than its first,
// so that credentials stay gone after a detour.
func leftOrigin(req *http.Request, via []*http.Request) bool {
	first := origin(via[0].URL)
	for _, v := range via[1:] {
		if origin(v.URL) != first {
			return true
		}
	}
	return origin(req.URL) != first
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}

// harmless are the only headers that travel to another origin: any other may
// hold a key, whatever it is called.
var harmless = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "User-Agent": true,
	"Content-Type": true, "If-None-Match": true, "If-Modified-Since": true,
}

func dropCredentials(h http.Header) {
	for name := range h {
		if !harmless[http.CanonicalHeaderKey(name)] {
			delete(h, name)
		}
	}
}

// capped answers an error, not a cut body, when more than max bytes come.
type capped struct {
	io.ReadCloser
	left, max int64
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if int64(n) > c.left {
		n, c.left = int(c.left), 0
		return n, tooLarge(c.max)
	}
	c.left -= int64(n)
	return n, err
}

func tooLarge(n int64) error {
	return fail.TooLarge("the answer is larger than the limit of %d bytes", n)
}

// Explain turns an error of a client into a *fail.Error that may be shown:
// refusals stay as they are, failures of the network become provider_failed
// naming the host. The context's own end is returned unchanged.
func Explain(err error, host string) error {
	var known *fail.Error
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	var cert *tls.CertificateVerificationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &dns) && dns.IsNotFound:
		return fail.Provider("the name %s does not exist; check the address", host).Because(err)
	case errors.As(err, &cert):
		return fail.Provider("%s has a certificate that is not valid", host).Because(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fail.Provider("%s did not answer in time; try again later", host).Because(err)
	}
	return fail.Provider("%s could not be reached or broke off; check the address or try again later", host).Because(err)
}
