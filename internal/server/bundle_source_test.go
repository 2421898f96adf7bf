package server_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/db"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

// meadow is a web site that answers conditions.
type meadow struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]string
	asked int
	sent  int // bodies
}

func newMeadow(t *testing.T) *meadow {
	t.Helper()
	m := &meadow{pages: map[string]string{
		"/":        `<title>Meadow</title><p>All that lives in the meadow.<a href="/larks">l</a><a href="/voles">v</a><a href="/moles">m</a><a href="/lost">x</a>`,
		"/larks":   "<title>Larks</title><p>Larks sing above the meadow.",
		"/voles":   "<title>Voles</title><p>Voles dig below the meadow.",
		"/moles":   "<title>Moles</title><p>Moles push up small hills.",
		"/map.xml": `<urlset><url><loc>{here}/hares</loc><lastmod>2026-01-02T03:04:05Z</lastmod></url></urlset>`,
		"/hares":   "<title>Hares</title><p>Hares box in March.",
	}}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.asked++
		text, ok := m.pages[r.URL.Path]
		tag := `"` + hexSum([]byte(text)) + `"`
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			m.sent++
			w.Header().Set("ETag", tag)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, strings.ReplaceAll(text, "{here}", m.URL))
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *meadow) change(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
}

func (m *meadow) bodies() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent
}

func (m *meadow) requests() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

// walked waits until the sources of a corpus were walked and their documents
// read, and answers the sources by kind.
func walked(t *testing.T, c *servertest.Client, corpusID int64) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for range 3000 {
		a := c.Do("GET", fmt.Sprintf("%s/%d/sources", corporaPath, corpusID), nil).Want(t, 200)
		busy := false
		for i := range a.Len("data.sources") {
			s := a.At(fmt.Sprintf("data.sources.%d", i)).(map[string]any)
			out[s["kind"].(string)] = s
			busy = busy || s["state"] == "pending" || s["state"] == "running"
		}
		if !busy {
			for _, d := range byAddress(t, c, corpusID) {
				c.Indexed(int64(d["id"].(float64)))
			}
			return out
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the walks do not end")
	return nil
}

func byAddress(t *testing.T, c *servertest.Client, corpusID int64) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	a := c.Do("GET", fmt.Sprintf("%s/%d/documents?page_size=200", corporaPath, corpusID), nil).Want(t, 200)
	for i := range a.Len("data.documents") {
		d := a.At(fmt.Sprintf("data.documents.%d", i)).(map[string]any)
		out[d["source"].(string)] = d
	}
	return out
}

// without leaves out what an import gives anew.
func without(s map[string]any, fields ...string) map[string]any {
	s = maps.Clone(s)
	for _, f := range fields {
		delete(s, f)
	}
	return s
}

// addMeadow makes a corpus with a site, a sitemap and a schedule, of whose pages
// somebody deleted one.
func addMeadow(t *testing.T, c *servertest.Client, m *meadow) int64 {
	t.Helper()
	id := c.Do("POST", corporaPath, map[string]any{"name": "Meadow"}).Want(t, 201).ID("data.id")
	path := fmt.Sprintf("%s/%d", corporaPath, id)
	c.Do("PUT", path, map[string]any{"refresh_enabled": true, "refresh_schedule": "6h"}).Want(t, 200)
	c.Do("POST", path+"/sources", map[string]any{"kind": "site", "address": m.URL + "/", "max_depth": 2, "max_pages": 40, "exclude": []string{"/private/*"}, "tags": []string{"field"}}).Want(t, 201)
	c.Do("POST", path+"/sources", map[string]any{"kind": "sitemap", "address": m.URL + "/map.xml"}).Want(t, 201)
	walked(t, c, id)
	moles := byAddress(t, c, id)[m.URL+"/moles"]
	c.Do("DELETE", fmt.Sprintf("/api/v2/documents/%v", moles["id"]), nil).Want(t, 200)
	return id
}

func toHere(c *server.Config) { c.EgressAllow = "127.0.0.0/8" }

