package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/org"
	"atrium/internal/user"
)

// masterKey is the key that is kept outside the database: from the settings,
// or a file in the data folder that only the owner reads.
func masterKey(c Config) ([]byte, error) {
	if c.MasterKey != "" {
		return decodeKey(c.MasterKey)
	}
	return keptIn(filepath.Join(c.Data, "master.key"), func() string {
		b := make([]byte, 32)
		_, _ = rand.Read(b)
		return hex.EncodeToString(b)
	}, decodeKey)
}

// keptIn reads a secret from a file, or makes it and writes the file first.
func keptIn[T any](path string, fresh func() string, decode func(string) (T, error)) (T, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(fresh())
		err = writeSecret(path, b)
	}
	var none T
	if err != nil {
		return none, fmt.Errorf("keep a secret in %s: %w", path, err)
	}
	v, err := decode(strings.TrimSpace(string(b)))
	if err != nil {
		return none, fmt.Errorf("read %s: %w", path, err)
	}
	return v, nil
}

// writeSecret writes the whole file or none of it.
func writeSecret(path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// First is what a first start made, for the message to the operator.
type First struct {
	Made       bool   // whether this start made the organization
	Email      string // of the admin
	SetupToken string // how the admin chooses a password; empty when they have one
}

// LocalKeyFile holds, in the data folder, a key with which the command line
// acts as the first admin; whoever can read it can read the database too.
const LocalKeyFile = "local.key"

// prepare makes what a server needs before it serves: the organization, its
// admin and their keys.
func (s *Server) prepare(ctx context.Context) (First, error) {
	var f First
	localKey, err := keptIn(filepath.Join(s.cfg.Data, LocalKeyFile), user.NewSecret, func(k string) (string, error) { return k, nil })
	if err != nil {
		return f, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		o, err := org.First(ctx, tx)
		if errors.Is(err, db.ErrNone) {
			f.Made = true
			_, domain, _ := strings.Cut(s.cfg.AdminEmail, "@")
			if o, _, err = org.Create(ctx, tx, s.cfg.OrgName, domain, s.cfg.AdminEmail); err != nil {
				return err
			}
			_, err = s.users.Create(ctx, tx, user.Draft{OrgID: o.ID, Email: s.cfg.AdminEmail, FirstName: "Admin", Role: authz.GlobalAdmin, Password: s.cfg.AdminPassword, By: "server"})
		}
		if err != nil {
			return err
		}
		type adminRow struct {
			ID    int64  `db:"id"`
			Email string `db:"email"`
		}
		admin, err := db.One[adminRow](ctx, tx, `SELECT id, email FROM users WHERE org_id = ? AND role = ? AND is_deleted = FALSE ORDER BY id LIMIT 1`, o.ID, string(authz.GlobalAdmin))
		if err != nil {
			return fmt.Errorf("find the first admin: %w", err)
		}
		f.Email = admin.Email
		if s.cfg.APIKey != "" {
			if err := s.users.KeepKey(ctx, tx, o.ID, admin.ID, "ATRIUM_API_KEY", s.cfg.APIKey); err != nil {
				return err
			}
		}
		return s.users.KeepKey(ctx, tx, o.ID, admin.ID, "Command line on the server", localKey)
	})
	if err != nil {
		return f, err
	}
	orgID, userID, err := s.users.Unset(ctx)
	if errors.Is(err, db.ErrNone) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if s.cfg.listensBeyondLoopback() {
		return f, errors.New("no admin has a password yet, and ATRIUM_LISTEN can be reached by others: set ATRIUM_ADMIN_PASSWORD, or start once on 127.0.0.1 and finish the setup there")
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		f.SetupToken, err = s.users.SetupToken(ctx, tx, orgID, userID)
		return err
	})
	return f, err
}

// AddOrganization makes a further organization with its admin, who chooses a
// password with the token that is answered.
func (s *Server) AddOrganization(ctx context.Context, name, adminEmail string) (setupToken string, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, domain, _ := strings.Cut(adminEmail, "@")
		o, _, err := org.Create(ctx, tx, name, domain, "server")
		if err != nil {
			return err
		}
		id, err := s.users.Create(ctx, tx, user.Draft{OrgID: o.ID, Email: adminEmail, FirstName: "Admin", Role: authz.GlobalAdmin, By: "server"})
		if err != nil {
			return err
		}
		setupToken, err = s.users.SetupToken(ctx, tx, o.ID, id)
		return err
	})
	return setupToken, err
}
