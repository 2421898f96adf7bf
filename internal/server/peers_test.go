package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atrium/internal/db"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

func TestAServerWhoseSettingsDoNotFitThoseOfAnotherIsRefusedOrTold(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("a1", 32)
	h := servertest.Start(t, db.Postgres, func(c *server.Config) { c.MasterKey = key })
	shared := func(c *server.Config) { // as a disk that both have is shared
		if err := os.Symlink(filepath.Join(h.Config.Data, "blobs"), filepath.Join(c.Data, "blobs")); err != nil {
			t.Fatal(err)
		}
	}
	// One after the other: they would be peers of each other.
	for name, x := range map[string]struct {
		change        func(*server.Config)
		refused, told string
	}{
		"alike":              {shared, "", ""},
		"another master key": {func(c *server.Config) { shared(c); c.MasterKey = strings.Repeat("b2", 32) }, "ATRIUM_MASTER_KEY", ""},
		"a key of its own":   {func(c *server.Config) { shared(c); c.MasterKey = "" }, "ATRIUM_MASTER_KEY", ""},
		"files of its own":   {func(*server.Config) {}, "ATRIUM_BLOB_URL", ""},
		"an embedder": {func(c *server.Config) {
			shared(c)
			c.Embed = server.Model{BaseURL: "http://127.0.0.1:9/v1", Model: "another"}
		}, "", "ATRIUM_EMBED_MODEL"},
		"another address": {func(c *server.Config) { shared(c); c.PublicURL = "https://atrium.example" }, "", "ATRIUM_PUBLIC_URL"},
	} {
		c := h.Config
		c.Data = t.TempDir()
		x.change(&c)
		var said bytes.Buffer
		s, err := server.New(t.Context(), server.Options{Config: c, Log: slog.New(slog.NewTextHandler(&said, nil))})
		if err == nil {
			figures := httptest.NewRecorder()
			s.Handler().ServeHTTP(figures, httptest.NewRequest("GET", "/metrics", nil))
			if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			if x.refused != "" {
				t.Fatalf("%s: it starts", name)
			}
			if told := strings.Contains(figures.Body.String(), "atrium_setting_differs{setting=\""+x.told+"\"} 1"); told != (x.told != "") || strings.Contains(said.String(), "another server on this database") != told {
				t.Errorf("%s: the figures tell: %v; it logs %s", name, told, said.String())
			}
			continue
		}
		if x.refused == "" || !strings.Contains(err.Error(), "has another "+x.refused+" ") || strings.Contains(err.Error(), key) {
			t.Errorf("%s: it is refused: %v", name, err)
		}
	}
}
