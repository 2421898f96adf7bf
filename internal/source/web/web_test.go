package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atrium/internal/egress"
	"atrium/internal/fail"
	"atrium/internal/source"
	"atrium/internal/source/sourcetest"
)

// place is a web server whose pages a test changes. It answers conditions.
type place struct {
	*httptest.Server
	mu       sync.Mutex
	pages    map[string]string // by path and query; HTML unless a header says more
	headers  map[string]http.Header
	statuses map[string]int
	asked    []string
	at, most int
}

func newPlace(t testing.TB, pages map[string]string) *place {
	t.Helper()
	p := &place{pages: maps.Clone(pages), headers: map[string]http.Header{}, statuses: map[string]int{}}
	if p.pages == nil {
		p.pages = map[string]string{}
	}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *place) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.at++
	p.most = max(p.most, p.at)
	key := r.URL.RequestURI()
	p.asked = append(p.asked, key)
	text, ok := p.pages[key]
	status := p.statuses[key]
	maps.Copy(w.Header(), p.headers[key])
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.at--
		p.mu.Unlock()
	}()
	tag := fmt.Sprintf(`"%x"`, len(text)*7+int(sum(text)))
	switch {
	case status != 0:
		w.WriteHeader(status)
	case !ok:
		http.NotFound(w, r)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", tag)
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		io.WriteString(w, strings.ReplaceAll(text, "{here}", p.URL))
	}
}

func sum(s string) (n uint16) {
	for _, c := range []byte(s) {
		n = n*31 + uint16(c)
	}
	return n
}

func (p *place) set(path, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages[path] = text
}

func (p *place) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, a := range p.asked {
		if a == path {
			n++
		}
	}
	return n
}

func newWeb(t testing.TB, change ...func(*Options)) *Web {
	t.Helper()
	g := egress.New(egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(g.Close)
	o := Options{Guard: g, Delay: time.Microsecond, MaxBytes: 1 << 20}
	for _, c := range change {
		c(&o)
	}
	return New(o)
}

// walked is a walk's outcomes by path.
func walked(t *testing.T, p *place, s source.Source, before map[string]sourcetest.Found) (map[string]string, map[string]sourcetest.Found) {
	t.Helper()
	found, err := sourcetest.Walk(t.Context(), s, before)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for k, f := range found {
		out[strings.TrimPrefix(k, p.URL)] = string(f.Outcome)
	}
	return out, found
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("found %v\nwant  %v", got, want)
	}
}

// siteStage is a site of pages that its start page links.
type siteStage struct {
	*place
	listing string
	write   func(names []string) string
	names   map[string]bool
}

func (s *siteStage) Names() []string { return []string{"/a.html", "/b/c", "/d?x=1"} }

func (s *siteStage) list() {
	s.set(s.listing, s.write(slices.Sorted(maps.Keys(s.names))))
}

func (s *siteStage) Put(name, text string) {
	s.set(name, "<title>T</title><p>"+text)
	s.names[name] = true
	s.list()
}

func (s *siteStage) Remove(name string) {
	s.mu.Lock()
	delete(s.pages, name)
	s.mu.Unlock()
	delete(s.names, name)
	s.list()
}

func TestSitesKeepTheContract(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) (source.Source, sourcetest.Stage) {
		s := &siteStage{place: newPlace(t, nil), listing: "/", names: map[string]bool{}, write: func(names []string) string {
			var b strings.Builder
			for _, n := range names {
				fmt.Fprintf(&b, `<a href="%s#top">x</a>`, n)
			}
			return b.String()
		}}
		s.list()
		return newWeb(t).Site(s.URL, 3, Filter{}), s
	})
}

func TestSitemapsKeepTheContract(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) (source.Source, sourcetest.Stage) {
		s := &siteStage{place: newPlace(t, nil), listing: "/sitemap.xml", names: map[string]bool{}, write: func(names []string) string {
			return urlset(names...)
		}}
		s.list()
		return newWeb(t).Sitemap(s.URL+"/sitemap.xml", 100, Filter{}), s
	})
}

