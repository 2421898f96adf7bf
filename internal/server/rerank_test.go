package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"atrium/internal/egress"
	"atrium/internal/embed/local/localtest"
	"atrium/internal/rerank/reranktest"
)

// rerankerFolder is where a model lies that reranks by chance.
func rerankerFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := localtest.Write(dir, localtest.TinyReranker(1)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheRerankerOfTheSettingsIsOpenedOrExplained(t *testing.T) {
	t.Parallel()
	guard := egress.New(egress.Options{})
	t.Cleanup(guard.Close)
	folder := rerankerFolder(t)
	for _, x := range []struct{ model, base, key, name, says string }{
		{},
		{model: "local:" + folder, name: "local tiny"},
		{model: "local:" + folder, base: "https://api.example.com/v1", name: "local tiny"},
		{model: "judge", base: "https://api.example.com/v1", name: "api.example.com/v1 judge"},
		{model: "judge", says: "ATRIUM_RERANK_BASE_URL is not"},
		{base: "https://api.example.com/v1", says: "ATRIUM_RERANK_MODEL is not"},
		{model: "judge", base: "api.example.com", says: "ATRIUM_RERANK_BASE_URL"},
		{model: "judge", base: "http://api.example.com/v1", key: "rk-secret", says: "ATRIUM_RERANK_API_KEY unencrypted"},
		{model: "judge", base: "https://me:rk-secret@api.example.com", says: "holds a password"},
		{model: "local:", says: "names no model"},
		{model: "local:judge", says: "atrium models pull ADDRESS --name judge"},
		{model: "local:/nowhere/at/all", says: "/nowhere/at/all, which is not there"},
	} {
		c := Defaults()
		c.Data = t.TempDir()
		c.Rerank = Model{Model: x.model, BaseURL: x.base, APIKey: x.key}
		err := c.Check()
		if x.says != "" {
			if err == nil || !strings.Contains(err.Error(), x.says) || strings.Contains(err.Error(), "rk-secret") {
				t.Errorf("%q at %q: %v, want one that says %q", x.model, x.base, err, x.says)
			}
			continue
		}
		r, oerr := newReranker(c, guard.Operator(egress.Limits{}))
		if err != nil || oerr != nil || (r == nil) != (x.name == "") || r != nil && !strings.HasPrefix(r.Name(), x.name) {
			t.Errorf("%q at %q: %v, %v, %v", x.model, x.base, r, err, oerr)
		}
	}
	c := Defaults()
	c.Data = t.TempDir()
	c.Rerank.Model = "local:" + filepath.Dir(folder)
	if _, err := newReranker(c, nil); err == nil || !strings.Contains(err.Error(), "ATRIUM_RERANK_MODEL") {
		t.Errorf("a folder without a model answers %v", err)
	}
}

func TestTheRerankerIsDescribedAfterItWasTried(t *testing.T) {
	t.Parallel()
	const key = "rk-secret-value"
	srv := httptest.NewServer(reranktest.Server(key))
	t.Cleanup(srv.Close)
	for name, x := range map[string]struct {
		model Model
		says  string
		there bool
		fails string
	}{
		"none":        {says: "none: "},
		"local":       {model: Model{Model: "local:" + rerankerFolder(t)}, says: "computed on this machine; it answered", there: true},
		"endpoint":    {model: Model{Model: "judge", BaseURL: srv.URL, APIKey: key}, says: "judge at " + srv.URL + "; it answered", there: true},
		"a wrong key": {model: Model{Model: "judge", BaseURL: srv.URL, APIKey: "wrong"}, there: true, fails: "refused the API key"},
		"no server":   {model: Model{Model: "judge", BaseURL: "http://127.0.0.1:1", APIKey: key}, there: true, fails: "cannot be reached"},
	} {
		c := Defaults()
		c.Rerank = x.model
		got, there, err := DescribeReranker(t.Context(), c)
		if there != x.there || !strings.Contains(got, x.says) || (err == nil) != (x.fails == "") || err != nil && !strings.Contains(err.Error(), x.fails) {
			t.Errorf("%s: %q, %v, %v", name, got, there, err)
		}
		if strings.Contains(got, key) || err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("%s: the key is told", name)
		}
	}
}

func TestTheKeyOfTheRerankerIsNotLogged(t *testing.T) {
	t.Parallel()
	const key = "rk-secret-value"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(key))
	}))
	t.Cleanup(srv.Close)
	guard := egress.New(egress.Options{})
	t.Cleanup(guard.Close)
	c := Defaults()
	c.Rerank = Model{Model: "judge", BaseURL: srv.URL, APIKey: key}
	r, err := newReranker(c, guard.Operator(egress.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Scores(t.Context(), "question", []string{"passage"})
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Warn("failed", "error", err, "reranker", r.Name())
	for _, word := range []string{key, "question", "passage\""} {
		if err == nil || strings.Contains(log.String(), word) {
			t.Errorf("the log says %s", log.String())
		}
	}
}
