package corpus_test

import (
	"fmt"
	"testing"
)

func TestGrantsLetPeopleAndTeamsReachACorpus(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		id := h.corpus("ann")
		at := fmt.Sprintf("/api/v2/corpora/%d", id)
		bob, ed, vera := h.people["bob"].UserID, h.people["ed"].UserID, h.people["vera"].UserID
		h.do("bob", "GET", at, "").want(404)
		h.do("bob", "POST", at+"/permissions", fmt.Sprintf(`{"user_id": %d, "role": "Admin"}`, bob)).want(404)
		given := h.do("ann", "POST", at+"/permissions", fmt.Sprintf(`{"user_id": %d, "role": "Viewer"}`, bob)).want(201, "data.role", "Viewer", "data.user.email", "bob@example.com")
		one := fmt.Sprintf("%s/permissions/%d", at, given.id("data.id"))
		h.do("bob", "GET", at, "").want(200)
		h.do("bob", "PUT", at, `{"name": "Mine"}`).want(403)
		h.do("bob", "POST", at+"/permissions", fmt.Sprintf(`{"user_id": %d, "role": "Viewer"}`, ed)).want(403)
		h.do("bob", "GET", at+"/rights", "").want(403)
		h.do("ann", "POST", at+"/permissions", fmt.Sprintf(`{"user_id": %d, "role": "Admin"}`, bob)).want(409)
		h.do("ann", "POST", at+"/permissions", fmt.Sprintf(`{"user_id": %d, "role": "Admin"}`, h.people["ann"].UserID)).want(409)
		h.do("ann", "PUT", one, `{"role": "Editor"}`).want(200, "data.role", "Editor")
		h.do("bob", "PUT", at, `{"name": "Ours", "restrict_to_viewers": false}`).want(200, "data.name", "Ours")
		h.do("bob", "PUT", at, `{"restrict_to_viewers": true}`).want(403)
		h.do("ann", "PUT", at, `{"restrict_to_viewers": true}`).want(200, "data.restrict_to_viewers", true)
		h.do("bob", "DELETE", at, "").want(403)

		team := h.insert(`INSERT INTO team (org_id, name, description, is_deleted, created_by, created_on, modified_by, modified_on) VALUES (?, 'Keepers', '', FALSE, '', 0, '', 0) RETURNING id`, h.org)
		h.insert(`INSERT INTO team_user (org_id, team_id, user_id, role) VALUES (?, ?, ?, 'Member') RETURNING user_id`, h.org, team, vera)
		h.do("ann", "POST", at+"/permissions", fmt.Sprintf(`{"team_id": %d, "role": "Viewer"}`, team)).want(404) // ann is not in it
		h.do("root", "POST", at+"/permissions", fmt.Sprintf(`{"team_id": %d, "role": "Admin"}`, team)).want(201, "data.team.name", "Keepers")
		h.do("vera", "POST", at+"/permissions", `{"user_email": " ED@example.com", "role": "Viewer"}`).want(201, "data.user.id", ed)
		h.do("ann", "GET", at+"/permissions?sort=created_on", "").want(200, "data.pagination.total", 4)
		h.do("ann", "GET", at+"/permissions?search=keep", "").want(200, "data.pagination.total", 1)
		h.do("bob", "GET", fmt.Sprintf("%s/permissions/users/%d", at, vera), "").want(200, "data.pagination.total", 1, "data.permissions.0.team.id", team)
		h.do("ann", "GET", fmt.Sprintf("%s/permissions/users/%d", at, h.people["ann"].UserID), "").want(200, "data.permissions.0.id", nil, "data.permissions.0.role", "Owner")
		h.do("ann", "GET", fmt.Sprintf("%s/permissions/users/%d", at, h.people["eve"].UserID), "").want(404)

		h.do("ann", "GET", at+"/rights?sort=email&action=edit", "").want(200, "data.pagination.total", 4,
			"data.users.0.user.email", "ann@example.com", "data.users.0.actions.0.reason", "you own it",
			"data.users.1.user.email", "bob@example.com", "data.users.1.actions.0.reason", "they were made at least Viewer of it",
			"data.users.3.actions.0.reason", "a team of theirs was made at least Viewer of it")
		h.do("ann", "DELETE", fmt.Sprintf("%s/permissions/users/%d", at, h.people["ann"].UserID), "").want(409)
		h.do("ann", "DELETE", fmt.Sprintf("%s/permissions/users/%d", at, vera), "").want(404)
		h.do("ed", "DELETE", one, "").want(403)
		h.do("ed", "DELETE", fmt.Sprintf("%s/permissions/users/%d", at, ed), "").want(200) // leaves
		h.do("ed", "GET", at, "").want(404)
		h.do("ann", "DELETE", one, "").want(200)
		h.do("ann", "DELETE", one, "").want(404)
		h.do("bob", "GET", at, "").want(404)
	})
}

func TestBadGrantsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		id := h.corpus("ann")
		other := h.corpus("bob")
		at := fmt.Sprintf("/api/v2/corpora/%d/permissions", id)
		theirs := h.do("bob", "POST", fmt.Sprintf("/api/v2/corpora/%d/permissions", other), `{"user_email": "ann@example.com", "role": "Viewer"}`).want(201).id("data.id")
		for body, status := range map[string]int{
			`{}`:                                                  400,
			`{"role": "Viewer"}`:                                  400,
			`{"user_id": 1, "role": "Owner"}`:                     400,
			`{"user_id": null, "role": "Viewer"}`:                 400,
			`{"user_id": "x", "role": "Viewer"}`:                  400,
			`{"user_id": 99999, "role": "Viewer"}`:                404,
			`{"team_id": 99999, "role": "Viewer"}`:                404,
			`{"user_email": "", "role": "Viewer"}`:                404,
			`{"user_email": "eve@example.com", "role": "Viewer"}`: 404,
			fmt.Sprintf(`{"user_id": %d, "role": "Viewer"}`, h.people["eve"].UserID):               404,
			fmt.Sprintf(`{"user_id": %d, "team_id": 1, "role": "Viewer"}`, h.people["bob"].UserID): 400,
			fmt.Sprintf(`{"user_id": %d, "id": 5, "role": "Editor"}`, h.people["vera"].UserID):     201,
		} {
			if a := h.do("ann", "POST", at, body); a.status != status {
				t.Errorf("%s: %d %s", body, a.status, a.body)
			}
		}
		h.do("ann", "PUT", fmt.Sprintf("%s/%d", at, theirs), `{"role": "Admin"}`).want(404) // of another corpus
		h.do("ann", "DELETE", fmt.Sprintf("%s/%d", at, theirs), "").want(404)
	})
}
