package server

import (
	"path/filepath"
	"strings"
	"testing"

	"atrium/internal/egress"
	"atrium/internal/embed/local"
	"atrium/internal/embed/local/localtest"
)

func TestTheFormerEmbedderIsOpenedWhereItCanStillBeHad(t *testing.T) {
	t.Parallel()
	guard := egress.New(egress.Options{})
	t.Cleanup(guard.Close)
	c := Defaults()
	c.Data = t.TempDir()
	for i, name := range []string{"one", "two"} {
		if err := localtest.Write(filepath.Join(c.ModelsDir(), name), localtest.Tiny(uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	c.Embed.Model = "local:two"
	m, err := local.Open(filepath.Join(c.ModelsDir(), "one"))
	if err != nil {
		t.Fatal(err)
	}
	former := m.Name()
	if e := formerEmbedder(c, guard, former); e == nil || e.Name() != former {
		t.Errorf("the model that is still there gives %v", e)
	}
	for _, name := range []string{strings.TrimRight(former, "0123456789abcdef") + "000000000000", "local gone 00", "api.example.com/v1 small", "", "local ../one 00"} {
		if e := formerEmbedder(c, guard, name); e != nil {
			t.Errorf("%q gives %s", name, e.Name())
		}
	}
	c.Embed.BaseURL = "https://api.example.com/v1/"
	if e := formerEmbedder(c, guard, "api.example.com/v1 small"); e == nil || e.Name() != "api.example.com/v1 small" {
		t.Errorf("another model of the endpoint gives %v", e)
	}
	if e := formerEmbedder(c, guard, "elsewhere.example.com/v1 small"); e != nil {
		t.Errorf("another endpoint gives %s", e.Name())
	}
}

func TestTheEmbedderOfTheSettingsIsOpenedOrExplained(t *testing.T) {
	t.Parallel()
	guard := egress.New(egress.Options{})
	t.Cleanup(guard.Close)
	folder := filepath.Join(t.TempDir(), "tiny")
	if err := localtest.Write(folder, localtest.Tiny(1)); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ model, base, name, says string }{
		{"", "", "", ""},
		{"local:" + folder, "", "local tiny", ""},
		{"local:" + folder, "https://api.example.com/v1", "local tiny", ""},
		{"small", "https://api.example.com/v1", "api.example.com/v1 small", ""},
		{"small", "", "", "ATRIUM_EMBED_BASE_URL is not"},
		{"", "https://api.example.com/v1", "", "ATRIUM_EMBED_MODEL is not"},
		{"local:", "", "", "names no model"},
		{"local:minilm", "", "", "atrium models pull minilm"},
		{"local:/nowhere/at/all", "", "", "/nowhere/at/all, which is not there"},
	} {
		c := Defaults()
		c.Data = t.TempDir()
		c.Embed.Model, c.Embed.BaseURL = x.model, x.base
		err := c.Check()
		if x.says != "" {
			if err == nil || !strings.Contains(err.Error(), x.says) {
				t.Errorf("%q at %q: %v, want one that says %q", x.model, x.base, err, x.says)
			}
			continue
		}
		e, oerr := newEmbedder(c, guard)
		if err != nil || oerr != nil || (e == nil) != (x.name == "") || e != nil && !strings.HasPrefix(e.Name(), x.name) {
			t.Errorf("%q at %q: %v, %v, %v", x.model, x.base, e, err, oerr)
		}
	}
}
