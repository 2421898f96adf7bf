package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"

	"atrium/internal/agent"
	"atrium/internal/corpus"
	"atrium/internal/document"
	"atrium/internal/fail"
)

const (
	maxEntries  = 500_000
	maxManifest = 96 << 20
	maxSettings = 16 << 20
	maxCorpora  = 1000
	maxPieces   = 50_000_000
	// maxRecord bounds one version of one document in memory.
	maxRecord = 256 << 20
	// maxItem bounds one item of a source, which is its links.
	maxItem  = 16 << 20
	maxItems = 500_000 // of one source
	// maxRatio is how far documents may be packed; real ones are below 20.
	maxRatio = 200
)

var entryForm = regexp.MustCompile(`^(manifest\.json|agent\.json|corpora/[1-9][0-9]{0,3}/(corpus\.json|documents\.jsonl\.gz|sources\.jsonl)|blobs/[1-9][0-9]{0,6})$`)

// opened is a bundle that was read to its end and found whole.
type opened struct {
	file     *os.File
	places   map[string]place
	manifest manifest
	agent    *agent.Portable
	corpora  []corpus.Portable
	runs     []run
	origins  [][]origin // of each corpus's documents
}

// place is where the bytes of an entry stand in the file.
type place struct {
	at, size int64
	sum      string
	used     bool
}

// run is the pieces of one version, in the order of the file: the first id they
// had, how many, and the first they get.
type run struct {
	was, now int64
	pieces   int
}

// origin is how a document came to be.
type origin struct{ address, owned bool } // owned: a source fetched it

// open reads a bundle and answers it only when all of it is as it must be.
func open(ctx context.Context, f *os.File) (*opened, error) {
	b := &opened{file: f, places: map[string]place{}}
	for _, step := range []func(context.Context) error{b.walk, b.account, b.settings, b.documents, b.sources, b.blobs} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// counted tells how far a reader was read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// walk finds the entries and hashes them. Names of ours lead nowhere, so that
// nothing in the file chooses a path.
func (b *opened) walk(ctx context.Context) error {
	if _, err := b.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := &counted{r: canceled{ctx, bufio.NewReaderSize(b.file, 1<<18)}}
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return malformed("it is not an archive, or ends too early").Because(err)
		}
		switch {
		case len(b.places) >= maxEntries:
			return fail.TooLarge("the bundle has more than %d entries; export less at once", maxEntries)
		case h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0 || !entryForm.MatchString(h.Name):
			return malformed("it holds an entry that no bundle has (%.80q)", h.Name)
		}
		if _, twice := b.places[h.Name]; twice {
			return malformed("it holds %s twice", h.Name)
		}
		p := place{at: in.n, size: h.Size}
		sum := sha256.New()
		if _, err := io.CopyN(sum, t, h.Size); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return malformed("it ends too early").Because(err)
		}
		p.sum = hex.EncodeToString(sum.Sum(nil))
		b.places[h.Name] = p
	}
}

func (b *opened) section(name string) *io.SectionReader {
	p := b.places[name]
	return io.NewSectionReader(b.file, p.at, p.size)
}

// json reads a small entry. An unknown field would be a setting that is lost.
func (b *opened) json(name string, most int64, into any) error {
	p, ok := b.places[name]
	if !ok {
		return malformed("%s is missing", name)
	}
	if p.size > most {
		return fail.TooLarge("the bundle's %s is larger than %d MiB; export less at once", name, most>>20)
	}
	d := json.NewDecoder(b.section(name))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return unreadable(name, err)
	}
	p.used = true
	b.places[name] = p
	return nil
}

func unreadable(name string, err error) error {
	return fail.Conflict("the bundle's %s cannot be read; it is damaged, or was made by a newer Atrium: export it again, or update this server", name).Because(err)
}

// account compares the manifest with what is there.
func (b *opened) account(context.Context) error {
	if err := b.json(manifestName, maxManifest, &b.manifest); err != nil {
		return err
	}
	m := b.manifest
	switch {
	case m.Format != formatName:
		return fail.Conflict("this is not a bundle of Atrium")
	case m.Version < oldestVersion || m.Version > formatVersion:
		return fail.Conflict("the bundle has the format %d and this server reads %d; update the older of the two servers and export it again", m.Version, formatVersion)
	case m.Kind != ofCorpus && m.Kind != ofAgent:
		return malformed("its kind is neither corpus nor agent")
	case len(m.Entries) != len(b.places)-1:
		return malformed("it holds %d entries and its manifest names %d", len(b.places)-1, len(m.Entries))
	case m.Counts.Corpora < 0 || m.Counts.Corpora > maxCorpora || m.Kind == ofCorpus && m.Counts.Corpora != 1:
		return malformed("its number of corpora cannot be")
	}
	for _, e := range m.Entries {
		p, ok := b.places[e.Name]
		if !ok || e.Name == manifestName {
			return malformed("%.80q is missing", e.Name)
		}
		if p.size != e.Size || p.sum != e.SHA256 {
			return malformed("%s is not what was exported", e.Name)
		}
	}
	return nil
}

