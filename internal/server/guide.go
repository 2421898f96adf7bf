package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"atrium/docs"
	"atrium/internal/agent"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
)

// guide is the agent that knows the handbook.
var guide = agent.Draft{Name: "Guide"}

const (
	guidePrompt = "You are Guide. You help people who use, run or program against Atrium, and you know its handbook. Answer briefly and concretely, with the names of settings, pages and commands as the handbook writes them."
	guideMade   = "guide.ids"
	guideHash   = "guide.handbook"
)

// seedGuide makes the agent Guide at the first start, and keeps its corpus in
// step with the handbook of this build. An agent that was deleted stays so.
func (s *Server) seedGuide(ctx context.Context) error {
	type seeded struct {
		Agent  int64 `json:"agent"`
		Corpus int64 `json:"corpus"`
	}
	sc, err := s.adminScope(ctx)
	if err != nil {
		return err
	}
	ids, err := setting[seeded](ctx, s.db, guideMade)
	if errors.Is(err, db.ErrNone) {
		err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			d := guide
			access, about, prompt := string(agent.Everyone), "Knows Atrium's own handbook: how to use it, run it and program against it.", guidePrompt
			q1, q2, q3 := "How do I add my own documents?", "How do I connect a language model?", "How do I stream an answer over the API?"
			d.Access, d.Description, d.PrefixPrompt, d.SampleQ1, d.SampleQ2, d.SampleQ3 = &access, &about, &prompt, &q1, &q2, &q3
			if ids.Agent, ids.Corpus, err = s.agents.CreateIn(ctx, tx, sc, d); err != nil {
				return err
			}
			return keep(ctx, tx, guideMade, ids)
		})
	}
	if err != nil {
		return fmt.Errorf("make the agent Guide: %w", err)
	}
	hash := handbookHash()
	if was, err := setting[string](ctx, s.db, guideHash); err == nil && was == hash {
		return nil
	}
	if err := document.MayOn(ctx, s.db, sc, ids.Corpus, authz.Edit); err != nil {
		return nil //nolint:nilerr // deleted by its organization
	}
	names, err := fs.Glob(docs.FS, "*.md")
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := fs.ReadFile(docs.FS, name)
		if err != nil {
			return err
		}
		if err := s.addPage(ctx, sc, ids.Corpus, name, b); err != nil {
			return fmt.Errorf("put %s into the handbook: %w", name, err)
		}
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return keep(ctx, tx, guideHash, hash) })
}

func (s *Server) addPage(ctx context.Context, sc authz.Scope, corpusID int64, name string, b []byte) error {
	stored, err := s.blobs.Put(ctx, sc.Org(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	_, err = s.documents.Add(ctx, sc, corpusID, document.Draft{Name: name, ContentType: document.File, MediaType: "text/markdown", Blob: stored})
	return err
}

func handbookHash() string {
	h := sha256.New()
	_ = fs.WalkDir(docs.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(docs.FS, path)
		fmt.Fprintf(h, "%s %d\n", path, len(b))
		h.Write(b)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))
}

// adminScope is the scope of the first admin, who owns what the server makes.
func (s *Server) adminScope(ctx context.Context) (authz.Scope, error) {
	type row struct {
		ID    int64  `db:"id"`
		OrgID int64  `db:"org_id"`
		Email string `db:"email"`
	}
	r, err := db.One[row](ctx, s.db, `SELECT id, org_id, email FROM users WHERE role = ? AND is_deleted = FALSE ORDER BY id LIMIT 1`, string(authz.GlobalAdmin))
	return authz.For(&authz.Principal{UserID: r.ID, OrgID: r.OrgID, Email: r.Email, Role: authz.GlobalAdmin, Scopes: []string{"*"}}), err
}

func setting[T any](ctx context.Context, q db.Querier, name string) (T, error) {
	type row struct {
		Value T `db:"value,json"`
	}
	r, err := db.One[row](ctx, q, `SELECT value FROM setting WHERE name = ?`, name)
	return r.Value, err
}

func keep(ctx context.Context, tx *db.Tx, name string, v any) error {
	_, err := db.Exec(ctx, tx, `INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, db.JSON(v))
	return err
}
