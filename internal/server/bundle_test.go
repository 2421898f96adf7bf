package server_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"atrium/internal/agent"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/document"
	"atrium/internal/server/servertest"
)

const corporaPath = "/api/v2/corpora"

func uploadBird(c *servertest.Client, t *testing.T, corpusID int64, name, text string) int64 {
	t.Helper()
	id := c.Upload(fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpusID), name, []byte(text), map[string]string{"content_type": "file", "tags": "bird,water"}).Want(t, 201).ID("data.id")
	c.Indexed(id)
	return id
}

// birds makes an agent whose default corpus has documents in several versions,
// one that failed, and twins whose scores are equal.
func addBirds(t *testing.T, c *servertest.Client) (agentID, corpusID int64) {
	t.Helper()
	agentID = c.Do("POST", "/api/v2/agents", map[string]any{"name": "Birds", "prefix_prompt": "You know birds.", "custom_instructions": []string{"Be short."}, "tags": []string{"nature"}, "temperature": .5, "access": "Everyone"}).Want(t, 201).ID("data.id")
	corpusID = c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/corpora", agentID), nil).Want(t, 200).ID("data.items.agent_corpus.0.corpus.id")
	uploadBird(c, t, corpusID, "herons.md", "# Herons\n\nHerons stand in deep water and wait for fish.")
	for i := range 6 {
		uploadBird(c, t, corpusID, fmt.Sprintf("twin%d.md", i), "# Waders\n\nWaders walk along the water and look for worms. One is never like another.")
	}
	uploadBird(c, t, corpusID, "owls.md", "# Owls\n\n"+strings.Repeat("Owls hunt voles at night and fly without a sound over the water. ", 200))
	uploadBird(c, t, corpusID, "herons.md", "# Herons\n\nHerons stand in shallow water and wait for fish. They nest in colonies.")
	uploadBird(c, t, corpusID, "broken.pdf", "%PDF-1.4\nthis is no PDF")
	c.Do("PUT", fmt.Sprintf("%s/%d", corporaPath, corpusID), map[string]any{"description": "All about birds", "tags": []string{"zoo"}, "restrict_to_viewers": true}).Want(t, 200)
	return agentID, corpusID
}

// found is what searches answer, without ids.
func birdsFound(t *testing.T, c *servertest.Client, corpusID int64) []string {
	t.Helper()
	var out []string
	for _, q := range []string{"water", "waders+worms", "where+do+herons+stand", "owls+voles+night", "nest"} {
		a := c.Do("GET", fmt.Sprintf("%s/search?query=%s&corpus_ids=%d&limit=50&fold=false", corporaPath, q, corpusID), nil).Want(t, 200)
		for i := range a.Len("data.passages") {
			at := fmt.Sprintf("data.passages.%d.", i)
			out = append(out, fmt.Sprintf("%s %v %v %v %v %v %v", a.String(at+"title"), a.At(at+"version"), a.At(at+"start"), a.At(at+"end"), a.At(at+"score"), a.At(at+"lexical"), a.At(at+"coverage")))
		}
	}
	if len(out) < 20 {
		t.Fatalf("too little is found: %v", out)
	}
	return out
}

func sendBundle(c *servertest.Client, bundle []byte, fields map[string]string) servertest.Answer {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		_ = w.WriteField(k, v)
	}
	p, _ := w.CreateFormFile("bundle", "x.atrium")
	_, _ = p.Write(bundle)
	_ = w.Close()
	return c.Raw("POST", "/api/v2/bundles/import", w.FormDataContentType(), &b)
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestACorpusAnswersAlikeInAnotherOrganizationOnTheOtherEngine(t *testing.T) {
	t.Parallel()
	other := map[db.Engine]db.Engine{db.SQLite: db.Postgres, db.Postgres: db.SQLite}
	for from, to := range other {
		t.Run(string(from)+" to "+string(to), func(t *testing.T) {
			t.Parallel()
			here, there := servertest.Start(t, from), servertest.Start(t, to)
			c, d := here.Admin(t), there.Neighbour(t)
			_, id := addBirds(t, c)
			here.Person(t, "vera@example.com")
			c.Do("POST", fmt.Sprintf("%s/%d/permissions", corporaPath, id), map[string]any{"user_email": "vera@example.com", "role": "Editor"}).Want(t, 201)

			file := c.Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, id), nil).Want(t, 200).Body
			if strings.Contains(string(file), servertest.APIKey) || strings.Contains(string(file), servertest.AppSecret) {
				t.Error("a secret is in the bundle")
			}
			a := sendBundle(d, file, map[string]string{"sha256": strings.ToUpper(hexSum(file))}).Want(t, 201)
			made := a.ID("data.corpora.0.id")
			if diff := cmp.Diff(birdsFound(t, c, id), birdsFound(t, d, made)); diff != "" {
				t.Error(diff)
			}
			if n := a.Len("data.missing"); n != 2 || !strings.Contains(string(a.Body), "vera@example.com is not known here") {
				t.Errorf("missing: %s", a.Body)
			}
			if got, want := birdsListed(t, d, made), birdsListed(t, c, id); cmp.Diff(got, want) != "" {
				t.Error(cmp.Diff(want, got))
			}
			settings := d.Do("GET", fmt.Sprintf("%s/%d", corporaPath, made), nil).Want(t, 200)
			if settings.String("data.description") != "All about birds" || settings.At("data.restrict_to_viewers") != true || settings.String("data.tags.0") != "zoo" {
				t.Errorf("settings: %s", settings.Body)
			}
			// What was cut before is read anew with what is here.
			broken := d.Do("GET", fmt.Sprintf("%s/%d/documents?is_failed=true", corporaPath, made), nil).Want(t, 200).ID("data.documents.0.id")
			d.Do("POST", fmt.Sprintf("/api/v2/documents/%d/refresh", broken), nil)
			// It goes on as a corpus of its own.
			uploadBird(d, t, made, "storks.md", "# Storks\n\nStorks clatter with their bills.")
			again := d.Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, made), nil).Want(t, 200).Body
			sendBundle(d, again, nil).Want(t, 201)
		})
	}
}

