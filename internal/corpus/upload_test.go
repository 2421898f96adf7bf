package corpus_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const quokka = "# Quokka\n\nThe quokka is a small marsupial. It lives on Rottnest Island.\n"

func TestAFileIsUploadedPolledCitedAndDeleted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		up := h.upload("ann", c, part{"user_id", "", "7"}, part{"upload_from", "", "web"}, part{"tags", "", "zoo, zoo,wild"}, part{"source", "../zoo/quokka.md", quokka},
			part{"content_type", "", "file"}, part{"attachment", "", "true"}).want(201,
			"success", true, "message", "Document has been queued for indexing", "data.source", "quokka.md", "data.step", "pending", "data.is_failed", false, "data.name", "quokka.md", "data.content_type", "file",
			"data.size", len(quokka), "data.tags", "[zoo wild]", "data.is_attachment", true, "data.is_duplicate", false, "data.version", 0, "data.created_by", "ann@example.com", "data.warnings", "[]")
		if up.len("data.documents") != 1 || up.id("data.documents.0.id") != up.id("data.id") {
			t.Errorf("the documents are %s", up.body)
		}
		id := up.id("data.id")
		if want := fmt.Sprintf("https://atrium.example/api/v2/documents/%d", id); up.at("data.access_url") != want {
			t.Errorf("access_url is %v, want %s", up.at("data.access_url"), want)
		}
		done := h.completed(id).want(200, "data.step", "completed", "data.is_failed", false, "data.version", 1, "data.pieces", 1, "data.failure_reason", "")

		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/%d", c), "").want(200, "data.document_count", 1)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/%d/documents", c), "").want(200, "data.documents.0.id", id, "data.pagination.page_size", 200, "data.pagination.total", 1)

		url := strings.TrimPrefix(done.at("data.access_url").(string), "https://atrium.example")
		raw := h.do("ann", "GET", url, "").want(200)
		if raw.body != quokka || !strings.Contains(raw.header.Get("Content-Disposition"), `attachment; filename=quokka.md`) || raw.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("the original is %q with %v", raw.body, raw.header)
		}
		h.do("ann", "GET", url+"?convert_to_pdf=true", "").want(409)
		h.do("ann", "GET", "/api/v2/citation/nonsense", "").want(404)

		found := h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/search?query=marsupial&corpus_ids=%d", c), "").want(200, "data.passages.0.document_id", id, "data.passages.0.terms.0.found", true)
		if words, lexical := found.at("data.passages.0.parts.words").(float64), found.at("data.passages.0.lexical").(float64); words <= 0 || words > lexical {
			t.Errorf("the parts of %v have %v by words", lexical, words)
		}
		search := func(narrow string) answer {
			return h.do("ann", "GET", "/api/v2/corpora/search?query=marsupial&"+narrow, "")
		}
		search(fmt.Sprintf("document_ids=%d&mode=lexical&fold=false&around=20&modified_from=2020-01-01T00:00:00Z", id)).want(200, "data.passages.0.document_id", id, "data.passages.0.duplicates", "[]")
		search("created_before=2020-01-01T00:00:00Z").want(200, "data.passages", "[]")
		search("tags=none").want(200, "data.passages", "[]")
		search("mode=vector").want(409)
		search("document_ids=999999").want(404)
		start, end := found.id("data.passages.0.start"), found.id("data.passages.0.end")
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d/passage?version=1&start=%d&end=%d", id, start, end), "").want(200,
			"data.document_id", id, "data.version", 1, "data.title", "quokka.md", "data.page", nil, "data.quote", found.at("data.passages.0.text"), "data.heading", "Quokka")

		h.do("ann", "PUT", fmt.Sprintf("/api/v2/documents/%d", id), `{"name": "Quokkas", "tags": []}`).want(200, "data.name", "Quokkas", "data.tags", "[]")
		h.do("ann", "PUT", fmt.Sprintf("/api/v2/documents/%d", id), `{"name": null, "stray": 1}`).want(200, "data.name", "Quokkas")
		h.do("ann", "POST", fmt.Sprintf("/indexing-service/api/v2/documents/%d/refresh", id), "").want(202, "data.step", "pending")
		h.completed(id).want(200, "data.version", 1, "data.is_failed", false)
		h.do("ann", "DELETE", fmt.Sprintf("/api/v2/documents/%d", id), "").want(200, "data", nil)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d", id), "").want(404)
		h.do("ann", "GET", url, "").want(404)
		h.do("ann", "GET", "/api/v2/corpora/search?query=marsupial", "").want(200, "data.passages", "[]")
	})
}