func urlset(paths ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	for _, p := range paths {
		loc, mod, _ := strings.Cut(p, " ")
		fmt.Fprintf(&b, "<url><loc>{here}%s</loc><lastmod>%s</lastmod></url>", loc, mod)
	}
	return b.String() + "</urlset>"
}

func TestASiteIsWalkedWithinItsLimits(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"/robots.txt": "User-agent: *\nDisallow: /secret\nAllow: /secret/open\n",
		"/": `<base href="/docs/"><a href="one">1</a> <a href='/secret/plan'>s</a><a href=/secret/open>o</a><a href="http://elsewhere.example/">e</a>
			<a rel="external NoFollow" href="/ads">ad</a><a href="mailto:a@b.example">m</a><a href="/logo.png">l</a><a href="/gone">g</a><a href="one?utm_source=x#frag">again</a>`,
		"/docs/one":    `<a href="/docs/two">2</a><a href="/hidden">h</a><a href="/lastpage">l</a><a href="/copy">c</a>`,
		"/docs/two":    `<a href="/deep">d</a>`,
		"/hidden":      `<meta name="robots" content="noindex"><a href="/found">f</a>`,
		"/found":       `over a hidden page`,
		"/lastpage":    `<meta name=ROBOTS content="NOFOLLOW"><a href="/never">n</a>`,
		"/copy":        `<link rel="canonical" href="/original"><a href="/">home</a>`,
		"/original":    `<link rel="canonical" href="/copy">`,
		"/secret/open": `open`, "/secret/plan": `plan`, "/deep": `<a href="/deeper">x</a>`, "/deeper": "x", "/never": "n", "/ads": "a",
	})
	got, _ := walked(t, p, newWeb(t).Site(p.URL, 3, Filter{}), nil)
	same(t, got, map[string]string{"/": "fetched", "/docs/one": "fetched", "/docs/two": "fetched", "/hidden": "skipped", "/found": "fetched", "/lastpage": "fetched",
		"/copy": "skipped", "/original": "fetched", "/secret/open": "fetched", "/secret/plan": "skipped", "/gone": "gone", "/deep": "fetched"})
	if p.count("/secret/plan") != 0 || p.count("/robots.txt") != 1 || p.most != 1 {
		t.Errorf("it asked for %v, %d at once", p.asked, p.most)
	}
	got, _ = walked(t, p, newWeb(t).Site(p.URL, 3, Filter{Include: []string{"/docs/*", "/deep$"}, Exclude: []string{"*/two"}}), nil)
	same(t, got, map[string]string{"/": "skipped", "/docs/one": "fetched"})
}

func TestHeadersSpeakToRobotsToo(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"/": `<a href="/a">a</a><a href="/b">b</a><a href="/c">c</a>`, "/a": "a", "/b": "b", "/c": `<a href="/d">d</a>`, "/d": "d"})
	p.headers["/a"] = http.Header{"X-Robots-Tag": {"otherbot: none", "noindex"}}
	p.headers["/b"] = http.Header{"X-Robots-Tag": {"googlebot: noindex"}}
	p.headers["/c"] = http.Header{"X-Robots-Tag": {"Atrium: nofollow"}}
	got, _ := walked(t, p, newWeb(t).Site(p.URL, 3, Filter{}), nil)
	same(t, got, map[string]string{"/": "fetched", "/a": "skipped", "/b": "fetched", "/c": "fetched"})
}

