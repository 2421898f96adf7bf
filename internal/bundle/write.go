package bundle

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
)

const (
	formatName    = "atrium-bundle"
	formatVersion = 1
	manifestName  = "manifest.json"
	agentName     = "agent.json"

	ofCorpus = "corpus"
	ofAgent  = "agent"
)

// manifest is the last entry; it tells what the others are.
type manifest struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	MadeBy  string    `json:"made_by"`
	MadeOn  time.Time `json:"made_on"`
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Counts  counts    `json:"counts"`
	LeftOut []string  `json:"left_out"`
	Entries []entry   `json:"entries"`
}

type counts struct {
	Corpora   int `json:"corpora"`
	Documents int `json:"documents"`
	Versions  int `json:"versions"`
	Pieces    int `json:"pieces"`
	Blobs     int `json:"blobs"`
}

type entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// record is a line of documents.jsonl.gz: a document, or a version of the last one.
type record struct {
	Document *document.Portable        `json:"document,omitempty"`
	Version  *document.PortableVersion `json:"version,omitempty"`
}

func settingsName(n int) string  { return fmt.Sprintf("corpora/%d/corpus.json", n) }
func documentsName(n int) string { return fmt.Sprintf("corpora/%d/documents.jsonl.gz", n) }
func blobName(n int) string      { return fmt.Sprintf("blobs/%d", n) }

// ExportCorpus makes the bundle of a corpus that the caller may manage.
func (s *Bundles) ExportCorpus(ctx context.Context, sc authz.Scope, id int64) (api.Content, error) {
	p, err := s.Corpora.Export(ctx, sc, id)
	if err != nil {
		return api.Content{}, err
	}
	return s.export(ctx, sc, manifest{Kind: ofCorpus, Name: p.Name}, nil, []source{{id, p}})
}

// ExportAgent makes the bundle of an agent that the caller may manage, with
// those of its corpora that they may manage too.
func (s *Bundles) ExportAgent(ctx context.Context, sc authz.Scope, id int64) (api.Content, error) {
	p, err := s.Agents.Export(ctx, sc, id)
	if err != nil {
		return api.Content{}, err
	}
	m := manifest{Kind: ofAgent, Name: p.Name}
	var from []source
	for i := range p.Corpora {
		x := &p.Corpora[i]
		c, err := s.Corpora.Export(ctx, sc, x.ID)
		switch {
		case fail.Is(err, fail.CodeNotFound) || fail.Is(err, fail.CodeForbidden):
			m.LeftOut = append(m.LeftOut, x.Name)
		case err != nil:
			return api.Content{}, err
		default:
			from = append(from, source{x.ID, c})
			x.Corpus = len(from)
		}
	}
	return s.export(ctx, sc, m, &p, from)
}

type source struct {
	id     int64
	corpus corpus.Portable
}

func (s *Bundles) export(ctx context.Context, sc authz.Scope, m manifest, a *agent.Portable, from []source) (api.Content, error) {
	// Who takes a corpus away stands in the audit log, though nothing changes.
	if err := s.DB.Tx(ctx, func(context.Context, *db.Tx) error { return nil }); err != nil {
		return api.Content{}, err
	}
	done, err := s.turn(ctx)
	if err != nil {
		return api.Content{}, err
	}
	defer done()
	f, err := s.scratch()
	if err != nil {
		return api.Content{}, full(err)
	}
	m.Format, m.Version, m.MadeBy, m.MadeOn = formatName, formatVersion, s.Version, time.Now().UTC()
	buffered := bufio.NewWriterSize(f, 1<<18)
	w := &writer{s: s, ctx: ctx, sc: sc, tar: tar.NewWriter(buffered), manifest: m, blobs: map[string]int{}}
	err = w.all(a, from)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return api.Content{}, full(err)
	}
	return api.Content{Name: strings.ReplaceAll(m.Name, "/", "-") + ".atrium", MediaType: "application/x-tar", Modified: m.MadeOn, Body: f}, nil
}