// listed are the documents with what anybody sees of them, and the first words
// of their originals and of what was quoted before.
func birdsListed(t *testing.T, c *servertest.Client, corpusID int64) []string {
	t.Helper()
	a := c.Do("GET", fmt.Sprintf("%s/%d/documents?page_size=200&sort=id", corporaPath, corpusID), nil).Want(t, 200)
	var out []string
	for i := range a.Len("data.documents") {
		at := fmt.Sprintf("data.documents.%d.", i)
		var s []string
		for _, f := range []string{"name", "content_type", "media_type", "size", "step", "is_failed", "failure_code", "failure_reason", "version", "pieces", "pages", "tags", "created_on"} {
			s = append(s, fmt.Sprint(a.At(at+f)))
		}
		for v := 1; v <= int(a.At(at+"version").(float64)); v++ {
			p := c.Do("GET", fmt.Sprintf("/api/v2/documents/%d/passage?version=%d&start=0&end=60", a.ID(at+"id"), v), nil).Want(t, 200)
			path := p.String("data.access_url")
			path = path[strings.Index(path, "/api/"):]
			s = append(s, p.String("data.quote"), hexSum(c.Do("GET", path, nil).Want(t, 200).Body))
		}
		out = append(out, strings.Join(s, " | "))
	}
	return out
}

