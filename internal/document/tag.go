package document

import (
	"context"
	"slices"
	"time"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Tagging changes the tags of something: what is not named stays.
type Tagging struct {
	Add    []string `json:"add,omitempty" nullable:"true" maxItems:"50" doc:"Tags that it gets; one that it has is no error."`
	Remove []string `json:"remove,omitempty" nullable:"true" maxItems:"50" doc:"Tags that it loses; one that it does not have is no error."`
}

// Check cleans what was sent, before anything is read.
func (t Tagging) Check() (Tagging, error) {
	var err error
	if t.Add, err = CleanTags(t.Add); err != nil {
		return t, err
	}
	if t.Remove, err = CleanTags(t.Remove); err != nil {
		return t, err
	}
	for _, x := range t.Add {
		if slices.Contains(t.Remove, x) {
			return t, fail.InvalidField("remove", "remove: the tag %q is also in add; name it once", x)
		}
	}
	return t, nil
}

// Of is the tags that come out, those that were there first.
func (t Tagging) Of(tags []string) ([]string, error) {
	out := []string{}
	for _, x := range tags {
		if !slices.Contains(t.Remove, x) {
			out = append(out, x)
		}
	}
	for _, x := range t.Add {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	if len(out) > maxTags {
		return nil, fail.InvalidField("add", "add: it would have %d tags and can have %d; remove some", len(out), maxTags)
	}
	return out, nil
}

// Retag changes the tags of a row that the caller has resolved through a scope.
// The row is locked by its first change, so that of two at once none is lost.
func Retag(ctx context.Context, tx *db.Tx, sc authz.Scope, table string, id int64, t Tagging) error {
	type tagged struct {
		Tags []string `db:"tags,json"`
	}
	was, err := db.One[tagged](ctx, tx, `UPDATE `+table+` SET modified_by = ?, modified_on = ? WHERE org_id = ? AND id = ? RETURNING tags`, sc.Email(), time.Now(), sc.Org(), id)
	if err != nil {
		return err
	}
	tags, err := t.Of(was.Tags)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `UPDATE `+table+` SET tags = ? WHERE org_id = ? AND id = ?`, db.JSON(tags), sc.Org(), id)
	return err
}

// Tag changes a document's tags.
func (s *Documents) Tag(ctx context.Context, sc authz.Scope, id int64, t Tagging) (Document, error) {
	t, err := t.Check()
	if err != nil {
		return Document{}, err
	}
	return s.change(ctx, sc, authz.Edit, id, func(ctx context.Context, tx *db.Tx, d target) error {
		return Retag(ctx, tx, sc, "document", d.ID, t)
	})
}
