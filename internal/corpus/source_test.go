package corpus_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is a web site whose pages a test changes. It answers conditions.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	pages  map[string]string
	status map[string]int
	sent   int           // bodies
	hold   chan struct{} // when set, each answer waits for it
}

func newSite(t *testing.T, pages ...string) *site {
	t.Helper()
	s := &site{pages: map[string]string{}, status: map[string]int{}}
	for i := 0; i < len(pages); i += 2 {
		s.pages[pages[i]] = pages[i+1]
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	text, ok := s.pages[r.URL.RequestURI()]
	status, hold := s.status[r.URL.RequestURI()], s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	tag := fmt.Sprintf(`"%d-%.20s"`, len(text), strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, text))
	switch {
	case status != 0:
		w.WriteHeader(status)
	case !ok:
		http.NotFound(w, r)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		s.mu.Lock()
		s.sent++
		s.mu.Unlock()
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, strings.ReplaceAll(text, "{here}", s.URL))
	}
}

func (s *site) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *site) bodies() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// walked waits until the last walk of a source has ended, and its documents are read.
func (h *house) walked(corpus, id int64) answer {
	h.t.Helper()
	var a answer
	for range 3000 {
		a = h.do("root", "GET", fmt.Sprintf("/api/v2/corpora/%d/sources/%d", corpus, id), "").want(200)
		if st := a.at("data.state"); st != "pending" && st != "running" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, doc := range h.documents(corpus) {
		h.completed(doc)
	}
	return a
}

// documents are the ids of a corpus's documents by their addresses.
func (h *house) documents(corpus int64) map[string]int64 {
	h.t.Helper()
	out := map[string]int64{}
	a := h.do("root", "GET", fmt.Sprintf("/api/v2/corpora/%d/documents", corpus), "").want(200)
	for i := range a.len("data.documents") {
		out[fmt.Sprint(a.at(fmt.Sprintf("data.documents.%d.source", i)))] = a.id(fmt.Sprintf("data.documents.%d.id", i))
	}
	return out
}

func (h *house) source(corpus int64, body string) int64 {
	h.t.Helper()
	return h.do("ann", "POST", fmt.Sprintf("/api/v2/corpora/%d/sources", corpus), body).want(201, "data.state", "pending").id("data.id")
}

func TestASiteBecomesDocumentsThatAreRefreshedAtNoCost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		s := newSite(t, "/", `<title>Home</title><p>All about animals.<a href="/a">a</a><a href="/b">b</a><a href="/dead">d</a>`, "/a", "<title>Quokkas</title><p>A quokka smiles.", "/b", "<title>Bears</title><p>A bear sleeps.")
		c := h.corpus("ann")
		up := h.upload("ann", c, part{"content_type", "", "weblink"}, part{"weblink_type", "", "site"}, part{"source", "", s.URL}, part{"max_depth", "", "2"}, part{"tags", "", "zoo"}).want(201,
			"data.step", "pending", "data.source", s.URL, "data.documents", "[]", "data.weblink_source.kind", "site", "data.weblink_source.max_depth", 2, "data.weblink_source.max_pages", 200)
		id := up.id("data.weblink_source.id")
		h.walked(c, id).want(200, "data.state", "completed", "data.error", "", "data.found", 4, "data.added", 3, "data.skipped", 1, "data.failed", 0, "data.document_count", 3)
		docs := h.documents(c)
		a, b := docs[s.URL+"/a"], docs[s.URL+"/b"]
		h.completed(a).want(200, "data.name", "Quokkas", "data.source_id", id, "data.tags", "[zoo]", "data.weblink_type", "page", "data.check_result", "changed", "data.version", 1, "data.is_failed", false)
		pages := fmt.Sprintf("/api/v2/corpora/%d/sources/%d/pages", c, id)
		h.do("ann", "GET", pages+"?outcome=skipped", "").want(200, "data.pages.0.address", s.URL+"/dead", "data.pages.0.reason", "127.0.0.1 has no document at this address (404)", "data.pagination.total", 1)
		h.do("ann", "GET", pages+"?search=/a&sort=-depth", "").want(200, "data.pages.0.document_id", a, "data.pages.0.depth", 1)

		refresh := fmt.Sprintf("/api/v2/corpora/%d/sources/%d/refresh", c, id)
		sent := s.bodies()
		h.do("ann", "POST", refresh, "").want(202, "data.state", "pending")
		h.walked(c, id).want(200, "data.unchanged", 3, "data.not_modified", 3, "data.added", 0, "data.changed", 0)
		if s.bodies() != sent {
			t.Errorf("%d bodies were sent for nothing new", s.bodies()-sent)
		}
		h.completed(a).want(200, "data.check_result", "not_modified", "data.version", 1)

		s.change(func() {
			s.pages["/a"] = "<title>Quokkas</title><p>A quokka hops."
			s.pages["/c"] = "<title>Cats</title><p>A cat purrs."
			s.pages["/"] = `<title>Home</title><p>All about animals and more.<a href="/a">a</a><a href="/c">b</a>`
			delete(s.pages, "/b")
		})
		h.do("ann", "POST", refresh, "").want(202)
		h.walked(c, id).want(200, "data.added", 1, "data.changed", 2, "data.removed", 1, "data.state", "completed")
		h.completed(a).want(200, "data.version", 2, "data.is_removed_at_source", false)
		h.completed(b).want(200, "data.is_removed_at_source", true, "data.check_result", "removed", "data.is_failed", false, "data.warnings.0", "its address no longer has it; this is how it was last read")
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/search?query=bear&corpus_ids=%d", c), "").want(200, "data.passages.0.document_id", b)

		h.do("ann", "DELETE", fmt.Sprintf("/api/v2/documents/%d", a), "").want(200)
		s.change(func() { s.pages["/a"] = "<p>A third text." })
		h.do("ann", "POST", refresh, "").want(202)
		h.walked(c, id).want(200, "data.skipped", 1, "data.document_count", 3)

		h.do("ann", "DELETE", fmt.Sprintf("/api/v2/corpora/%d/sources/%d", c, id), "").want(200)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/%d/sources", c), "").want(200, "data.pagination.total", 0)
		if left := h.documents(c); len(left) != 0 {
			t.Errorf("%v stay", left)
		}
	})
}