func TestRedirectsAreTakenUnderTheirOwnNameAndNeverOffTheSite(t *testing.T) {
	t.Parallel()
	other := newPlace(t, map[string]string{"/": "elsewhere"})
	there := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	p := newPlace(t, map[string]string{"/": `<a href="/old">o</a><a href="/away">a</a><a href="/new">n</a>`, "/new": "n"})
	p.statuses["/old"], p.headers["/old"] = 301, http.Header{"Location": {"/new"}}
	p.statuses["/away"], p.headers["/away"] = 302, http.Header{"Location": {other.URL + "/"}}
	got, found := walked(t, p, newWeb(t).Site(p.URL, 3, Filter{}), nil)
	same(t, got, map[string]string{"/": "fetched", "/old": "skipped", "/away": "skipped", "/new": "fetched"})
	if r := found[p.URL+"/away"].Reason; !strings.Contains(r, "another site") {
		t.Errorf("the reason is %q", r)
	}
	for path, to := range map[string]string{"/loop": "/loop", "/inner": "http://10.0.0.1/", "/file": "file:///etc/passwd", "/local": there} {
		p.statuses[path], p.headers[path] = 302, http.Header{"Location": {to}}
		v, err := newWeb(t).Site(p.URL, 3, Filter{}).Visit(t.Context(), source.Item{Key: p.URL + path}, source.Mark{})
		if path == "/local" && v.Outcome == source.Skipped {
			continue // refused before or after, by the name that leads to an IPv6 address first
		}
		if !fail.Is(err, fail.CodeInvalid) {
			t.Errorf("%s ends with %+v, %v", path, v, err)
		}
	}
}

func TestEachBadAnswerIsExplained(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"/big": strings.Repeat("x", 2<<20), "/": ""})
	p.headers["/busy"] = http.Header{"Retry-After": {"7"}}
	w := newWeb(t)
	for path, x := range map[string]struct {
		status int
		code   fail.Code
	}{"/busy": {429, fail.CodeUnavailable}, "/down": {503, fail.CodeUnavailable}, "/broken": {500, fail.CodeProvider}, "/door": {401, fail.CodeForbidden},
		"/closed": {403, fail.CodeForbidden}, "/tea": {418, fail.CodeConflict}, "/big": {0, fail.CodeTooLarge}} {
		if x.status != 0 {
			p.statuses[path] = x.status
		}
		// The pause that the busy server asks for is not waited here.
		v, err := newWeb(t).Site(p.URL, 1, Filter{}).Visit(t.Context(), source.Item{Key: p.URL + path}, source.Mark{})
		if !fail.Is(err, x.code) || fail.As(err).Message == "" {
			t.Errorf("%s ends with %+v, %v", path, v, err)
		}
		if path == "/busy" && fail.As(err).RetryAfter != 7*time.Second {
			t.Errorf("it is to wait for %s", fail.As(err).RetryAfter)
		}
	}
	p.statuses["/410"] = 410
	if v, err := w.Site(p.URL, 1, Filter{}).Visit(t.Context(), source.Item{Key: p.URL + "/410"}, source.Mark{}); err != nil || v.Outcome != source.Gone || !strings.Contains(v.Reason, "410") {
		t.Errorf("gone is %+v, %v", v, err)
	}
	p.statuses["/robots.txt"] = 500
	if _, err := newWeb(t).Site(p.URL, 1, Filter{}).Visit(t.Context(), source.Item{Key: p.URL + "/"}, source.Mark{}); !fail.Is(err, fail.CodeUnavailable) {
		t.Errorf("without robots.txt it ends with %v", err)
	}
	p.Close()
	if _, err := newWeb(t).Site(p.URL, 1, Filter{}).Visit(t.Context(), source.Item{Key: p.URL + "/"}, source.Mark{}); !fail.Is(err, fail.CodeProvider) {
		t.Errorf("a closed port ends with %v", err)
	}
	if _, err := newWeb(t).Site("http://10.1.2.3/", 1, Filter{}).Visit(t.Context(), source.Item{Key: "http://10.1.2.3/"}, source.Mark{}); !fail.Is(err, fail.CodeInvalid) {
		t.Errorf("a private address ends with %v", err)
	}
}