func TestAnAgentComesWithItsCorporaAndPeople(t *testing.T) {
	t.Parallel()
	servertest.Each(t, func(t *testing.T, h *servertest.Harness) {
		c := h.Admin(t)
		id, corpusID := addBirds(t, c)
		more := c.Do("POST", corporaPath, map[string]any{"name": "Fish"}).Want(t, 201).ID("data.id")
		uploadBird(c, t, more, "pike.md", "# Pike\n\nPike hide in the water between reeds.")
		c.Do("POST", fmt.Sprintf("/api/v2/agents/%d/corpora/%d", id, more), map[string]any{"is_enabled": false}).Want(t, 201)
		vera := h.Person(t, "vera@example.com")
		c.Do("POST", fmt.Sprintf("%s/%d/permissions", corporaPath, corpusID), map[string]any{"user_email": "vera@example.com", "role": "Editor"}).Want(t, 201)
		starters := []string{"Where do herons stand?", "What do owls hunt?", "How do waders eat?", "Which birds nest in colonies?"}
		c.Do("PUT", fmt.Sprintf("/api/v2/agents/%d/conversation-starters", id), map[string]any{"questions": starters}).Want(t, 200)
		file := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/export", id), nil).Want(t, 200).Body
		vera.Do("GET", fmt.Sprintf("/api/v2/agents/%d/export", id), nil).Want(t, 403)
		vera.Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, corpusID), nil).Want(t, 403)
		h.Neighbour(t).Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, corpusID), nil).Want(t, 404)

		a := sendBundle(c, file, nil).Want(t, 201)
		made := a.ID("data.agent_id")
		if a.Len("data.missing") != 0 || a.Len("data.corpora") != 2 {
			t.Errorf("imported: %s", a.Body)
		}
		was, is := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d", id), nil), c.Do("GET", fmt.Sprintf("/api/v2/agents/%d", made), nil)
		drop := func(a servertest.Answer) map[string]any {
			m := maps.Clone(a.At("data").(map[string]any))
			for _, k := range []string{"id", "created_on", "modified_on"} {
				delete(m, k)
			}
			return m
		}
		if d := cmp.Diff(drop(was), drop(is)); d != "" {
			t.Error(d)
		}
		if a := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/conversation-starters", made), nil).Want(t, 200); a.Len("data.conversation_starters") != 4 || a.String("data.conversation_starters.3.question") != starters[3] {
			t.Errorf("starters: %s", a.Body)
		}
		links := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/corpora", made), nil).Want(t, 200)
		if links.Len("data.items.agent_corpus") != 2 || links.At("data.items.agent_corpus.0.is_default") != true || links.At("data.items.agent_corpus.1.is_enabled") != false {
			t.Errorf("connections: %s", links.Body)
		}
		mine := links.ID("data.items.agent_corpus.0.corpus.id")
		if d := cmp.Diff(birdsFound(t, c, corpusID), birdsFound(t, c, mine)); d != "" {
			t.Error(d)
		}
		vera.Do("PUT", fmt.Sprintf("%s/%d", corporaPath, mine), map[string]any{"description": "an Editor may"}).Want(t, 200)

		// Vera takes her own agent along, but not the corpus that she may only edit.
		hers := vera.Do("POST", "/api/v2/agents", map[string]any{"name": "Hers"}).Want(t, 201).ID("data.id")
		vera.Do("POST", fmt.Sprintf("/api/v2/agents/%d/corpora/%d", hers, corpusID), nil).Want(t, 201)
		less := vera.Do("GET", fmt.Sprintf("/api/v2/agents/%d/export", hers), nil).Want(t, 200).Body
		if strings.Contains(string(less), "blobs/1") {
			t.Error("the bundle holds files of a corpus that she may not manage")
		}
		back := sendBundle(vera, less, nil).Want(t, 201)
		if !strings.Contains(string(back.Body), "the corpus Birds_Default is not in the bundle") {
			t.Errorf("missing: %s", back.Body)
		}
		// A key with fewer scopes makes no agent.
		key := c.Do("POST", "/api/v2/api-keys", map[string]any{"name": "k", "scopes": []string{"corpus:*"}}).Want(t, 201).String("data.key")
		sendBundle(h.Anonymous(t).With("Authorization", "Bearer "+key), file, nil).Want(t, 403)
	})
}

// entryOf is one entry of a bundle that a test changes.
type entryOf struct {
	name string
	body []byte
	kind byte
}

func untarred(t *testing.T, file []byte) []entryOf {
	t.Helper()
	var out []entryOf
	r := tar.NewReader(bytes.NewReader(file))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, entryOf{h.Name, b, h.Typeflag})
	}
}