func TestTextsAndAddressesAreUploadedInEachForm(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>Wombats</title><p>Wombats dig burrows.</p>")
	}))
	t.Cleanup(srv.Close)
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		path := fmt.Sprintf("/api/v2/corpora/%d/documents", c) // without the service's prefix
		text := h.do("ann", "POST", path, `{"content_type": "text", "source": "Numbats\n\nThey eat termites.", "attachment": false}`).want(201, "data.name", "Numbats", "data.content_type", "text", "data.source", "Numbats\n\nThey eat termites.").id("data.id")
		h.do("ann", "POST", path, `{"content_type": "text", "source": "Numbats\n\nThey eat termites."}`).want(201, "data.id", text, "data.is_duplicate", true)
		done := h.completed(text)
		raw := h.do("ann", "GET", strings.TrimPrefix(done.at("data.access_url").(string), "https://atrium.example"), "").want(200)
		if raw.body != "Numbats\n\nThey eat termites." || !strings.Contains(raw.header.Get("Content-Disposition"), "Numbats.txt") {
			t.Errorf("the text comes back as %q with %v", raw.body, raw.header)
		}
		link := h.upload("ann", c, part{"content_type", "", "weblink"}, part{"source", "", srv.URL + "/wombats"}).want(201, "data.source", srv.URL+"/wombats", "data.access_url", srv.URL+"/wombats").id("data.id")
		h.completed(link).want(200, "data.name", "Wombats", "data.is_failed", false)
		h.do("ann", "GET", path+"?content_type=weblink&is_failed=false&step=completed&search=womb&sort=-name", "").want(200, "data.pagination.total", 1, "data.documents.0.id", link)
		h.do("ann", "GET", path+"?is_failed=true", "").want(200, "data.pagination.total", 0)
	})
}

func TestManyTextsAreUploadedInOneRequest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		path := fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents/texts", c)
		up := h.do("ann", "POST", path, `{"texts": [{"text": "Numbats\n\nThey eat termites."}, {"name": "W", "text": "Wombats dig burrows.", "tags": ["zoo", "zoo "]}, {"text": "Numbats\n\nThey eat termites."}]}`).want(201,
			"data.documents.0.name", "Numbats", "data.documents.0.is_duplicate", false, "data.documents.0.step", "pending", "data.documents.1.name", "W", "data.documents.2.is_duplicate", true)
		if up.id("data.documents.0.id") != up.id("data.documents.2.id") || up.len("data.documents") != 3 {
			t.Errorf("the documents are %s", up.body)
		}
		h.completed(up.id("data.documents.0.id"))
		h.completed(up.id("data.documents.1.id")).want(200, "data.tags", "[zoo]", "data.content_type", "text")
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/search?query=burrows&corpus_ids=%d", c), "").want(200, "data.passages.0.document_id", up.id("data.documents.1.id"))

		one := `{"text": "A text."}`
		for body, field := range map[string]string{
			`{"texts": [` + one + `, {"text": " \n"}]}`:                                "texts[1].text",
			`{"texts": [` + one + `, {"name": "x"}]}`:                                  "texts[1]",
			`{"texts": [{"text": "A", "tags": ["` + strings.Repeat("x", 101) + `"]}]}`: "texts[0].tags",
			`{"texts": []}`: "texts",
			`{"texts": [` + strings.Repeat(one+", ", 500) + one + `]}`: "texts",
		} {
			refused := h.do("ann", "POST", path, body).want(400)
			if got := fmt.Sprint(refused.at("error.fields.0.field")); got != field {
				t.Errorf("%.60s: %s does not name %s", body, refused.body, field)
			}
		}
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/%d/documents", c), "").want(200, "data.pagination.total", 2)
		h.do("bob", "POST", path, `{"texts": [`+one+`]}`).want(404)
	})
}