func TestTheDelayOfRobotsIsKept(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"/robots.txt": "User-agent: *\nCrawl-delay: 0.05", "/": "x"})
	w := newWeb(t)
	h, r, err := w.knock(t.Context(), parse(p.URL))
	if err != nil || r.delay != 50*time.Millisecond {
		t.Fatalf("%+v, %v", r, err)
	}
	before := time.Now()
	res, err := w.get(t.Context(), h, parse(p.URL), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if pause := h.next.Sub(before); pause < 50*time.Millisecond {
		t.Errorf("the next may come after %s", pause)
	}
}

func TestSitemapsAreReadInEachForm(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(urlset("/a", "/b")))
	z.Close()
	p := newPlace(t, map[string]string{
		"/robots.txt": "Sitemap: {here}/index.xml\nSitemap: http://elsewhere.example/s.xml",
		"/index.xml": `<sitemapindex><sitemap><loc>{here}/zipped.xml.gz</loc></sitemap><sitemap><loc>{here}/list.txt</loc></sitemap>
			<sitemap><loc>{here}/index.xml</loc></sitemap><sitemap><loc>/missing.xml</loc></sitemap></sitemapindex>`,
		"/zipped.xml.gz": zipped.String(),
		"/list.txt":      "\ufeff{here}/c\n\n{here}/a\nhttp://elsewhere.example/x\n",
		"/a":             "A", "/b": `B <a href="/unlisted">u</a>`, "/c": "C", "/unlisted": "u",
		"/page": "<html><p>Not a sitemap", "/odd.xml": "<odd/>", "/text": "hello",
		"/cut.xml":   strings.TrimSuffix(urlset("/a", "/b"), "</url></urlset>"),
		"/image.xml": `<urlset><url><image:image><image:loc>{here}/pic</image:loc></image:image><loc>{here}/a</loc></url></urlset>`,
	})
	p.headers["/zipped.xml.gz"] = http.Header{"Content-Type": {"application/gzip"}}
	p.set("/zipped.xml.gz", zipGz(urlset(strings.ReplaceAll("/a", "", ""), "/b"), p.URL))
	want := map[string]string{"/index.xml": "listing", "/zipped.xml.gz": "listing", "/list.txt": "listing", "/missing.xml": "gone", "/a": "fetched", "/b": "fetched", "/c": "fetched"}
	got, before := walked(t, p, newWeb(t).Sitemap(p.URL, 100, Filter{}), nil)
	same(t, got, want)
	for _, k := range []string{"/index.xml", "/zipped.xml.gz", "/list.txt", "/a", "/b", "/c"} {
		want[k] = "unchanged"
	}
	got, _ = walked(t, p, newWeb(t).Sitemap(p.URL, 100, Filter{}), before)
	same(t, got, want)
	got, _ = walked(t, p, newWeb(t).Sitemap(p.URL+"/cut.xml", 100, Filter{}), nil)
	same(t, got, map[string]string{"/cut.xml": "listing", "/a": "fetched"})
	got, _ = walked(t, p, newWeb(t).Sitemap(p.URL+"/image.xml", 100, Filter{}), nil)
	same(t, got, map[string]string{"/image.xml": "listing", "/a": "fetched"})
	for _, bad := range []string{"/page", "/odd.xml", "/text"} {
		if _, err := sourcetest.Walk(t.Context(), newWeb(t).Sitemap(p.URL+bad, 100, Filter{}), nil); !fail.Is(err, fail.CodeInvalid) {
			t.Errorf("%s ends with %v", bad, err)
		}
	}
}

func zipGz(text, here string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(strings.ReplaceAll(text, "{here}", here)))
	z.Close()
	return b.String()
}

