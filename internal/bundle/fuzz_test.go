package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"atrium/internal/corpus"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/retrieval"
)

// small is the bundle of a corpus with one text and one source.
func small(t testing.TB) []byte {
	t.Helper()
	sum := hex.EncodeToString(make([]byte, sha256.Size))
	var lines bytes.Buffer
	z := gzip.NewWriter(&lines)
	e := json.NewEncoder(z)
	text := "Herons stand in shallow water."
	for _, r := range []record{
		{Document: &document.Portable{Name: "herons", ContentType: document.Text, Source: text, SHA256: sum, Step: document.Completed, Version: 1, Pieces: 1}},
		{Version: &document.PortableVersion{Number: 1, SHA256: sum, ModeID: 1, Text: text, Encoded: retrieval.Encode("herons", []retrieval.Piece{{ID: 5, Text: text}}),
			Pieces: []document.PortablePiece{{ID: 5, End: len(text), Text: text}}}},
	} {
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	m := manifest{Format: formatName, Version: formatVersion, Kind: ofCorpus, Counts: counts{Corpora: 1, Documents: 1, Versions: 1, Pieces: 1, Sources: 1, Items: 1}}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	put := func(name string, b []byte) {
		h := sha256.Sum256(b)
		m.Entries = append(m.Entries, entry{name, int64(len(b)), hex.EncodeToString(h[:])})
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(b)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	settings, err := json.Marshal(corpus.Portable{Name: "Birds", Type: corpus.Knowledge, ModeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	put(settingsName(1), settings)
	put(documentsName(1), lines.Bytes())
	var sources bytes.Buffer
	e = json.NewEncoder(&sources)
	for _, r := range []sourceRecord{
		{Source: &corpus.PortableSource{Kind: corpus.Site, Address: "https://birds.example/", MaxDepth: 3, MaxPages: 200, State: corpus.Walked}},
		{Item: &corpus.PortableItem{Key: "https://birds.example/owls", Depth: 1, Outcome: "skipped"}},
	} {
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	put(sourcesName(1), sources.Bytes())
	all, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	put(manifestName, all)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func opens(t *testing.T, b []byte) (*opened, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bundle")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return open(t.Context(), f)
}

func TestASmallBundleOpens(t *testing.T) {
	t.Parallel()
	b, err := opens(t, small(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.corpora) != 1 || len(b.runs) != 1 || b.runs[0] != (run{was: 5, pieces: 1}) {
		t.Errorf("opened: %+v", b)
	}
}

// Whatever the file, it is a whole bundle or refused in words.
func FuzzAFileIsABundleOrRefusedInWords(f *testing.F) {
	whole := small(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := opens(t, b)
		var said *fail.Error
		if err != nil && !errors.As(err, &said) {
			t.Errorf("refused without words: %v", err)
		}
	})
}