func tarred(t *testing.T, entries []entryOf) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Size: int64(len(e.body)), Mode: 0o600}
		if e.kind == tar.TypeSymlink {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if e.kind == tar.TypeReg {
			if _, err := w.Write(e.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sealed makes the manifest agree with the entries, as one does who changes both.
func resealed(t *testing.T, entries []entryOf) []entryOf {
	t.Helper()
	last := len(entries) - 1
	var m map[string]any
	if err := json.Unmarshal(entries[last].body, &m); err != nil {
		t.Fatal(err)
	}
	var list []any
	for _, e := range entries[:last] {
		list = append(list, map[string]any{"name": e.name, "size": len(e.body), "sha256": hexSum(e.body)})
	}
	m["entries"] = list
	out := slices.Clone(entries)
	out[last].body, _ = json.Marshal(m)
	return out
}

func gunzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAChangedCutOrHostileBundleIsRefusedAndStoresNothing(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.Postgres)
	rows, err := db.Open(t.Context(), db.Options{URL: h.Config.DatabaseURL})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	c := h.Admin(t)
	_, id := addBirds(t, c)
	file := c.Do("GET", fmt.Sprintf("%s/%d/export", corporaPath, id), nil).Want(t, 200).Body
	entries := untarred(t, file)
	at := func(name string) int {
		return slices.IndexFunc(entries, func(e entryOf) bool { return e.name == name })
	}
	const lines = "corpora/1/documents.jsonl.gz"
	changed := func(name string, f func([]byte) []byte) []byte {
		es := slices.Clone(entries)
		es[at(name)].body = f(slices.Clone(es[at(name)].body))
		return tarred(t, resealed(t, es))
	}
	inLines := func(old, with string) []byte {
		return changed(lines, func(b []byte) []byte {
			was := gunzipped(t, b)
			is := bytes.Replace(was, []byte(old), []byte(with), 1)
			if bytes.Equal(was, is) {
				t.Fatalf("%s is not there", old)
			}
			return gzipped(t, is)
		})
	}
	count := func() string {
		var n []string
		for _, table := range []string{"corpus", "document", "document_version", "piece", "corpus_grant", "agent"} {
			x, err := db.One[int](t.Context(), rows, `SELECT COUNT(*) FROM `+table)
			if err != nil {
				t.Fatal(err)
			}
			n = append(n, fmt.Sprint(table, x))
		}
		files, err := os.ReadDir(h.Config.Data + "/blobs/1")
		if err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(h.Config.Data + "/tmp")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(n, len(files), len(left))
	}
	before := count()
	bad := map[string][]byte{
		"empty":            {},
		"no archive":       []byte(strings.Repeat("x", 4096)),
		"no manifest":      tarred(t, entries[:len(entries)-1]),
		"a lost file":      tarred(t, append(slices.Clone(entries[:at("blobs/2")]), entries[at("blobs/2")+1:]...)),
		"a path upwards":   tarred(t, append([]entryOf{{"../../etc/cron.d/x", []byte("x"), tar.TypeReg}}, entries...)),
		"an absolute path": tarred(t, append([]entryOf{{"/etc/cron.d/x", []byte("x"), tar.TypeReg}}, entries...)),
		"a link":           tarred(t, append([]entryOf{{"blobs/1", nil, tar.TypeSymlink}}, entries...)),
		"a folder":         tarred(t, append([]entryOf{{"blobs/", nil, tar.TypeDir}}, entries...)),
		"an entry twice":   tarred(t, append([]entryOf{entries[0]}, entries...)),
		"an unnamed file":  tarred(t, resealed(t, append([]entryOf{{"blobs/99", []byte("x"), tar.TypeReg}}, entries...))),
		"another file":     changed("blobs/1", func(b []byte) []byte { return append(b, 'x') }),
		"a bomb":           changed(lines, func([]byte) []byte { return gzipped(t, make([]byte, 64<<20)) }),
		"another format": changed("manifest.json", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"version":2,"made`), []byte(`"version":3,"made`), 1)
		}),
		"an unknown field":  inLines(`"etag"`, `"secret_setting":1,"etag"`),
		"a missing version": inLines(`"version":2`, `"version":3`),
		"a wrong step":      inLines(`"step":"completed"`, `"step":"elsewhere"`),
		"a wrong kind":      inLines(`"content_type":"file"`, `"content_type":"pipe"`),
		"no index":          inLines(`"encoded":"A`, `"encoded":"B`),
		"a huge number":     inLines(`"size":`, `"size":99999999999999999`),
		"a hostile blob":    inLines(`"blob":"blobs/1"`, `"blob":"manifest.json"`),
		"a role of its own": changed("corpora/1/corpus.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"Owner"`), []byte(`"Root"`), 1) }),
	}
	for i := 0; i < len(file)-1024; i += len(file)/5 + 1 {
		bad[fmt.Sprintf("cut at %d", i)] = file[:i]
	}
	for _, e := range []entryOf{entries[0], entries[1], entries[at("blobs/3")], entries[len(entries)-1]} {
		torn := slices.Clone(file)
		torn[bytes.Index(file, e.body)+len(e.body)/2] ^= 0x20
		bad["a bit changed in "+e.name] = torn
	}
	for name, b := range bad {
		a := sendBundle(c, b, nil)
		if a.Status != 409 && a.Status != 413 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		if name != "empty" && !strings.Contains(string(a.Body), "bundle") {
			t.Errorf("%s is refused with %s", name, a.Body)
		}
	}
	sendBundle(c, file, map[string]string{"sha256": hexSum(nil)}).Want(t, 409)
	if after := count(); after != before {
		t.Errorf("something was stored: %s before, %s after", before, after)
	}
	sendBundle(c, file, nil).Want(t, 201)
}

// Whoever adds a column says whether a bundle carries it.
func TestEveryColumnIsCarriedOrLeftOutForAReason(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	type capability struct {
		carried map[string][]string
		left    map[string]string
	}
	for _, c := range []capability{
		{document.PortableColumns(), document.Unported()}, {corpus.PortableColumns(), corpus.Unported()}, {agent.PortableColumns(), agent.Unported()},
	} {
		for table, carried := range c.carried {
			columns, err := db.All[string](context.Background(), d, `SELECT name FROM pragma_table_info('`+table+`')`)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range columns {
				if !slices.Contains(carried, name) && c.left[name] == "" {
					t.Errorf("%s.%s: a bundle neither carries nor leaves it out", table, name)
				}
			}
			for _, name := range carried {
				if !slices.Contains(columns, name) {
					t.Errorf("%s.%s is carried and not there", table, name)
				}
			}
		}
	}
}
