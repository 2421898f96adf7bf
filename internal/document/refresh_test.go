package document

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atrium/internal/db"
	"atrium/internal/db/dbtest"
	"atrium/internal/source/web"
)

func TestATranscriptIsReadRefreshedAndMarkedWhenItsVideoIsGone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var gone atomic.Bool
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case gone.Load():
				http.NotFound(w, r)
			case r.URL.Path == "/watch":
				io.WriteString(w, `<script>var ytInitialPlayerResponse = {"videoDetails":{"title":"Of wombats","author":"Ann"},"captions":{"playerCaptionsTracklistRenderer":
				{"captionTracks":[{"baseUrl":"/timed","languageCode":"en"}]}}};</script>`)
			default:
				io.WriteString(w, `{"events":[{"tStartMs":0,"segs":[{"utf8":"Wombats dig burrows at night."}]}]}`)
			}
		}))
		t.Cleanup(srv.Close)
		b := newBench(t, d, func(o *Options) {
			o.Web = web.New(web.Options{Guard: o.Fetch, Delay: time.Microsecond, YouTube: srv.URL})
		})
		a := b.add(Draft{ContentType: Weblink, WeblinkType: YouTube, Source: "https://youtu.be/dQw4w9WgXcQ?t=1"})
		doc := b.completed(a.ID)
		if doc.Name != "Of wombats" || doc.Source != "https://www.youtube.com/watch?v=dQw4w9WgXcQ" || doc.WeblinkType != YouTube || doc.CheckResult != Changed || doc.Pieces != 1 {
			t.Errorf("it is %+v", doc)
		}
		if found := b.search(b.owner, "wombats burrows"); len(found) != 1 || !strings.Contains(found[0].Text, "[0:00:00] Wombats dig burrows") {
			t.Errorf("found %+v", found)
		}
		for _, x := range []struct {
			gone   bool
			result string
		}{{false, Unchanged}, {true, Removed}} {
			gone.Store(x.gone)
			if _, err := b.Refresh(t.Context(), b.owner, a.ID); err != nil {
				t.Fatal(err)
			}
			if doc := b.completed(a.ID); doc.CheckResult != x.result || doc.IsRemoved != x.gone || doc.Version != 1 {
				t.Errorf("after %s it is %+v", x.result, doc)
			}
		}
	})
}