func TestAPageWhoseListingDidNotChangeIsNotAskedFor(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{"/s.xml": urlset("/a 2026-01-01T10:00:00Z", "/b 2026-01-01"), "/a": "A", "/b": "B"})
	_, before := walked(t, p, newWeb(t).Sitemap(p.URL+"/s.xml", 100, Filter{}), nil)
	p.set("/s.xml", urlset("/a 2026-01-01T10:00:00Z", "/b 2026-01-01", "/c"))
	got, _ := walked(t, p, newWeb(t).Sitemap(p.URL+"/s.xml", 100, Filter{}), before)
	same(t, got, map[string]string{"/s.xml": "listing", "/a": "unchanged", "/b": "unchanged", "/c": "gone"})
	if p.count("/a") != 1 || p.count("/b") != 2 {
		t.Errorf("it asked for %v", p.asked)
	}
}

func TestABombOfASitemapIsCut(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("<urlset>"))
	blank := bytes.Repeat([]byte("<!--                            -->"), 1<<15)
	for range 2 {
		z.Write(blank)
	}
	z.Close()
	if _, err := readSitemap(&b, 100, 1<<20); !fail.Is(err, fail.CodeTooLarge) {
		t.Errorf("it ends with %v", err)
	}
	var many strings.Builder
	for range 1000 {
		many.WriteString("http://a.example/x\n")
	}
	if got, err := readSitemap(strings.NewReader(many.String()), 10, 1<<20); err != nil || len(got) != 10 {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

// tube is YouTube as far as a transcript needs it.
type tube struct{ *place }

func (s *tube) Names() []string { return []string{"dQw4w9WgXcQ"} }

func (s *tube) Put(name, text string) {
	s.set("/watch?v="+name+"&hl=en", `<script>var meta = "ytInitialPlayerResponse"; var ytInitialPlayerResponse = {"playabilityStatus":{"status":"OK"},
		"videoDetails":{"title":"A talk","author":"Ann"},"captions":{"playerCaptionsTracklistRenderer":{"captionTracks":[
		{"baseUrl":"/none?lang=fr","languageCode":"fr"},{"baseUrl":"/asr?lang=en","languageCode":"en","kind":"asr"},{"baseUrl":"/timed?lang=en&x=1","languageCode":"en"}]}}};var other = {};</script>`)
	words, _ := json.Marshal(text)
	s.set("/timed?fmt=json3&lang=en&x=1", `{"events":[{"tStartMs":0,"segs":[{"utf8":"Hello "},{"utf8":"all."}]},{"tStartMs":61000,"segs":[{"utf8":"\n"}]},{"tStartMs":62000,"segs":[{"utf8":`+string(words)+`}]},{"tStartMs":3723000,"segs":[{"utf8":"Bye."}]}]}`)
}

func (s *tube) Remove(name string) {
	s.set("/watch?v="+name+"&hl=en", `ytInitialPlayerResponse = {"playabilityStatus":{"status":"ERROR","reason":"Video unavailable"}};`)
}

func TestVideosKeepTheContract(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) (source.Source, sourcetest.Stage) {
		s := &tube{newPlace(t, nil)}
		return newWeb(t, func(o *Options) { o.YouTube = s.URL }).Video("https://youtu.be/dQw4w9WgXcQ?si=x"), s
	})
}