func (b *opened) settings(context.Context) error {
	b.corpora = make([]corpus.Portable, b.manifest.Counts.Corpora)
	for i := range b.corpora {
		if err := b.json(settingsName(i+1), maxSettings, &b.corpora[i]); err != nil {
			return err
		}
		if err := b.corpora[i].Check(); err != nil {
			return err
		}
	}
	if b.manifest.Kind == ofCorpus {
		return nil
	}
	b.agent = &agent.Portable{}
	if err := b.json(agentName, maxSettings, b.agent); err != nil {
		return err
	}
	return b.agent.Check(len(b.corpora))
}

// documents reads all of them once, and numbers their pieces.
func (b *opened) documents(ctx context.Context) error {
	var found counts
	pieces := 0
	for i := range b.corpora {
		c := checker{b: b}
		if err := b.each(ctx, i+1, c.take); err != nil {
			return err
		}
		if err := c.end(); err != nil {
			return err
		}
		found.Documents += c.count.Documents
		found.Versions += c.count.Versions
		pieces += c.count.Pieces
		b.origins = append(b.origins, c.origins)
		if pieces > maxPieces {
			return fail.TooLarge("the bundle has more than %d pieces; export less at once", maxPieces)
		}
	}
	want := b.manifest.Counts
	if found.Documents != want.Documents || found.Versions != want.Versions || pieces != want.Pieces {
		return malformed("it holds %d documents with %d pieces and its manifest counts %d with %d", found.Documents, pieces, want.Documents, want.Pieces)
	}
	order := make([]*run, len(b.runs))
	for i := range b.runs {
		order[i] = &b.runs[i]
	}
	slices.SortFunc(order, func(x, y *run) int { return cmp.Compare(x.was, y.was) })
	now := int64(0)
	for i, r := range order {
		if i > 0 && r.was < order[i-1].was+int64(order[i-1].pieces) {
			return malformed("two pieces have one number")
		}
		r.now = now
		now += int64(r.pieces)
	}
	return nil
}

// sources reads all of them once.
func (b *opened) sources(ctx context.Context) error {
	var found counts
	for i := range b.corpora {
		c := sourceChecker{origins: b.origins[i], addresses: map[string]bool{}}
		if err := b.eachSource(ctx, i+1, c.take); err != nil {
			return err
		}
		found.Sources += c.count.Sources
		found.Items += c.count.Items
	}
	if want := b.manifest.Counts; found.Sources != want.Sources || found.Items != want.Items {
		return malformed("it holds %d sources with %d items and its manifest counts %d with %d", found.Sources, found.Items, want.Sources, want.Items)
	}
	return nil
}

// sourceChecker holds each source of a corpus, and what it names, to what can be.
type sourceChecker struct {
	origins   []origin
	count     counts
	addresses map[string]bool // of the sources, with their kinds
	source    *corpus.PortableSource
	keys      map[[sha256.Size]byte]struct{} // of the source's items
}

func (c *sourceChecker) take(r sourceRecord) error {
	if p := r.Source; p != nil {
		if err := p.Check(); err != nil {
			return err
		}
		name := p.Kind + " " + p.Address
		if c.addresses[name] {
			return malformed("it holds the source %.200q twice", p.Address)
		}
		c.addresses[name] = true
		c.count.Sources++
		c.source, c.keys = p, map[[sha256.Size]byte]struct{}{}
		return nil
	}
	p := r.Item
	if c.source == nil {
		return malformed("an item belongs to no source")
	}
	if err := p.Check(*c.source); err != nil {
		return err
	}
	if at := p.Document; at > 0 {
		if at > len(c.origins) || !c.origins[at-1].address {
			return malformed("an item of the source %.200q names a document that is not there, or no address", c.source.Address)
		}
		c.origins[at-1].owned = c.origins[at-1].owned || p.IsOwned
	}
	c.count.Items++
	key := sha256.Sum256([]byte(p.Key))
	if _, twice := c.keys[key]; twice {
		return malformed("the source %.200q has an item twice", c.source.Address)
	}
	if c.keys[key] = struct{}{}; len(c.keys) > maxItems {
		return fail.TooLarge("a source of the bundle has more than %d items; export less at once", maxItems)
	}
	return nil
}

