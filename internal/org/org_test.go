package org_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"atrium/internal/blob"
	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/org"
	"atrium/internal/org/orgtest"
)

var png = append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), make([]byte, 100)...)

func mounted(t *testing.T, h *orgtest.House) blob.Store {
	t.Helper()
	blobs, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	org.New(h.DB, blobs).Mount(h.API)
	return blobs
}

func each(t *testing.T, run func(*testing.T, *orgtest.House)) {
	t.Helper()
	orgtest.Each(t, func(t *testing.T, h *orgtest.House) { mounted(t, h) }, run)
}

func TestAGlobalAdminRenamesTheOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		const me = "/api/v2/organizations/me"
		h.Do("root", "PUT", me, map[string]any{"org_name": " Acme & Sons "}).Want(200, "data.org_name", "Acme & Sons", "data.domain", "acme.example", "data.id", h.Org)
		h.Do("root", "PUT", me, map[string]any{"domain": "Sons.Example", "id": h.Rival}).Want(200, "data.org_name", "Acme & Sons", "data.domain", "sons.example")
		h.Do("root", "PUT", me, map[string]any{"org_name": "  "}).Want(400)
		h.Do("root", "PUT", me, map[string]any{"domain": "no domain"}).Want(400)
		h.Do("hand", "PUT", me, map[string]any{"org_name": "Mine"}).Want(403)
		h.Do("ann", "PUT", me, map[string]any{"org_name": "Mine"}).Want(403)
		name, err := db.One[string](t.Context(), h.DB, `SELECT name FROM organization WHERE id = ?`, h.Rival)
		if err != nil || name != "Rival" {
			t.Errorf("the other organization is now %q, %v", name, err)
		}
		n, err := db.One[int](t.Context(), h.DB, `SELECT COUNT(*) FROM audit_event WHERE action = 'updateMyOrganization' AND resource_id = ?`, fmt.Sprint(h.Org))
		if err != nil || n != 2 {
			t.Errorf("%d audit events, %v", n, err)
		}
	})
}

func TestTheLogoIsAPictureThatEverybodyInTheOrganizationSees(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		ours := fmt.Sprintf("/api/v2/organizations/%d/logo", h.Org)
		h.Do("ann", "GET", ours, nil).Want(404)
		h.Upload("root", "PUT", ours, "logo", "logo.svg", png).Want(200, "data.media_type", "image/png", "data.size", len(png))
		got := h.Do("ann", "GET", ours, nil)
		if got.Status != 200 || got.Body != string(png) || got.Header.Get("Content-Type") != "image/png" || !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%d %v", got.Status, got.Header)
		}
		h.Upload("root", "PUT", ours, "logo", "logo.png", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`)).Want(415)
		h.Upload("root", "PUT", ours, "logo", "logo.png", []byte("GIF89a......")).Want(415)
		h.Upload("root", "PUT", ours, "logo", "logo.png", append(bytes.Clone(png), make([]byte, 512<<10)...)).Want(413)
		h.Upload("root", "PUT", ours, "other", "logo.png", png).Want(400)
		h.Upload("hand", "PUT", ours, "logo", "logo.png", png).Want(403)
		foreign := fmt.Sprintf("/api/v2/organizations/%d/logo", h.Rival)
		for _, method := range []string{"GET", "DELETE"} {
			none := h.Do("root", method, "/api/v2/organizations/999999/logo", nil).Want(404)
			if is := h.Do("root", method, foreign, nil).Want(404); strings.ReplaceAll(is.Body, fmt.Sprint(h.Rival), "999999") != none.Body {
				t.Errorf("%s: %s and %s", method, is.Body, none.Body)
			}
		}
		h.Upload("root", "PUT", foreign, "logo", "logo.png", png).Want(404)
		h.Do("ann", "DELETE", ours, nil).Want(403)
		h.Do("root", "DELETE", ours, nil).Want(200)
		h.Do("root", "DELETE", ours, nil).Want(200)
		h.Do("ann", "GET", ours, nil).Want(404)
	})
}

func TestAReplacedLogoLeavesNoBytesBehind(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := orgtest.New(t, d)
		blobs := mounted(t, h)
		h.API.Seal()
		ours := fmt.Sprintf("/api/v2/organizations/%d/logo", h.Org)
		for range 3 {
			h.Upload("root", "PUT", ours, "logo", "logo.png", png).Want(200)
		}
		kept := 0
		if err := blobs.Sweep(time.Now().Add(time.Hour), func(int64, string) bool { kept++; return true }); err != nil || kept != 1 {
			t.Errorf("%d blobs, %v", kept, err)
		}
	})
}