func TestATranscriptHasItsTitleAndTimes(t *testing.T) {
	t.Parallel()
	s := &tube{newPlace(t, nil)}
	s.Put("dQw4w9WgXcQ", "We talk.")
	w := newWeb(t, func(o *Options) { o.YouTube = s.URL })
	v, err := w.Video("").Visit(t.Context(), source.Item{Key: "dQw4w9WgXcQ"}, source.Mark{})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(v.Content.Body)
	if want := "# A talk\n\nTranscript of a video by Ann.\n\n[0:00:00] Hello all. We talk.\n\n[1:02:03] Bye.\n\n"; string(b) != want {
		t.Errorf("it is %q", b)
	}
	for name, page := range map[string]string{
		"private":      `ytInitialPlayerResponse = {"playabilityStatus":{"status":"LOGIN_REQUIRED","reason":"This video is private"}};`,
		"no captions":  `ytInitialPlayerResponse = {"videoDetails":{"title":"x"}};`,
		"another page": `<p>consent`,
		"far captions": `ytInitialPlayerResponse = {"videoDetails":{"title":"x"},"captions":{"playerCaptionsTracklistRenderer":{"captionTracks":[{"baseUrl":"https://elsewhere.example/x"}]}}};`,
	} {
		s.set("/watch?v=dQw4w9WgXcQ&hl=en", page)
		if v, err := w.Video("").Visit(t.Context(), source.Item{Key: "dQw4w9WgXcQ"}, source.Mark{}); !fail.Is(err, fail.CodeConflict) {
			t.Errorf("%s ends with %+v, %v", name, v, err)
		}
	}
	s.Put("dQw4w9WgXcQ", "x")
	s.set("/timed?fmt=json3&lang=en&x=1", "")
	if _, err := w.Video("").Visit(t.Context(), source.Item{Key: "dQw4w9WgXcQ"}, source.Mark{}); !fail.Is(err, fail.CodeUnavailable) {
		t.Errorf("empty captions end with %v", err)
	}
}

func TestCaptionsAreReadInEachForm(t *testing.T) {
	t.Parallel()
	want := []line{{1500 * time.Millisecond, "It's on."}, {3 * time.Second, "Yes"}}
	for _, raw := range []string{
		`{"events":[{"tStartMs":1500,"segs":[{"utf8":"It's on."}]},{"tStartMs":3000,"segs":[{"utf8":"Yes"}]}]}`,
		`<?xml version="1.0"?><transcript><text start="1.5" dur="1">It&amp;#39;s on.</text><text start="3">Yes</text></transcript>`,
		`<timedtext><body><p t="1500" d="1"><s>It's </s><s>on.</s></p><p t="3000">Yes</p></body></timedtext>`,
	} {
		if got := captions([]byte(raw)); !slices.Equal(got, want) {
			t.Errorf("%s is %v", raw, got)
		}
	}
}

func TestAVideoIsKnownByEachOfItsAddresses(t *testing.T) {
	t.Parallel()
	for _, a := range []string{"https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=4s", "http://youtube.com/watch?list=x&v=dQw4w9WgXcQ", "https://m.youtube.com/shorts/dQw4w9WgXcQ/",
		"https://youtu.be/dQw4w9WgXcQ?si=1", "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ", "https://music.youtube.com/watch?v=dQw4w9WgXcQ", "https://www.youtube.com/live/dQw4w9WgXcQ"} {
		if VideoID(a) != "dQw4w9WgXcQ" {
			t.Errorf("%s is %q", a, VideoID(a))
		}
	}
	for _, a := range []string{"https://www.youtube.com/", "https://www.youtube.com/@ann", "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ", "youtu.be/dQw4w9WgXcQ", "https://youtu.be/a%2Fb", ""} {
		if VideoID(a) != "" {
			t.Errorf("%s is %q", a, VideoID(a))
		}
	}
}