func TestSeveralFilesBecomeADocumentEachAndSameBytesAreKnown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		up := h.upload("ann", c, part{"source", "a.md", quokka}, part{"source", "b.md", "Wombats dig burrows."}).want(201, "data.name", "a.md", "data.documents.1.name", "b.md")
		a, b := up.id("data.documents.0.id"), up.id("data.documents.1.id")
		h.completed(a)
		h.completed(b)
		h.upload("ann", c, part{"source", "a.md", quokka}).want(201, "data.id", a, "data.is_duplicate", true, "data.step", "completed")
		h.upload("ann", c, part{"source", "a.md", quokka + "More."}).want(201, "data.id", a, "data.is_duplicate", false, "data.step", "pending")
		h.completed(a).want(200, "data.version", 2)

		dup := fmt.Sprintf("/api/v2/corpora/%d/documents/duplicates", c)
		sum := fmt.Sprintf("%X", sha256.Sum256([]byte("Wombats dig burrows.")))
		h.do("ann", "POST", dup, `{"documents": ["b.md", "folder/a.md", "c.md", "b.md"], "sha256": ["`+sum+`"]}`).want(200,
			"data.duplicate_files", "[b.md folder/a.md]", "data.duplicate_content.0.document_id", b, "data.duplicate_content.0.name", "b.md")
		h.do("ann", "POST", dup, `{"documents": []}`).want(200, "data.duplicate_files", "[]", "data.duplicate_content", "[]")
		h.do("ann", "POST", dup, `{}`).want(400)

		del := fmt.Sprintf("/api/v2/corpora/%d/documents", c)
		other := h.file("ann", h.corpus("ann"), "x.md", "Elsewhere there are yaks.")
		h.do("ann", "DELETE", del, fmt.Sprintf(`{"document_ids": [%d, %d, %d]}`, a, other, a)).want(200, "data.deleted_ids", fmt.Sprintf("[%d]", a), "data.not_found_ids", fmt.Sprintf("[%d]", other))
		h.do("ann", "DELETE", del, fmt.Sprintf(`{"document_ids": [%d]}`, a)).want(200)
		h.do("ann", "DELETE", del, `{"document_ids": []}`).want(400)
		h.do("ann", "GET", del, "").want(200, "data.pagination.total", 1)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d", other), "").want(200)
	})
}

func TestABadUploadIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		tests := []struct {
			name   string
			status int
			field  string
			parts  []part
		}{
			{"no source", 400, "source", []part{{"content_type", "", "text"}}},
			{"no source of a file", 400, "source", []part{{"content_type", "", "file"}}},
			{"a file that is no file part", 400, "source", []part{{"content_type", "", "file"}, {"source", "", "hello"}}},
			{"no content type", 400, "content_type", []part{{"source", "", "hello"}}},
			{"an unknown content type", 400, "content_type", []part{{"content_type", "", "picture"}, {"source", "", "hello"}}},
			{"an empty file", 400, "source", []part{{"source", "a.txt", ""}}},
			{"an empty text", 400, "source", []part{{"content_type", "", "text"}, {"source", "", "  \n"}}},
			{"no address", 400, "source", []part{{"content_type", "", "weblink"}, {"source", "", "ftp://example.com/a"}}},
			{"two files of one name", 400, "source", []part{{"source", "a.txt", "x"}, {"source", "b/a.txt", "y"}}},
			{"an attachment of a strange kind", 400, "attachment", []part{{"source", "a.txt", "x"}, {"attachment", "", "perhaps"}}},
			{"a tag without end", 400, "tags", []part{{"source", "a.txt", "x"}, {"tags", "", strings.Repeat("t", 200)}}},
			{"a file over the limit", 413, "", []part{{"source", "ok.txt", "x"}, {"source", "a.txt", strings.Repeat("x", maxUpload+1)}}},
			{"a form over the limit", 413, "", []part{{"source", "a.txt", strings.Repeat("x", maxUpload+1<<21)}}},
		}
		for _, tt := range tests {
			a := h.upload("ann", c, tt.parts...)
			if a.status != tt.status {
				t.Errorf("%s answers %d: %s", tt.name, a.status, a.body)
				continue
			}
			if tt.field != "" {
				a.want(400, "error.fields.0.field", tt.field)
			}
		}
		path := fmt.Sprintf("/api/v2/corpora/%d/documents", c)
		h.send("ann", "POST", path, "text/plain", strings.NewReader("hello")).want(415)
		h.send("ann", "POST", path, "multipart/form-data", strings.NewReader("hello")).want(400)
		h.send("ann", "POST", path, "multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"source\"; filename=\"a\"\r\n\r\nhalf")).want(400)
		h.send("ann", "POST", path, "application/json", strings.NewReader("[1")).want(400)
		h.upload("", c, part{"source", "a.txt", "x"}).want(401)
		h.do("ann", "GET", path, "").want(200, "data.pagination.total", 0)
	})
}

func TestADocumentsNumbersAreChecked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		id := h.file("ann", h.corpus("ann"), "a.md", quokka)
		passage := fmt.Sprintf("/api/v2/documents/%d/passage", id)
		h.do("ann", "GET", passage, "").want(200, "data.start", 0)
		for _, bad := range []string{"version=0", "version=x", "start=-1", "end=0", "start=99999999999999999999"} {
			h.do("ann", "GET", passage+"?"+bad, "").want(400)
		}
		h.do("ann", "GET", passage+"?start=100000", "").want(404)
		h.do("ann", "GET", passage+"?version=7", "").want(404)
		for _, bad := range []string{"0", "-1", "x", "99999999999999999999"} {
			h.do("ann", "GET", "/api/v2/documents/"+bad, "").want(404)
		}
		for _, bad := range []string{`{"name": ""}`, `{"name": 1}`, `{"tags": [1]}`, `[]`, `{`} {
			h.do("ann", "PUT", fmt.Sprintf("/api/v2/documents/%d", id), bad).want(400)
		}
		for _, bad := range []string{"", "query=", "query=x&limit=0", "query=x&limit=201", "query=x&corpus_ids=a", "query=x&mode=guess", "query=x&around=-1",
			"query=x&document_ids=a", "query=x&created_from=yesterday", "query=x&fold=perhaps"} {
			h.do("ann", "GET", "/api/v2/corpora/search?"+bad, "").want(400)
		}
	})
}

func TestADocumentThatFailsSaysWhyAndIsCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		c := h.corpus("ann")
		id := h.upload("ann", c, part{"source", "noise.docx", "PK\x03\x04not an archive at all"}).want(201).id("data.id")
		failed := h.completed(id).want(200, "data.is_failed", true, "data.step", "extracting", "data.version", 0)
		if failed.at("data.failure_reason") == "" || failed.at("data.failure_code") == "" {
			t.Errorf("it gives no reason: %s", failed.body)
		}
		h.do("ann", "GET", fmt.Sprintf("/api/v2/corpora/%d/documents?is_failed=true", c), "").want(200, "data.documents.0.id", id)
		h.do("ann", "GET", fmt.Sprintf("/api/v2/documents/%d/passage", id), "").want(409)
		h.do("ann", "POST", fmt.Sprintf("/indexing-service/api/v2/documents/%d/refresh", id), "").want(202, "data.is_failed", false, "data.failure_reason", "")
		h.completed(id).want(200, "data.is_failed", true)
	})
}
