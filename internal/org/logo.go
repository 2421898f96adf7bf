package org

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"atrium/internal/api"
	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/db"
	"atrium/internal/fail"
)

const (
	maxLogo   = 512 << 10
	formSlack = 16 << 10 // of the form around the picture
)

// pictures are what a browser shows and never runs, with the ending of their files.
var pictures = map[string]string{"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}

// Organizations is everything that is done to an organization itself.
type Organizations struct {
	db    *db.DB
	blobs blob.Store
}

// New makes Organizations.
func New(d *db.DB, b blob.Store) *Organizations { return &Organizations{db: d, blobs: b} }

// Patch changes an organization: only what is sent.
type Patch struct {
	Name   *string `json:"org_name,omitempty" nullable:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00]*[^\\s\\x00][^\\x00]*$" patternDescription:"text that is not blank"`
	Domain *string `json:"domain,omitempty" nullable:"true" maxLength:"253" pattern:"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)?$" patternDescription:"a domain such as example.com, or nothing"`
}

// Logo is the picture of an organization, without its bytes.
type Logo struct {
	MediaType string `json:"media_type" enum:"image/png,image/jpeg,image/webp"`
	Size      int64  `json:"size"`
}

// Own refuses an organization that is not the caller's, as if it did not exist.
func Own(sc authz.Scope, id int64) error {
	if id == 0 || id != sc.Org() {
		return fail.NotFound("organization %d is unknown or not visible to you; check the id", id)
	}
	return nil
}

// Lock makes the transactions that call it go one after the other within an
// organization. Rows that refer to it are not held up.
func Lock(ctx context.Context, tx *db.Tx, orgID int64) error {
	_, err := db.One[int64](ctx, tx, `SELECT id FROM organization WHERE id = ?`+tx.Pick(``, ` FOR NO KEY UPDATE`), orgID)
	return err
}

// Update changes what is sent of the caller's organization.
func (o *Organizations) Update(ctx context.Context, sc authz.Scope, p Patch) (Organization, error) {
	var out Organization
	err := o.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		audit.About(ctx, sc.Org())
		was, err := db.One[Organization](ctx, tx, `SELECT id, name, domain FROM organization WHERE id = ?`+tx.Pick(``, ` FOR NO KEY UPDATE`), sc.Org())
		if err != nil {
			return err
		}
		out = was
		if p.Name != nil {
			out.Name = strings.TrimSpace(*p.Name)
		}
		if p.Domain != nil {
			out.Domain = strings.ToLower(*p.Domain)
		}
		audit.Tell(ctx, "from", was)
		_, err = db.Exec(ctx, tx, `UPDATE organization SET name = ?, domain = ? WHERE id = ?`, out.Name, out.Domain, sc.Org())
		return err
	})
	return out, err
}

type logoRow struct {
	Name string `db:"name"`
	Key  string `db:"logo_key"`
	Type string `db:"logo_type"`
}

func logoOf(ctx context.Context, q db.Querier, orgID int64) (logoRow, error) {
	return db.One[logoRow](ctx, q, `SELECT name, logo_key, logo_type FROM organization WHERE id = ?`, orgID)
}

// Logo opens the organization's picture.
func (o *Organizations) Logo(ctx context.Context, sc authz.Scope, id int64) (api.Content, error) {
	if err := Own(sc, id); err != nil {
		return api.Content{}, err
	}
	l, err := logoOf(ctx, o.db, id)
	if err != nil {
		return api.Content{}, err
	}
	if l.Key == "" {
		return api.Content{}, fail.NotFound("the organization has no logo; a Global Admin can set one")
	}
	body, err := o.blobs.Open(ctx, id, l.Key)
	return api.Content{Name: "logo" + pictures[l.Type], MediaType: l.Type, Body: body}, err
}

// SetLogo stores the picture in the form's field logo; the one before goes.
func (o *Organizations) SetLogo(ctx context.Context, sc authz.Scope, id int64, f *api.Form) (Logo, error) {
	if err := Own(sc, id); err != nil {
		return Logo{}, err
	}
	var picture []byte
	err := f.Each(func(part api.File) error {
		if part.Field != "logo" || picture != nil {
			return nil
		}
		var err error
		picture, err = io.ReadAll(io.LimitReader(part.Body, maxLogo+1))
		return err
	})
	if err != nil {
		return Logo{}, err
	}
	l := Logo{MediaType: http.DetectContentType(picture), Size: int64(len(picture))}
	switch {
	case len(picture) == 0:
		return Logo{}, fail.InvalidField("logo", "logo: send the picture as a file in the field logo")
	case l.Size > maxLogo:
		return Logo{}, fail.TooLarge("logo: the picture is larger than %d KiB; make it smaller", maxLogo>>10)
	case pictures[l.MediaType] == "":
		return Logo{}, fail.Unsupported("logo: this is no PNG, JPEG or WebP picture; convert it to one of them")
	}
	b, err := o.blobs.Put(ctx, id, bytes.NewReader(picture), maxLogo)
	if err != nil {
		return Logo{}, err
	}
	if err := o.replace(ctx, id, b.Key, l.MediaType); err != nil {
		return Logo{}, errors.Join(err, o.blobs.Delete(id, b.Key))
	}
	return l, nil
}

// DeleteLogo takes the picture away; none to begin with is fine.
func (o *Organizations) DeleteLogo(ctx context.Context, sc authz.Scope, id int64) error {
	if err := Own(sc, id); err != nil {
		return err
	}
	return o.replace(ctx, id, "", "")
}

func (o *Organizations) replace(ctx context.Context, id int64, key, mediaType string) error {
	return o.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := Lock(ctx, tx, id); err != nil {
			return err
		}
		was, err := logoOf(ctx, tx, id)
		if err != nil {
			return err
		}
		audit.Tell(ctx, "logo", map[string]any{"from": was.Type, "to": mediaType})
		if was.Key != "" {
			// A failure leaves bytes that the hourly sweep removes.
			tx.AfterCommit(func() { _ = o.blobs.Delete(id, was.Key) })
		}
		_, err = db.Exec(ctx, tx, `UPDATE organization SET logo_key = ?, logo_type = ? WHERE id = ?`, key, mediaType, id)
		return err
	})
}
