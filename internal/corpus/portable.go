package corpus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/fail"
	"atrium/internal/permission"
)

// Portable is a corpus as a bundle carries it, without its documents.
type Portable struct {
	Name              string             `json:"name"`
	Description       string             `json:"description"`
	Type              string             `json:"corpus_type"`
	ModeID            int                `json:"indexing_mode_id"`
	RestrictToViewers bool               `json:"restrict_to_viewers"`
	Redaction         document.Redaction `json:"pii_redaction"`
	RefreshEnabled    bool               `json:"refresh_enabled"`
	RefreshSchedule   string             `json:"refresh_schedule"`
	Tags              []string           `json:"tags"`
	Access            []PortableGrant    `json:"access"`
}

// PortableGrant is who may reach a corpus, by what they are called everywhere.
type PortableGrant struct {
	Email string `json:"email,omitempty"`
	Team  string `json:"team,omitempty"`
	Role  string `json:"role"`
}

// PortableColumns are the columns of each table that a bundle carries.
func PortableColumns() map[string][]string {
	return map[string][]string{
		"corpus":       {"owner_id", "name", "description", "corpus_type", "indexing_mode_id", "restrict_to_viewers", "pii_redaction", "refresh_enabled", "refresh_schedule", "tags"},
		"corpus_grant": {"user_id", "team_id", "role"},
		"source": strings.Fields(`kind address max_depth max_pages include exclude tags state error
			found added changed unchanged not_modified removed skipped failed is_cut started_on ended_on`),
		"source_item": strings.Fields(`key depth is_listing is_pinned listed outcome reason etag last_modified fetched_listed leads document_id visited_on`),
	}
}

// Unported are the columns that a bundle leaves out, with the reason.
func Unported() map[string]string {
	return map[string]string{
		"org_id": "the other organization's", "id": "given anew", "corpus_id": "given anew", "index_seq": "counted anew", "is_deleted": "deleted ones stay",
		"source_id": "given anew", "run": "counted anew", "tries": "of a walk under way",
		"next_refresh_on": "reckoned anew", "last_refresh_on": "not here", "created_by": "whoever imports it", "created_on": "when it is imported", "modified_by": "whoever imports it", "modified_on": "when it is imported",
	}
}

// Export is a corpus that the caller may manage, with its access list.
func (s *Corpora) Export(ctx context.Context, sc authz.Scope, id int64) (Portable, error) {
	c, err := s.Visible(ctx, s.db, sc, id, authz.Manage)
	if err != nil {
		return Portable{}, err
	}
	p := Portable{Name: c.Name, Description: c.Description, Type: c.Type, ModeID: c.Mode.ID, RestrictToViewers: c.RestrictToViewers, Redaction: c.Redaction,
		RefreshEnabled: c.RefreshEnabled, RefreshSchedule: c.RefreshSchedule, Tags: c.Tags, Access: []PortableGrant{}}
	rows, err := db.All[grantRow](ctx, s.db, `SELECT `+grantColumns+granted+` ORDER BY g.id`, id, id)
	for _, r := range rows {
		g := PortableGrant{Role: r.Role}
		if r.Email != nil {
			g.Email = *r.Email
		}
		if r.TeamName != nil {
			g.Team = *r.TeamName
		}
		p.Access = append(p.Access, g)
	}
	return p, err
}

const maxGrants = 10_000

// Check tells what of a corpus cannot be as it says.
func (p Portable) Check() error {
	switch {
	case p.Type != Knowledge && p.Type != Attachment, modeNames[p.ModeID] == "", len(p.Name) > 800, len(p.Description) > 8000, len(p.Access) > maxGrants, len(p.Tags) > 50:
		return fail.Conflict("the bundle is not well formed: the settings of a corpus cannot be; export it again")
	case slices.ContainsFunc(p.Access, func(g PortableGrant) bool {
		return !slices.Contains([]string{"Owner", "Admin", "Editor", "Viewer"}, g.Role) || (g.Email == "") == (g.Team == "")
	}):
		return fail.Conflict("the bundle is not well formed: the access list of a corpus cannot be; export it again")
	}
	return nil
}

// Import makes the corpus within a transaction; the caller owns it. Whoever of
// its access list is unknown to the caller is told, and gets nothing. The former
// owner becomes an Admin of it.
func (s *Corpora) Import(ctx context.Context, tx *db.Tx, sc authz.Scope, p Portable) (id int64, unknown []string, err error) {
	c, err := s.Create(ctx, tx, sc, Draft{Name: p.Name, Description: p.Description, ModeID: p.ModeID, Type: p.Type, RestrictToViewers: p.RestrictToViewers, Tags: p.Tags,
		Redaction: &document.RedactionDraft{Types: p.Redaction.Types, Keep: &p.Redaction.KeepOriginal}})
	if err != nil {
		return 0, nil, err
	}
	var set []string
	var args []any
	if err := schedule(c, Patch{RefreshEnabled: &p.RefreshEnabled, RefreshSchedule: &p.RefreshSchedule}, func(column string, v any) { set, args = append(set, column+" = ?"), append(args, v) }); err != nil {
		return 0, nil, err
	}
	if _, err := db.Exec(ctx, tx, `UPDATE corpus SET `+strings.Join(set, ", ")+` WHERE org_id = ? AND id = ?`, append(args, sc.Org(), c.ID)...); err != nil {
		return 0, nil, err
	}
	may := sc.Can(authz.To(authz.Manage, authz.Corpus)).Allowed
	for _, g := range p.Access {
		who := g.Email
		if who == "" {
			who = "the team " + g.Team
		}
		userID, teamID, err := whom(ctx, tx, sc, g)
		switch {
		case errors.Is(err, db.ErrNone):
			unknown = append(unknown, fmt.Sprintf("%s is not known here and was not given the role %s on the corpus %s", who, g.Role, p.Name))
			continue
		case err != nil:
			return 0, nil, err
		case userID != nil && *userID == sc.User():
			continue
		case !may:
			unknown = append(unknown, fmt.Sprintf("your key may not say who reaches a corpus, so %s was not given the role %s on %s", who, g.Role, p.Name))
			continue
		}
		if g.Role == "Owner" {
			g.Role = "Admin"
		}
		if _, err := db.Exec(ctx, tx, `INSERT INTO corpus_grant (org_id, corpus_id, user_id, team_id, role, created_by, created_on) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			sc.Org(), c.ID, userID, teamID, g.Role, sc.Email(), c.CreatedOn); err != nil {
			return 0, nil, err
		}
	}
	return c.ID, unknown, nil
}

// whom finds a person or a team among those whom the caller sees.
func whom(ctx context.Context, q db.Querier, sc authz.Scope, g PortableGrant) (userID, teamID *int64, err error) {
	var id int64
	if g.Email != "" {
		id, err = permission.PersonCalled(ctx, q, sc, g.Email)
		return &id, nil, err
	}
	id, err = permission.TeamCalled(ctx, q, sc, g.Team)
	return nil, &id, err
}