func TestSourcesComeWithTheirCorpusAndAreRefreshedAtNoCost(t *testing.T) {
	t.Parallel()
	for from, to := range map[db.Engine]db.Engine{db.SQLite: db.Postgres, db.Postgres: db.SQLite} {
		t.Run(string(from)+" to "+string(to), func(t *testing.T) {
			t.Parallel()
			m := newMeadow(t)
			c, d := servertest.Start(t, from, toHere).Admin(t), servertest.Start(t, to, toHere).Neighbour(t)
			id := addMeadow(t, c, m)
			file := c.Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, id), nil).Want(t, 200).Body
			sent := m.bodies()
			a := sendBundle(d, file, nil).Want(t, 201)
			made := a.ID("data.corpora.0.id")
			if a.At("data.corpora.0.sources") != 2.0 {
				t.Errorf("imported: %s", a.Body)
			}
			was, is := walked(t, c, id), walked(t, d, made)
			for kind := range was {
				anew := []string{"id", "corpus_id", "created_by", "created_on", "modified_by", "modified_on"}
				if diff := cmp.Diff(without(was[kind], anew...), without(is[kind], anew...)); diff != "" {
					t.Error(diff)
				}
			}
			if x := d.Do("GET", fmt.Sprintf("%s/%d", corporaPath, made), nil).Want(t, 200); x.At("data.refresh_enabled") != true || x.String("data.refresh_schedule") != "6h" || x.String("data.next_refresh_on") == "" {
				t.Errorf("schedule: %s", x.Body)
			}
			docs := byAddress(t, d, made)
			if docs[m.URL+"/larks"]["source_id"] != is["site"]["id"] || docs[m.URL+"/hares"]["source_id"] != is["sitemap"]["id"] {
				t.Errorf("documents belong to other sources: %v", docs)
			}

			refresh := fmt.Sprintf("/indexing-service/api/v2/corpora/%d/refresh", made)
			d.Do("POST", refresh, nil).Want(t, 202)
			is = walked(t, d, made)
			if s := is["site"]; s["state"] != "completed" || s["not_modified"] != 3.0 || s["added"] != 0.0 || s["changed"] != 0.0 || s["removed"] != 0.0 {
				t.Errorf("the site after a refresh: %v", s)
			}
			if s := is["sitemap"]; s["state"] != "completed" || s["not_modified"] != 1.0 || s["added"] != 0.0 {
				t.Errorf("the sitemap after a refresh: %v", s)
			}
			// The page whose document was deleted has none to compare with.
			if n := m.bodies() - sent; n > 1 {
				t.Errorf("%d bodies were sent for nothing new", n)
			}
			m.change(func() {
				m.pages["/larks"] = "<title>Larks</title><p>Larks nest on the ground."
				delete(m.pages, "/voles")
			})
			d.Do("POST", refresh, nil).Want(t, 202)
			if s := walked(t, d, made)["site"]; s["changed"] != 1.0 || s["removed"] != 1.0 || s["document_count"] != 3.0 {
				t.Errorf("the site after a change: %v", s)
			}
			after := byAddress(t, d, made)
			if len(after) != len(docs) || after[m.URL+"/larks"]["id"] != docs[m.URL+"/larks"]["id"] || after[m.URL+"/larks"]["version"] != 2.0 || after[m.URL+"/voles"]["is_removed_at_source"] != true {
				t.Errorf("documents after a change: %v", after)
			}
			// And on to the next server.
			again := d.Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, made), nil).Want(t, 200).Body
			if x := sendBundle(c, again, nil).Want(t, 201); x.At("data.corpora.0.sources") != 2.0 {
				t.Errorf("imported back: %s", x.Body)
			}
		})
	}
}

