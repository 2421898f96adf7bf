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
	formatVersion = 2
	oldestVersion = 1 // without sources
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
	Sources   int `json:"sources"`
	Items     int `json:"items"` // of sources
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

// sourceRecord is a line of sources.jsonl: a source, or an item of the last one.
type sourceRecord struct {
	Source *corpus.PortableSource `json:"source,omitempty"`
	Item   *corpus.PortableItem   `json:"item,omitempty"`
}

func settingsName(n int) string  { return fmt.Sprintf("corpora/%d/corpus.json", n) }
func documentsName(n int) string { return fmt.Sprintf("corpora/%d/documents.jsonl.gz", n) }
func sourcesName(n int) string   { return fmt.Sprintf("corpora/%d/sources.jsonl", n) }
func blobName(n int) string      { return fmt.Sprintf("blobs/%d", n) }

// ExportCorpus makes the bundle of a corpus that the caller may manage.
func (s *Bundles) ExportCorpus(ctx context.Context, sc authz.Scope, id int64) (api.Content, error) {
	p, err := s.Corpora.Export(ctx, sc, id)
	if err != nil {
		return api.Content{}, err
	}
	return s.export(ctx, sc, manifest{Kind: ofCorpus, Name: p.Name}, nil, []part{{id, p}})
}

// ExportAgent makes the bundle of an agent that the caller may manage, with
// those of its corpora that they may manage too.
func (s *Bundles) ExportAgent(ctx context.Context, sc authz.Scope, id int64) (api.Content, error) {
	p, err := s.Agents.Export(ctx, sc, id)
	if err != nil {
		return api.Content{}, err
	}
	m := manifest{Kind: ofAgent, Name: p.Name}
	var from []part
	for i := range p.Corpora {
		x := &p.Corpora[i]
		c, err := s.Corpora.Export(ctx, sc, x.ID)
		switch {
		case fail.Is(err, fail.CodeNotFound) || fail.Is(err, fail.CodeForbidden):
			m.LeftOut = append(m.LeftOut, x.Name)
		case err != nil:
			return api.Content{}, err
		default:
			from = append(from, part{x.ID, c})
			x.Corpus = len(from)
		}
	}
	return s.export(ctx, sc, m, &p, from)
}

type part struct {
	id     int64
	corpus corpus.Portable
}

func (s *Bundles) export(ctx context.Context, sc authz.Scope, m manifest, a *agent.Portable, from []part) (api.Content, error) {
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
	lines    *json.Encoder // of the documents or sources being written
	places   map[int64]int // of the documents of the corpus being written, from 1 on
}

// blobOf is a file that documents name, and what it must be.
type blobOf struct{ key, sum string }

func (w *writer) all(a *agent.Portable, from []part) error {
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
		if err := w.sources(i+1, c.id); err != nil {
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
	w.lines, w.places = json.NewEncoder(z), map[int64]int{}
	w.lines.SetEscapeHTML(false)
	if err := w.s.Documents.Export(w.ctx, w.sc, corpusID, w); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return w.file(documentsName(n), f)
}

// file puts what was written to a file.
func (w *writer) file(name string, f io.ReadSeeker) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return w.put(name, size, f)
}

// sources writes those of a corpus, whose documents were written before; without
// any there is no entry. They are not packed: an item is smaller than its page,
// and what is not packed cannot unpack to anything.
func (w *writer) sources(n int, corpusID int64) error {
	f, err := w.s.scratch()
	if err != nil {
		return err
	}
	defer f.Close()
	before := w.manifest.Counts.Sources
	out := bufio.NewWriterSize(f, 1<<16)
	w.lines = json.NewEncoder(out)
	w.lines.SetEscapeHTML(false)
	if err := w.s.Corpora.ExportSources(w.ctx, w.sc, corpusID, w); err != nil {
		return err
	}
	if err := out.Flush(); err != nil || w.manifest.Counts.Sources == before {
		return err
	}
	return w.file(sourcesName(n), f)
}

// Source takes a source of the corpus being written.
func (w *writer) Source(p corpus.PortableSource) error {
	w.manifest.Counts.Sources++
	return w.lines.Encode(sourceRecord{Source: &p})
}

// Item takes an item of the source before. A document that came after the others
// were written is not in the bundle; its page is fetched anew.
func (w *writer) Item(p corpus.PortableItem) error {
	w.manifest.Counts.Items++
	if p.DocumentID != nil && !p.IsDeleted {
		p.Document = w.places[*p.DocumentID]
		p.IsOwned = p.IsOwned && p.Document != 0
	}
	return w.lines.Encode(sourceRecord{Item: &p})
}

// Document takes a document of the corpus being written.
func (w *writer) Document(d document.Portable) error {
	w.manifest.Counts.Documents++
	w.places[d.ID] = len(w.places) + 1
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
	if err := w.file(blobName(n), f); err != nil {
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

var (
	_ document.Porter     = (*writer)(nil)
	_ corpus.SourcePorter = (*writer)(nil)
)