func TestTheLongestRuleOfRobotsDecides(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		robots, path string
		allowed      bool
	}{
		{"", "/a", true},
		{"User-agent: *\nDisallow:", "/a", true},
		{"User-agent: *\nDisallow: /", "/a", false},
		{"User-agent: *\nDisallow: /", "/robots.txt", true},
		{"User-agent: *\nAllow: /p\nDisallow: /", "/page", true},
		{"User-agent: *\nAllow: /folder\nDisallow: /folder", "/folder/page", true},
		{"User-agent: *\nDisallow: /folder\nAllow: /folder", "/folder/page", true},
		{"User-agent: *\nAllow: /page\nDisallow: /*.htm", "/page.htm", false},
		{"User-agent: *\nAllow: /page\nDisallow: /*.ph", "/page.php5", true},
		{"User-agent: *\nAllow: /$\nDisallow: /", "/", true},
		{"User-agent: *\nAllow: /$\nDisallow: /", "/page.htm", false},
		{"User-agent: *\nDisallow: /*.php$", "/a.php?x", true},
		{"User-agent: *\nDisallow: /*.php$", "/a.php", false},
		{"User-agent: *\nDisallow: /fish*", "/Fish", true},
		{"User-agent: *\nDisallow: /search?q=", "/search?q=x", false},
		{"User-agent: *\nDisallow: /%61", "/abc", false},
		{"User-agent: *\nDisallow: /ä", "/%c3%A4", false},
		{"user-agent: ATRIUM\nDisallow: /a\n\nUser-agent: *\nDisallow: /b", "/a", false},
		{"user-agent: ATRIUM\nDisallow: /a\n\nUser-agent: *\nDisallow: /b", "/b", true},
		{"User-agent: x\nUser-agent: atrium/2\n\nDisallow: /a # all of it", "/a", false},
		{"User-agent: x\nDisallow: /a\nUser-agent: atrium\nDisallow: /b", "/a", true},
		{"User-agent: atrium\nDisallow: /a\nSitemap: http://x\nDisallow: /b", "/b", false},
		{"Disallow: /a\nnonsense\nUser-agent: *\n: x\nDisallow: /b", "/b", false},
		{"\ufeffUser-agent: *\r\nDisallow: /b\r\n", "/b", false},
	} {
		u, err := url.Parse("http://h.example" + x.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := parseRobots(x.robots, robot).allows(u); got != x.allowed {
			t.Errorf("%q on %s: %v", x.robots, x.path, got)
		}
	}
}

func TestAPageHasOneKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"HTTP://Example.COM:80":                 "http://example.com/",
		"https://example.com:443/a/../b/./c#x":  "https://example.com/b/c",
		"https://example.com/a?":                "https://example.com/a",
		"https://example.com/a?utm_x=1&b=2&&c":  "https://example.com/a?b=2&c",
		"https://example.com:8443/ä?q=%C3%A4":   "https://example.com:8443/%C3%A4?q=%C3%A4",
		"http://[::1]:80/":                      "http://[::1]/",
		"https://example.com//double//slashes/": "https://example.com//double//slashes/",
	} {
		if u := parse(in); u == nil || u.String() != want {
			t.Errorf("%s is %v", in, u)
		}
	}
	for _, bad := range []string{"", "ftp://a.example/", "http://", "http://u:p@a.example/", "javascript:alert(1)", "http://a.example/" + strings.Repeat("x", 2000)} {
		if u := parse(bad); u != nil {
			t.Errorf("%s is %v", bad, u)
		}
	}
}

func FuzzPages(f *testing.F) {
	f.Add([]byte(`<base href="//x"><a href="?a">`), "utf-16")
	f.Add([]byte(`<link rel=canonical href=http://a.example/><meta name=robots content=none>`), "")
	at := parse("http://a.example/x")
	f.Fuzz(func(t *testing.T, text []byte, declared string) {
		p := parsePage(text, declared, at)
		for _, u := range p.links {
			if again := parse(u.String()); again == nil || again.String() != u.String() {
				t.Errorf("%s becomes %v", u, again)
			}
		}
	})
}

func FuzzRobots(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /*a*b$\nCrawl-delay: 1e9", "/xab")
	f.Fuzz(func(t *testing.T, text, path string) {
		r := parseRobots(text, robot)
		if r.delay < 0 || r.delay > maxCrawlDelay {
			t.Errorf("the delay is %s", r.delay)
		}
		r.allows(&url.URL{Scheme: "http", Host: "a.example", Path: "/" + path})
	})
}

func FuzzSitemaps(f *testing.F) {
	f.Add([]byte(urlset("/a 2026-01-01")))
	f.Add([]byte("http://a.example/\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readSitemap(bytes.NewReader(text), 10, 1<<16)
		if len(got) > 10 || err != nil && fail.As(err).Code == fail.CodeInternal {
			t.Errorf("%d entries, %v", len(got), err)
		}
	})
}
