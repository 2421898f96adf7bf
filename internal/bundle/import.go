package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Import takes the bundle that a form brings.
func (s *Bundles) Import(ctx context.Context, sc authz.Scope, form *api.Form) (Imported, error) {
	done, err := s.turn(ctx)
	if err != nil {
		return Imported{}, err
	}
	defer done()
	f, sum, err := s.receive(form)
	if f != nil {
		defer f.Close()
	}
	if err != nil {
		return Imported{}, full(err)
	}
	if want := strings.ToLower(form.Values["sha256"]); want != "" && want != sum {
		return Imported{}, fail.Conflict("the file hashes to %s and not to what was said; it is damaged or another one", sum)
	}
	b, err := open(ctx, f)
	if err != nil {
		return Imported{}, err
	}
	return s.store(ctx, sc, b)
}

// receive keeps the file of a form while it is worked on.
func (s *Bundles) receive(form *api.Form) (f *os.File, sum string, err error) {
	h := sha256.New()
	err = form.Each(func(part api.File) error {
		if f != nil {
			return fail.InvalidField("bundle", "bundle: send one bundle at a time")
		}
		var err error
		if f, err = s.scratch(); err != nil {
			return err
		}
		n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(part.Body, s.MaxBytes+1))
		if err == nil && n > s.MaxBytes {
			err = fail.TooLarge("the bundle is larger than %d MiB", s.MaxBytes>>20)
		}
		return err
	})
	if err == nil && f == nil {
		err = fail.InvalidField("bundle", "bundle: send the bundle as a multipart part with a file name")
	}
	return f, hex.EncodeToString(h.Sum(nil)), err
}

// store makes what an opened bundle holds: all of it, or nothing.
func (s *Bundles) store(ctx context.Context, sc authz.Scope, b *opened) (out Imported, err error) {
	for _, need := range s.needs(b) {
		if d := sc.Can(need); !d.Allowed {
			return Imported{}, fail.Forbidden("%s", d.Reason)
		}
	}
	first := int64(0)
	if b.manifest.Counts.Pieces > 0 {
		if first, err = s.Documents.ReservePieces(ctx, b.manifest.Counts.Pieces); err != nil {
			return Imported{}, err
		}
	}
	keys, err := s.keep(ctx, sc, b)
	if err == nil {
		err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			im := importer{s: s, sc: sc, b: b, keys: keys, first: first, out: Imported{Corpora: []ImportedCorpus{}, Missing: []string{}}}
			if err := im.all(ctx, tx); err != nil {
				return err
			}
			out = im.out
			return nil
		})
	}
	var refused *fail.Error
	if errors.As(err, &refused) || err != nil && len(keys) < b.manifest.Counts.Blobs {
		for _, key := range keys { // after another error it is not sure that nothing names them; the sweep looks
			_ = s.Documents.Blobs.Delete(sc.Org(), key)
		}
	}
	if err != nil {
		return Imported{}, err
	}
	return out, nil
}

// needs are what an import demands beyond its operation's own.
func (s *Bundles) needs(b *opened) []authz.Need {
	needs := []authz.Need{authz.To(authz.Create, authz.Corpus), authz.To(authz.Create, authz.Document)}
	if b.agent != nil {
		needs = append(needs, authz.To(authz.Create, authz.Agent))
	}
	return needs
}

// keep stores the files. On an error it answers those that were stored.
func (s *Bundles) keep(ctx context.Context, sc authz.Scope, b *opened) (map[string]string, error) {
	keys := map[string]string{}
	for i := range b.manifest.Counts.Blobs {
		name := blobName(i + 1)
		kept, err := s.Documents.Blobs.Put(ctx, sc.Org(), b.section(name), b.places[name].size)
		if err != nil {
			return keys, err
		}
		keys[name] = kept.Key
		if kept.SHA256 != b.places[name].sum {
			return keys, fail.Unavailable("the bundle changed on the server's disk while it was read; send it again")
		}
	}
	return keys, nil
}

// importer stores one bundle within a transaction.
type importer struct {
	s        *Bundles
	sc       authz.Scope
	b        *opened
	keys     map[string]string // of the files, by entry
	first    int64             // id of the first piece
	versions int               // stored
	out      Imported
}

func (im *importer) all(ctx context.Context, tx *db.Tx) error {
	var ids []int64
	for i, p := range im.b.corpora {
		id, unknown, err := im.s.Corpora.Import(ctx, tx, im.sc, p)
		if err != nil {
			return err
		}
		audit.About(ctx, id)
		ids = append(ids, id)
		im.out.Missing = append(im.out.Missing, unknown...)
		im.out.Corpora = append(im.out.Corpora, ImportedCorpus{ID: id, Name: p.Name})
		documents, err := im.documents(ctx, tx, i, id)
		if err != nil {
			return err
		}
		if err := im.sources(ctx, tx, i, id, documents); err != nil {
			return err
		}
	}
	if im.b.agent == nil {
		return nil
	}
	id, missing, err := im.s.Agents.Import(ctx, tx, im.sc, *im.b.agent, ids)
	im.out.AgentID, im.out.Missing = &id, append(im.out.Missing, missing...)
	return err
}

// documents answers the ids that they have here, in order.
func (im *importer) documents(ctx context.Context, tx *db.Tx, n int, corpusID int64) (ids []int64, err error) {
	made := &im.out.Corpora[n]
	err = im.b.each(ctx, n+1, func(r record) error {
		if d := r.Document; d != nil {
			if err := d.Check(); err != nil {
				return err
			}
			d.Blob = im.keys[d.Blob]
			d.Fetched = im.b.origins[n][len(ids)].owned
			made.Documents++
			id, err := im.s.Documents.Import(ctx, tx, im.sc, corpusID, *d)
			ids = append(ids, id)
			return err
		}
		v := r.Version
		v.Blob = im.keys[v.Blob]
		made.Versions++
		made.Pieces += len(v.Pieces)
		at := im.b.runs[im.versions]
		im.versions++
		return im.s.Documents.ImportVersion(ctx, tx, im.sc, ids[len(ids)-1], *v, im.first+at.now)
	})
	return ids, err
}

// sources makes those of a corpus. Whoever may not add a source gets none; their
// pages stay as addresses of their own.
func (im *importer) sources(ctx context.Context, tx *db.Tx, n int, corpusID int64, documents []int64) error {
	made := &im.out.Corpora[n]
	var source int64
	return im.b.eachSource(ctx, n+1, func(r sourceRecord) (err error) {
		if p := r.Source; p != nil {
			source, err = im.s.Corpora.ImportSource(ctx, tx, im.sc, corpusID, *p)
			if fail.Is(err, fail.CodeForbidden) || fail.Is(err, fail.CodeNotFound) {
				im.out.Missing = append(im.out.Missing, fmt.Sprintf("the source %s of %s was left out, for it may not be added: %s", p.Address, made.Name, fail.As(err).Message))
				return nil
			}
			made.Sources++
			return err
		}
		if source == 0 {
			return nil
		}
		document := int64(0)
		if at := r.Item.Document; at > 0 {
			document = documents[at-1]
		}
		return im.s.Corpora.ImportItem(ctx, tx, im.sc, corpusID, source, *r.Item, document)
	})
}
