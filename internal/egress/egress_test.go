package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"atrium/internal/fail"
)

// trap is a server that nothing may reach; it counts accepted connections.
type trap struct {
	net.Listener
	accepted atomic.Int64
}

func (l *trap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return c, err
}

// serve listens on address ("127.0.0.1:0") and counts.
func serve(t *testing.T, address string, h http.Handler) (*trap, string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return serveOn(t, l, h), port
}

func serveOn(t *testing.T, l net.Listener, h http.Handler) *trap {
	t.Helper()
	tr := &trap{Listener: l}
	s := &httptest.Server{Listener: tr, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return tr
}

// everywhere listens on one port of every loopback address that the machine has.
func everywhere(t *testing.T) (all []net.Listener, port string) {
	t.Helper()
	port = "0"
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		switch {
		case errors.Is(err, syscall.EADDRINUSE): // somebody else has it there
			for _, l := range all {
				_ = l.Close()
			}
			return everywhere(t)
		case err == nil:
			all = append(all, l)
			_, port, _ = net.SplitHostPort(l.Addr().String())
		}
	}
	if len(all) == 0 {
		t.Fatal("no loopback address can be listened on")
	}
	return all, port
}

// resolver answers A and AAAA questions with what answer gives for the nth
// lookup of a name.
func resolver(t *testing.T, answer func(name string, nth int) []string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	var mu sync.Mutex
	seen := map[string]int{}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			name := strings.TrimSuffix(q.Name.String(), ".")
			mu.Lock()
			seen[name+q.Type.String()]++
			nth := seen[name+q.Type.String()]
			mu.Unlock()
			m.Header.Response, m.Header.Authoritative, m.Additionals = true, true, nil
			for _, s := range answer(name, nth) {
				a := netip.MustParseAddr(s)
				h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
				switch {
				case a.Is4() && q.Type == dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
				case a.Is6() && q.Type == dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
			out, err := m.Pack()
			if err == nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// spellings are ways to write the machine itself, with a name for each special address.
var spellings = []string{
	"127.0.0.1", "127.1", "127.0.1", "0x7f.0.0.1", "0x7f000001", "0X7F000001", "2130706433", "017700000001", "0177.0.0.1", "127.0.0.1.",
	"0.0.0.0", "0", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
	"[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[ff02::1]",
	"[fc00::1]", "[fd00:ec2::254]", "127.0.0.2", "127.255.255.254", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1",
	"loop4.test", "loop6.test", "mapped.test", "zero.test", "both.test",
}

func names(name string, _ int) []string {
	return map[string][]string{
		"loop4.test":  {"127.0.0.1"},
		"loop6.test":  {"::1"},
		"mapped.test": {"::ffff:127.0.0.1"},
		"zero.test":   {"0.0.0.0", "::"},
		"both.test":   {"127.0.0.1", "::1", "10.0.0.1"},
		"localhost":   {"127.0.0.1", "::1"},
		"front.test":  {"127.0.0.9"},
		"other.test":  {"127.0.0.9"},
	}[name]
}

func TestNoSpellingOfASpecialAddressReachesASocket(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") })
	listeners, port := everywhere(t)
	var traps []*trap
	for _, l := range listeners {
		traps = append(traps, serveOn(t, l, h))
	}
	// The front is the one allowed address; it redirects to where ?to= says.
	front, frontPort := serve(t, "127.0.0.9:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	}))
	g := New(Options{Allow: []netip.Prefix{prefix("127.0.0.9/32")}, Resolver: resolver(t, names)})
	defer g.Close()
	for _, spelling := range spellings {
		for _, scheme := range []string{"http", "https"} {
			target := fmt.Sprintf("%s://%s:%s/", scheme, spelling, port)
			for _, address := range []string{target, "http://front.test:" + frontPort + "/?to=" + url.QueryEscape(target)} {
				res, err := g.Fetch(t.Context(), address, Conditions{}, Limits{Timeout: 20 * time.Second})
				if err == nil {
					_ = res.Body.Close()
					t.Errorf("%s was fetched", address)
				}
				var f *fail.Error
				if !errors.As(err, &f) || (f.Code != fail.CodeInvalid && f.Code != fail.CodeProvider) {
					t.Errorf("%s: error %v is not one for callers", address, err)
				}
			}
		}
	}
	for _, tr := range traps {
		if n := tr.accepted.Load(); n != 0 {
			t.Errorf("%d connections were accepted at %s", n, tr.Addr())
		}
	}
	if front.accepted.Load() == 0 {
		t.Error("the redirecting server was never reached, so redirects were not tested")
	}
}

func TestANameThatChangesItsMindIsRefusedAtTheSecondConnection(t *testing.T) {
	t.Parallel()
	inside, port := serve(t, "127.0.0.1:0", http.NotFoundHandler())
	_, frontPort := serve(t, "127.0.0.9:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://rebind.test:"+port+"/", http.StatusFound)
	}))
	g := New(Options{Allow: []netip.Prefix{prefix("127.0.0.9/32")}, Resolver: resolver(t, func(_ string, nth int) []string {
		if nth == 1 {
			return []string{"127.0.0.9"}
		}
		return []string{"127.0.0.1"}
	})})
	defer g.Close()
	_, err := g.Fetch(t.Context(), "http://rebind.test:"+frontPort+"/", Conditions{}, Limits{})
	if !fail.Is(err, fail.CodeInvalid) || !strings.Contains(err.Error(), "127.0.0.1") || !strings.Contains(err.Error(), Setting) {
		t.Errorf("got %v", err)
	}
	if n := inside.accepted.Load(); n != 0 {
		t.Errorf("%d connections were accepted", n)
	}
}

func TestSpecialAddressesAreNamedByTheirKind(t *testing.T) {
	t.Parallel()
	for a, want := range map[string]string{
		"8.8.8.8": "", "1.1.1.1": "", "172.32.0.1": "", "100.128.0.1": "", "2606:4700::1111": "", "64:ff9b::808:808": "",
		"10.1.2.3": "private", "172.31.255.255": "private", "192.168.0.1": "private", "fd12::1": "private",
		"127.9.9.9": "loopback", "::1": "loopback", "::ffff:10.0.0.1": "private", "0.1.2.3": "unspecified", "::": "unspecified",
		"100.64.0.1": "carrier-shared", "169.254.1.1": "link-local", "fe80::1": "link-local", "224.0.0.1": "multicast", "ff0e::1": "multicast",
		"255.255.255.255": "reserved", "169.254.169.254": "cloud metadata", "168.63.129.16": "cloud metadata", "fd00:ec2::254": "cloud metadata",
		"64:ff9b::a9fe:a9fe": "cloud metadata", "64:ff9b::a00:1": "private", "64:ff9b:1::1": "reserved", "2002:a00:1::": "6to4",
		"2001:db8::1": "documentation", "::10.0.0.1": "reserved", "fec0::1": "reserved", "100::1": "reserved",
	} {
		if got := special(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is %q, want %q", a, got, want)
		}
	}
}

func TestTheOperatorsListOpensNetworksButMetadataOnlyByItself(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, address string
		want           bool
	}{
		{"10.0.0.0/8", "10.2.3.4", true},
		{"10.0.0.0/8", "::ffff:10.2.3.4", true},
		{"10.0.0.0/8", "64:ff9b::a02:304", true},
		{"10.0.0.0/8", "192.168.0.1", false},
		{"169.254.0.0/16", "169.254.1.1", true},
		{"169.254.0.0/16", "169.254.169.254", false},
		{"169.254.169.254/32", "169.254.169.254", true},
		{"fd00::/8", "fd00:ec2::254", false},
	} {
		if got := allowed([]netip.Prefix{prefix(c.allow)}, netip.MustParseAddr(c.address)); got != c.want {
			t.Errorf("%s opens %s: %v, want %v", c.allow, c.address, got, c.want)
		}
	}
}