func TestSourcesOfABundleAreRefusedOrLeftOut(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		m := newMeadow(t)
		c := h.Admin(t)
		id := addMeadow(t, c, m)
		file := c.Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, id), nil).Want(t, 200).Body
		entries := untarred(t, file)
		at := slices.IndexFunc(entries, func(e entryOf) bool { return e.name == "corpora/1/sources.jsonl" })
		changed := func(old, with string) []byte {
			t.Helper()
			es := slices.Clone(entries)
			es[at].body = bytes.Replace(es[at].body, []byte(old), []byte(with), 1)
			if bytes.Equal(es[at].body, entries[at].body) {
				t.Fatalf("%s is not there", old)
			}
			return tarred(t, resealed(t, es))
		}
		list := func(c *servertest.Client) int {
			return int(c.Do("GET", corporaPath+"?page_size=100", nil).Want(t, 200).At("data.pagination.total").(float64))
		}
		before := list(c)
		first, rest, _ := strings.Cut(string(entries[at].body), "\n")
		item, _, _ := strings.Cut(rest, "\n")
		torn := slices.Clone(entries)
		torn[at].body = slices.Clone(torn[at].body)
		torn[at].body[10] ^= 1
		for name, b := range map[string][]byte{
			"a bit changed":        tarred(t, torn),
			"another kind":         changed(`"kind":"site"`, `"kind":"mailbox"`),
			"a local file":         changed(`"address":"`+m.URL+`/"`, `"address":"file:///etc/passwd"`),
			"a password":           changed(`"address":"http://`, `"address":"http://u:p@`),
			"no limit":             changed(`"max_pages":40`, `"max_pages":0`),
			"a limit too high":     changed(`"max_pages":40`, `"max_pages":999999`),
			"a wrong path":         changed(`"/private/*"`, `"private"`),
			"a walk under way":     changed(`"state":"completed"`, `"state":"running"`),
			"a negative number":    changed(`"found":`, `"found":-`),
			"an unknown field":     changed(`"is_cut"`, `"secret":1,"is_cut"`),
			"a source twice":       changed(first+"\n", first+"\n"+first+"\n"),
			"an item twice":        changed(item+"\n", item+"\n"+item+"\n"),
			"an item of nothing":   changed(first+"\n", ""),
			"another site's item":  changed(`"key":"`+m.URL+`/larks","depth":1,"is_listing"`, `"key":"http://elsewhere.example/","depth":1,"is_listing"`),
			"another site's link":  changed(`{"key":"`+m.URL+`/larks","depth":1}`, `{"key":"http://elsewhere.example/","depth":1}`),
			"a depth too great":    changed(`/larks","depth":1,`, `/larks","depth":99,`),
			"an unknown outcome":   changed(`"outcome":"added"`, `"outcome":"won"`),
			"a document not there": changed(`"document":1,`, `"document":100,`),
			"a document too low":   changed(`"document":1,`, `"document":-1,`),
			"neither of both":      changed(first+"\n", first+"\n{}\n"),
		} {
			if a := sendBundle(c, b, nil); a.Status != 409 || !strings.Contains(string(a.Body), "bundle") {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		if after := list(c); after != before {
			t.Errorf("%d corpora before, %d after", before, after)
		}

		// Whoever may make a corpus but not change one gets no source by an import.
		key := c.Do("POST", "/api/v2/api-keys", map[string]any{"name": "k", "scopes": []string{"corpus:create", "corpus:view", "document:*"}}).Want(t, 201).String("data.key")
		weak := h.Anonymous(t).With("Authorization", "Bearer "+key)
		a := sendBundle(weak, file, nil).Want(t, 201)
		less := a.ID("data.corpora.0.id")
		weak.Do("POST", fmt.Sprintf("%s/%d/sources", corporaPath, less), map[string]any{"kind": "site", "address": m.URL}).Want(t, 403)
		if a.At("data.corpora.0.sources") != 0.0 || !strings.Contains(string(a.Body), "the source "+m.URL+"/map.xml of Meadow was left out") {
			t.Errorf("imported without the right: %s", a.Body)
		}
		if n := c.Do("GET", fmt.Sprintf("%s/%d/sources", corporaPath, less), nil).Want(t, 200).Len("data.sources"); n != 0 {
			t.Errorf("%d sources were made without the right", n)
		}
		for address, d := range byAddress(t, c, less) {
			if d["source_id"] != nil {
				t.Errorf("%s belongs to a source", address)
			}
		}

		// A page that was fetched and not read yet is read, and not asked for again.
		es := slices.Clone(entries)
		lines := slices.IndexFunc(es, func(e entryOf) bool { return e.name == "corpora/1/documents.jsonl.gz" })
		es[lines].body = gzipped(t, bytes.ReplaceAll(gunzipped(t, es[lines].body), []byte(`"step":"completed"`), []byte(`"step":"pending"`)))
		asked := m.requests()
		unread := sendBundle(c, tarred(t, resealed(t, es)), nil).Want(t, 201).ID("data.corpora.0.id")
		walked(t, c, unread)
		for address, d := range byAddress(t, c, unread) {
			if d["step"] != "completed" || d["is_failed"] != false || d["version"] != 1.0 {
				t.Errorf("%s: %v", address, d)
			}
		}
		if n := m.requests() - asked; n != 0 {
			t.Errorf("%d requests for pages that were fetched before", n)
		}

		// A bundle that was made before sources were carried.
		old := slices.Delete(slices.Clone(entries), at, at+1)
		last := &old[len(old)-1]
		last.body = bytes.Replace(last.body, []byte(`"version":2,"made`), []byte(`"version":1,"made`), 1)
		last.body = bytes.Replace(last.body, []byte(`,"sources":2,"items":7`), nil, 1)
		if !bytes.Contains(last.body, []byte(`"version":1`)) || bytes.Contains(last.body, []byte(`"sources"`)) {
			t.Fatalf("manifest: %s", last.body)
		}
		if a := sendBundle(c, tarred(t, resealed(t, old)), nil).Want(t, 201); a.At("data.corpora.0.sources") != 0.0 || a.At("data.corpora.0.documents") != 4.0 {
			t.Errorf("an old bundle: %s", a.Body)
		}
	}, toHere)
}