func TestASitemapIsCutAtItsLimitAndCanLeaveItsDocuments(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		s := newSite(t, "/map.xml", `<urlset><url><loc>{here}/a</loc></url><url><loc>{here}/x/b</loc></url><url><loc>{here}/c</loc></url><url><loc>{here}/d</loc></url></urlset>`,
			"/a", "<p>Apples are red.", "/c", "<p>Cherries are sweet.", "/d", "<p>Dates are dry.", "/x/b", "x")
		c := h.corpus("ann")
		body := fmt.Sprintf(`{"kind": "sitemap", "address": "%s/map.xml", "max_pages": 2, "exclude": ["/x/*"]}`, s.URL)
		id := h.source(c, body)
		h.walked(c, id).want(200, "data.added", 2, "data.is_cut", true, "data.state", "completed")
		if again := h.source(c, strings.Replace(body, "2,", "10,", 1)); again != id {
			t.Errorf("the same address is source %d beside %d", again, id)
		}
		h.walked(c, id).want(200, "data.added", 1, "data.unchanged", 2, "data.is_cut", false, "data.document_count", 3)
		h.do("ann", "DELETE", fmt.Sprintf("/api/v2/corpora/%d/sources/%d?keep_documents=true", c, id), "").want(200)
		docs := h.documents(c)
		if len(docs) != 3 {
			t.Errorf("%v stay", docs)
		}
		h.completed(docs[s.URL+"/a"]).want(200, "data.source_id", nil)
	})
}

func TestASourceThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		s := newSite(t, "/page", "<p>no sitemap", "/robots.txt", "User-agent: *\nDisallow: /secret")
		s.status["/moved"] = 403
		c := h.corpus("ann")
		for address, why := range map[string]string{"/missing": "404", "/secret": "robots.txt", "/moved": "sign-in"} {
			id := h.source(c, fmt.Sprintf(`{"kind": "site", "address": "%s"}`, s.URL+address))
			if a := h.walked(c, id).want(200, "data.state", "failed", "data.added", 0); !strings.Contains(fmt.Sprint(a.at("data.error")), why) {
				t.Errorf("%s ends with %v", address, a.at("data.error"))
			}
		}
		id := h.source(c, fmt.Sprintf(`{"kind": "sitemap", "address": "%s/page"}`, s.URL))
		h.walked(c, id).want(200, "data.state", "failed", "data.failed", 1)
		s.change(func() { s.pages["/missing"] = "<p>Here again." })
		id = h.source(c, fmt.Sprintf(`{"kind": "site", "address": "%s/missing"}`, s.URL))
		h.walked(c, id).want(200, "data.state", "completed", "data.error", "", "data.added", 1)
	})
}

func TestAWalkIsStoppedByPeopleAndWithItsCorpus(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		s := newSite(t, "/", `<p>Hello.`)
		s.hold = make(chan struct{})
		c := h.corpus("ann")
		id := h.source(c, fmt.Sprintf(`{"kind": "site", "address": "%s"}`, s.URL))
		path := fmt.Sprintf("/api/v2/corpora/%d/sources/%d", c, id)
		h.do("vera", "POST", path+"/cancel", "").want(404)
		h.do("ann", "POST", path+"/cancel", "").want(200, "data.state", "cancelled")
		h.do("ann", "POST", path+"/cancel", "").want(200, "data.state", "cancelled")
		s.change(func() { close(s.hold); s.hold = nil })
		h.do("ann", "POST", path+"/refresh", "").want(202, "data.state", "pending")
		h.walked(c, id).want(200, "data.state", "completed", "data.added", 1)
		h.do("ann", "DELETE", fmt.Sprintf("/api/v2/corpora/%d", c), "").want(200)
		h.do("ann", "GET", path, "").want(404)
	})
}

func TestABadSourceIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		path := fmt.Sprintf("/api/v2/corpora/%d/sources", c)
		for body, field := range map[string]string{
			`{"kind": "site", "address": "ftp://a.example/"}`:                                                "address",
			`{"kind": "site", "address": "http://u:p@a.example/"}`:                                           "address",
			`{"kind": "mailbox", "address": "http://a.example/"}`:                                            "kind",
			`{"kind": "site", "address": "http://a.example/", "max_depth": 11}`:                              "max_depth",
			`{"kind": "site", "address": "http://a.example/", "max_pages": 5001}`:                            "max_pages",
			`{"kind": "site", "address": "http://a.example/", "include": ["docs"]}`:                          "include",
			`{"kind": "site", "address": "http://a.example/", "tags": ["` + fmt.Sprintf("%0200d", 1) + `"]}`: "tags",
		} {
			h.do("ann", "POST", path, body).want(400, "error.fields.0.field", field)
		}
		link := func(parts ...part) answer {
			return h.upload("ann", c, append([]part{{"content_type", "", "weblink"}}, parts...)...)
		}
		link(part{"weblink_type", "", "site"}, part{"source", "", "nonsense"}).want(400, "error.fields.0.field", "source")
		link(part{"weblink_type", "", "site"}, part{"source", "", "http://a.example"}, part{"max_pages", "", "many"}).want(400, "error.fields.0.field", "max_pages")
		link(part{"weblink_type", "", "youtube"}, part{"source", "", "http://a.example"}).want(400, "error.fields.0.field", "source")
		link(part{"weblink_type", "", "feed"}, part{"source", "", "http://a.example"}).want(400, "error.fields.0.field", "weblink_type")
		h.do("eve", "POST", path, `{"kind": "site", "address": "http://a.example/"}`).want(404)
		h.do("ann", "GET", path, "").want(200, "data.pagination.total", 0)
	})
}