func local(t *testing.T, h http.HandlerFunc) (*Guard, string) {
	t.Helper()
	_, port := serve(t, "127.0.0.9:0", h)
	g := New(Options{Allow: []netip.Prefix{prefix("127.0.0.9/32")}, Resolver: resolver(t, names)})
	t.Cleanup(g.Close)
	return g, "http://front.test:" + port
}

func TestACallersSecretsDoNotFollowARedirectToAnotherOrigin(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []http.Header
	var base string
	g, base := local(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Header.Clone())
		mu.Unlock()
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/away", http.StatusFound)
		case "/away":
			http.Redirect(w, r, strings.Replace(base, "front", "other", 1)+"/back", http.StatusFound)
		case "/back":
			http.Redirect(w, r, base+"/end", http.StatusFound)
		}
	})
	req, _ := http.NewRequest(http.MethodGet, base+"/same?key=inquery", nil)
	for _, h := range []string{"Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization"} {
		req.Header.Set(h, "secret")
	}
	res, err := g.Client(Limits{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if len(got) != 4 {
		t.Fatalf("%d requests, want 4", len(got))
	}
	if got[1].Get("Authorization") != "secret" {
		t.Error("the same origin lost its credentials")
	}
	for i, h := range got[2:] {
		for name, v := range h {
			if strings.Contains(strings.Join(v, " "), "secret") || strings.Contains(strings.Join(v, " "), "inquery") {
				t.Errorf("request %d carries %s: %s", i+2, name, v)
			}
		}
	}
}

func TestAFetchIsLimitedAndExplained(t *testing.T) {
	t.Parallel()
	g, base := local(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/said":
			_, _ = w.Write(make([]byte, 2000))
		case "/unsaid":
			w.(http.Flusher).Flush()
			_, _ = w.Write(make([]byte, 2000))
		case "/hang":
			<-r.Context().Done()
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/login":
			w.WriteHeader(http.StatusForbidden)
		case "/busy":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	for _, c := range []struct {
		address string
		want    fail.Code
	}{
		{base + "/loop", fail.CodeInvalid},
		{base + "/file", fail.CodeInvalid},
		{base + "/said", fail.CodeTooLarge},
		{base + "/unsaid", fail.CodeTooLarge},
		{base + "/hang", fail.CodeProvider},
		{base + "/gone", fail.CodeNotFound},
		{base + "/login", fail.CodeProvider},
		{base + "/busy", fail.CodeProvider},
		{base + "/broken", fail.CodeProvider},
		{strings.Replace(base, "http://", "http://me:pw@", 1), fail.CodeInvalid},
		{"ftp://front.test/", fail.CodeInvalid},
		{"http:///nohost", fail.CodeInvalid},
		{"http://[::1", fail.CodeInvalid},
		{"http://unknown.test/", fail.CodeProvider},
		{"http://front.test:1/", fail.CodeProvider},
	} {
		l := Limits{MaxBytes: 1000}
		if c.address == base+"/hang" {
			l.Timeout = 150 * time.Millisecond
		}
		res, err := g.Fetch(t.Context(), c.address, Conditions{}, l)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		f := fail.As(err)
		if f.Code != c.want || f.Message == "" {
			t.Errorf("%s: got %v, want %s", c.address, err, c.want)
		}
		if c.address == base+"/busy" && f.RetryAfter != 7*time.Second {
			t.Errorf("busy: retry after %v", f.RetryAfter)
		}
	}
}

func TestADocumentComesWithItsNameTypeAndConditions(t *testing.T) {
	t.Parallel()
	g, base := local(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", "Text/HTML; charset=ISO-8859-1")
		if d := r.URL.Query().Get("d"); d != "" {
			w.Header().Set("Content-Disposition", d)
		}
		_, _ = io.WriteString(w, "hello")
	})
	for _, c := range []struct{ address, name string }{
		{base + "/a/b.pdf?x=1", "b.pdf"},
		{base + "/", "front.test"},
		{base + "/x?d=" + url.QueryEscape(`attachment; filename="../../etc/passwd"`), "passwd"},
		{base + "/x?d=" + url.QueryEscape(`attachment; filename="..\\..\\boot.ini"`), "boot.ini"},
		{base + "/x?d=" + url.QueryEscape(`attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf`), "résumé.pdf"},
		{base + "/x?d=" + url.QueryEscape(`attachment; filename=".."`), "x"},
	} {
		res, err := g.Fetch(t.Context(), c.address, Conditions{}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.Filename != c.name || res.ContentType != "text/html" || res.Charset != "iso-8859-1" || string(body) != "hello" || res.FinalURL != c.address {
			t.Errorf("%s: got %+v %q", c.address, res, body)
		}
	}
	res, err := g.Fetch(t.Context(), base+"/", Conditions{ETag: `"v1"`}, Limits{})
	if err != nil || res.Status != http.StatusNotModified {
		t.Errorf("unchanged: %v %v", res.Status, err)
	}
	_ = res.Body.Close()
}

func TestTheOperatorsClientReachesPrivateAddressesButFollowsNowhere(t *testing.T) {
	t.Parallel()
	inside, port := serve(t, "127.0.0.1:0", http.NotFoundHandler())
	_, own := serve(t, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "http://127.0.0.1:"+port+"/", http.StatusTemporaryRedirect)
		case "/near":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		}
	}))
	g := New(Options{})
	defer g.Close()
	c := g.Operator(Limits{})
	for path, want := range map[string]bool{"/ok": true, "/near": true, "/away": false} {
		req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+own+path, strings.NewReader("{}"))
		res, err := c.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && !fail.Is(err, fail.CodeProvider) {
			t.Errorf("%s: %v is not for callers", path, err)
		}
	}
	if n := inside.accepted.Load(); n != 0 {
		t.Errorf("%d connections were accepted elsewhere", n)
	}
}

func TestACancelledFetchSaysSo(t *testing.T) {
	t.Parallel()
	g, base := local(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := g.Fetch(ctx, base, Conditions{}, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "1.5": 1500 * time.Millisecond, "-3": 0, "99999999": time.Hour, "soon": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}
