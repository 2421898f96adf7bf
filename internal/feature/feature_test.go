package feature_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/feature"
	"atrium/internal/org/orgtest"
)

const flags = "/api/v2/feature-flags"

func each(t *testing.T, run func(*testing.T, *orgtest.House)) {
	t.Helper()
	orgtest.Each(t, func(_ *testing.T, h *orgtest.House) {
		f := feature.New(h.DB)
		f.Mount(h.API)
		h.Feature = f.Active
	}, run)
}

func TestFlagsAreOnWhereTheirFeatureExists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		on := map[string]bool{"caching": true, "chat-agent-creation": true, "developer-portal": true, "share-agent": true}
		all := h.Do("ann", "GET", flags, nil).Want(200)
		if n := all.Len("data.items"); n != 12 {
			t.Errorf("%d flags", n)
		}
		for i := range all.Len("data.items") {
			at := fmt.Sprintf("data.items.%d.", i)
			name := all.At(at + "name").(string)
			if all.At(at+"is_active") != on[name] || all.At(at+"description") == "" {
				t.Errorf("%s: %v", name, all.At(fmt.Sprintf("data.items.%d", i)))
			}
			h.Do("ann", "GET", flags+"/"+name, nil).Want(200, "data.name", name, "data.is_active", on[name])
		}
		h.Do("", "GET", flags, nil).Want(401)
	})
}

func TestAGlobalAdminSwitchesAFlagForTheirOwnOrganizationAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		h.Do("ann", "GET", flags+"/caching", nil).Want(200, "data.is_active", true)
		h.Do("root", "PUT", flags+"/caching", map[string]any{"is_active": false}).Want(200, "data.name", "caching", "data.is_active", false)
		h.Do("ann", "GET", flags+"/caching", nil).Want(200, "data.is_active", false)
		h.Do("ed", "GET", flags+"/caching", nil).Want(200, "data.is_active", true)
		h.Do("root", "PUT", flags+"/caching", map[string]any{"is_active": true}).Want(200, "data.is_active", true)
		h.Do("ann", "GET", flags+"/caching", nil).Want(200, "data.is_active", true)
		h.Do("root", "PUT", flags+"/guardrail", map[string]any{"is_active": true}).Want(200, "data.is_active", true)
		h.Do("root", "PUT", flags+"/nonsense", map[string]any{"is_active": true}).Want(404)
		h.Do("root", "PUT", flags+"/caching", map[string]any{}).Want(400)
		h.Do("root", "PUT", flags+"/caching", map[string]any{"is_active": "yes"}).Want(400)
		for _, who := range []string{"ann", "hand"} {
			h.Do(who, "PUT", flags+"/caching", map[string]any{"is_active": false}).Want(403)
		}
	})
}

// Whoever reads while a flag is switched keeps nothing old after it.
func TestWhatIsReadDuringASwitchIsNotBelievedAfterIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *orgtest.House) {
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_, _ = h.Feature(t.Context(), h.Org, feature.Caching)
					}
				}
			})
		}
		for i := range 50 {
			want := i%2 == 1
			h.Do("root", "PUT", flags+"/caching", map[string]any{"is_active": want}).Want(200)
			if got, err := h.Feature(t.Context(), h.Org, feature.Caching); err != nil || got != want {
				t.Fatalf("switched to %v and still %v (%v)", want, got, err)
			}
		}
		close(stop)
		readers.Wait()
	})
}

func TestAnOperationOfASwitchedOffFeatureIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	orgtest.Each(t, func(_ *testing.T, h *orgtest.House) {
		f := feature.New(h.DB)
		f.Mount(h.API)
		h.Feature = f.Active
		api.None(h.API, api.Op{ID: "shareThing", Route: "GET /api/v2/things", Title: "t", Group: "g", Feature: feature.ShareAgent, Needs: authz.To(authz.View, authz.Agent)},
			func(context.Context, *struct{}) error { return nil })
	}, func(t *testing.T, h *orgtest.House) {
		h.Do("ann", "GET", "/api/v2/things", nil).Want(200)
		if err := feature.Refuse(t.Context(), h.DB, h.Org, feature.ShareAgent); err != nil {
			t.Error(err)
		}
		h.Do("root", "PUT", flags+"/share-agent", map[string]any{"is_active": false}).Want(200)
		h.Do("root", "GET", "/api/v2/things", nil).Want(403, "message", "the feature share-agent is switched off in your organization; ask a Global Admin")
		h.Do("ed", "GET", "/api/v2/things", nil).Want(200)
		if err := feature.Refuse(t.Context(), h.DB, h.Org, feature.ShareAgent); err == nil {
			t.Error("not refused")
		}
		if feature.Known("nonsense") || !feature.Known(feature.Caching) {
			t.Error("which flags are known")
		}
	})
}