// full makes an error of a full disk one that the caller may see.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fail.Unavailable("the server has no room for the bundle; tell your administrator").Because(err)
	}
	return err
}

// writer writes a bundle entry by entry.
type writer struct {
	s        *Bundles
	ctx      context.Context
	sc       authz.Scope
	tar      *tar.Writer
	manifest manifest
	blobs    map[string]int // by key, the number of each
	keys     []blobOf
	lines    *json.Encoder // of the documents being written
}

// blobOf is a file that documents name, and what it must be.
type blobOf struct{ key, sum string }

func (w *writer) all(a *agent.Portable, from []source) error {
	if a != nil {
		if err := w.json(agentName, a); err != nil {
			return err
		}
	}
	for i, c := range from {
		if err := w.json(settingsName(i+1), c.corpus); err != nil {
			return err
		}
		if err := w.documents(i+1, c.id); err != nil {
			return err
		}
	}
	for i, b := range w.keys {
		if err := w.blob(i+1, b); err != nil {
			return err
		}
	}
	w.manifest.Counts.Corpora, w.manifest.Counts.Blobs = len(from), len(w.keys)
	if err := w.json(manifestName, w.manifest); err != nil {
		return err
	}
	return w.tar.Close()
}

func (w *writer) json(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.put(name, int64(len(b)), strings.NewReader(string(b)))
}

// put writes an entry and remembers its hash.
func (w *writer) put(name string, size int64, r io.Reader) error {
	if err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.manifest.MadeOn.Truncate(time.Second), Format: tar.FormatGNU}); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w.tar, h), canceled{w.ctx, r}); err != nil {
		return err
	}
	w.manifest.Entries = append(w.manifest.Entries, entry{name, size, hex.EncodeToString(h.Sum(nil))})
	return nil
}

// documents writes those of a corpus to a file first, for an entry begins with its size.
func (w *writer) documents(n int, corpusID int64) error {
	f, err := w.s.scratch()
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w.lines = json.NewEncoder(z)
	w.lines.SetEscapeHTML(false)
	if err := w.s.Documents.Export(w.ctx, w.sc, corpusID, w); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return w.put(documentsName(n), size, f)
}

// Document takes a document of the corpus being written.
func (w *writer) Document(d document.Portable) error {
	w.manifest.Counts.Documents++
	d.Blob = w.named(d.Blob, d.SHA256)
	return w.lines.Encode(record{Document: &d})
}

// Version takes a version of the document before.
func (w *writer) Version(v document.PortableVersion) error {
	w.manifest.Counts.Versions++
	w.manifest.Counts.Pieces += len(v.Pieces)
	v.Blob = w.named(v.Blob, v.SHA256)
	return w.lines.Encode(record{Version: &v})
}

// named is the entry of a file, which is written after the documents.
func (w *writer) named(key, sum string) string {
	if key == "" {
		return ""
	}
	n, ok := w.blobs[key]
	if !ok {
		w.keys = append(w.keys, blobOf{key, sum})
		n = len(w.keys)
		w.blobs[key] = n
	}
	return blobName(n)
}

func (w *writer) blob(n int, b blobOf) error {
	f, err := w.s.Documents.Blobs.Open(w.ctx, w.sc.Org(), b.key)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.put(blobName(n), size, f); err != nil {
		return err
	}
	if got := w.manifest.Entries[len(w.manifest.Entries)-1].SHA256; got != b.sum {
		return fail.Conflict("a stored file is not what was uploaded; tell your administrator to look at the server's disk, and upload its document again").
			Because(fmt.Errorf("bundle: blob %s hashes to %s, not %s", b.key, got, b.sum))
	}
	return nil
}

// canceled stops reading when its context ends.
type canceled struct {
	ctx context.Context
	r   io.Reader
}

func (c canceled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

var _ document.Porter = (*writer)(nil)