// blobs are all there and all named.
func (b *opened) blobs(context.Context) error {
	n := 0
	for name, p := range b.places {
		if !p.used {
			return malformed("nothing names its entry %s", name)
		}
		if len(name) > 6 && name[:6] == "blobs/" {
			n++
		}
	}
	if n != b.manifest.Counts.Blobs {
		return malformed("it holds %d files and its manifest counts %d", n, b.manifest.Counts.Blobs)
	}
	return nil
}

// each gives the lines of a corpus's documents in order.
func (b *opened) each(ctx context.Context, n int, take func(record) error) error {
	name := documentsName(n)
	p, ok := b.places[name]
	if !ok {
		return malformed("%s is missing", name)
	}
	p.used = true
	b.places[name] = p
	z, err := gzip.NewReader(canceled{ctx, bufio.NewReader(b.section(name))})
	if err != nil {
		return unreadable(name, err)
	}
	return lines(ctx, name, &unpacked{r: z, left: p.size*maxRatio + 1<<20, name: name}, maxRecord, func(r record) error {
		if (r.Document == nil) == (r.Version == nil) {
			return malformed("%s has a line that is neither a document nor a version", name)
		}
		return take(r)
	})
}

// eachSource gives the lines of a corpus's sources in order; older bundles, and
// corpora without a source, have none.
func (b *opened) eachSource(ctx context.Context, n int, take func(sourceRecord) error) error {
	name := sourcesName(n)
	p, ok := b.places[name]
	if !ok {
		return nil
	}
	p.used = true
	b.places[name] = p
	return lines(ctx, name, canceled{ctx, b.section(name)}, maxItem, func(r sourceRecord) error {
		if (r.Source == nil) == (r.Item == nil) {
			return malformed("%s has a line that is neither a source nor an item", name)
		}
		return take(r)
	})
}

// unpacked refuses what unpacks to more than an export packs.
type unpacked struct {
	r    io.Reader
	left int64
	name string
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if u.left -= int64(n); u.left <= 0 {
		return 0, fail.TooLarge("the bundle's %s unpacks to much more than documents do; it was not made by an export", u.name)
	}
	return n, err
}

// lines decodes the lines of an entry. An unknown field would be a setting that is lost.
func lines[T any](ctx context.Context, name string, from io.Reader, most int, take func(T) error) error {
	in := bufio.NewReaderSize(from, 1<<18)
	var line []byte
	for {
		var err error
		line, err = readLine(in, line[:0], most)
		var refused *fail.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused):
			return err
		case errors.Is(err, errLine):
			return fail.TooLarge("a line of the bundle's %s is larger than %d MiB", name, most>>20)
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil && !errors.Is(err, io.EOF):
			return unreadable(name, err)
		}
		var r T
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			return unreadable(name, err)
		}
		if err := take(r); err != nil {
			return err
		}
	}
}

var errLine = errors.New("bundle: a line is too long")

func readLine(in *bufio.Reader, line []byte, most int) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if line = append(line, part...); len(line) > most {
			return nil, errLine
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// checker holds each document to what it says of itself.
type checker struct {
	b     *opened
	count counts
	name  string
	want  int // versions of the document
	got   int
	last  int // pieces of its newest version

	origins []origin
}

func (c *checker) take(r record) error {
	if d := r.Document; d != nil {
		if err := c.end(); err != nil {
			return err
		}
		if err := d.Check(); err != nil {
			return err
		}
		c.count.Documents++
		c.origins = append(c.origins, origin{address: d.ContentType == document.Weblink})
		c.name, c.want, c.got, c.last = d.Name, d.Version, 0, d.Pieces
		return c.blob(d.Blob, d.SHA256)
	}
	v := r.Version
	c.got++
	newest := c.got == c.want
	if v.Number != c.got || c.got > c.want || newest && len(v.Pieces) != c.last {
		return malformed("the versions of the document %.80q are not those it says it has", c.name)
	}
	if err := v.Check(newest); err != nil {
		return err
	}
	c.count.Versions++
	c.count.Pieces += len(v.Pieces)
	c.b.runs = append(c.b.runs, run{was: v.Pieces[0].ID, pieces: len(v.Pieces)})
	return c.blob(v.Blob, v.SHA256)
}

func (c *checker) end() error {
	if c.got != c.want {
		return malformed("the document %.80q has %d versions and says %d", c.name, c.got, c.want)
	}
	return nil
}

// blob marks a file as named; it is what its document says.
func (c *checker) blob(name, sum string) error {
	if name == "" {
		return nil
	}
	p, ok := c.b.places[name]
	if !ok || p.sum != sum || name == manifestName {
		return malformed("the file of the document %.80q is not there, or another", c.name)
	}
	p.used = true
	c.b.places[name] = p
	return nil
}