func TestACorpusIsRefreshedNowAndBySchedule(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		s := newSite(t, "/page", "<title>P</title><p>One page.", "/", "<p>A site.")
		c := h.corpus("ann")
		path := fmt.Sprintf("/api/v2/corpora/%d", c)
		page := h.upload("ann", c, part{"content_type", "", "weblink"}, part{"source", "", s.URL + "/page"}).want(201, "data.weblink_source", nil).id("data.id")
		h.completed(page)
		file := h.file("ann", c, "a.md", "A file.")
		id := h.source(c, fmt.Sprintf(`{"kind": "site", "address": "%s"}`, s.URL))
		h.walked(c, id)
		h.do("vera", "POST", "/indexing-service"+path+"/refresh", "").want(404)
		h.do("ann", "POST", "/indexing-service"+path+"/refresh", "").want(202, "data.id", c, "data.source_count", 1, "data.address_count", 2)
		h.checked(page, "not_modified")
		h.walked(c, id).want(200, "data.not_modified", 1)

		for _, bad := range []string{"5m", "often", "* * * * *", "0 0 31 2 *", "0 0 * * * *", "@everysecond", "400d"} {
			h.do("ann", "PUT", path, `{"refresh_schedule": "`+bad+`"}`).want(400, "error.fields.0.field", "refresh_schedule")
		}
		h.do("ann", "GET", "/api/v2/corpora/refresh-enabled", "").want(200, "data.pagination.total", 0)
		h.do("ann", "PUT", path, `{"refresh_schedule": "0 3 * * 1"}`).want(200, "data.refresh_enabled", false, "data.next_refresh_on", nil)
		h.do("ann", "PUT", path, `{"refresh_enabled": true}`).want(200, "data.refresh_schedule", "0 3 * * 1")
		set := h.do("ann", "PUT", path, `{"refresh_enabled": true, "refresh_schedule": "6h"}`).want(200, "data.refresh_enabled", true)
		next, err := time.Parse(time.RFC3339, fmt.Sprint(set.at("data.next_refresh_on")))
		if err != nil || next.Before(time.Now().Add(5*time.Hour)) {
			t.Errorf("the next is %v, %v", set.at("data.next_refresh_on"), err)
		}
		h.do("ann", "GET", "/api/v2/corpora/refresh-enabled", "").want(200, "data.pagination.total", 1, "data.corpora.0.id", c, "data.corpora.0.not_modified", 2, "data.corpora.0.source_count", 1)
		h.do("vera", "GET", "/api/v2/corpora/refresh-enabled", "").want(200, "data.pagination.total", 0)

		if err := h.corpora.RefreshDue(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		h.do("ann", "GET", path, "").want(200, "data.next_refresh_on", set.at("data.next_refresh_on"))
		s.change(func() { delete(s.pages, "/page") })
		for range 2 { // the second finds nothing due
			if err := h.corpora.RefreshDue(t.Context(), next.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		h.checked(page, "removed").want(200, "data.is_removed_at_source", true, "data.is_failed", false, "data.version", 1)
		h.completed(file).want(200, "data.check_result", "", "data.checked_on", nil)
		s.change(func() { s.pages["/page"] = "<title>P</title><p>Back again." })
		h.do("ann", "POST", fmt.Sprintf("/indexing-service/api/v2/documents/%d/refresh", page), "").want(202)
		h.checked(page, "changed").want(200, "data.is_removed_at_source", false, "data.version", 2, "data.warnings", "[]")
		h.walked(c, id)
		h.do("ann", "PUT", path, `{"indexing_mode_id": 3, "refresh_enabled": false}`).want(200, "data.next_refresh_on", nil)
		h.do("ann", "POST", "/indexing-service"+path+"/refresh", "").want(202)
		h.checked(page, "changed")
		h.completed(file)
		h.walked(c, id)
	})
}

// checked waits until asking a document's address came to a result.
func (h *house) checked(id int64, result string) answer {
	h.t.Helper()
	var a answer
	for range 3000 {
		if a = h.completed(id); a.at("data.check_result") == result {
			return a
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.t.Fatalf("it is not %s: %s", result, a.body)
	return a
}
