package s3

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"atrium/internal/blob/blobtest"
	"atrium/internal/egress"
	"atrium/internal/fail"
)

func bucket(t *testing.T) (address string, stop func()) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return "s3://files/some/where?region=eu-1&endpoint=" + server.URL, server.Close
}

func options(t *testing.T, address string) Options {
	t.Helper()
	g := egress.New(egress.Options{})
	t.Cleanup(g.Close)
	return Options{URL: address, AccessKey: "key", SecretKey: "secret", Client: g.Operator(egress.Limits{}).Transport, Dir: t.TempDir()}
}

func TestABucketDoesWhatAStoreHasToDo(t *testing.T) {
	t.Parallel()
	address, _ := bucket(t)
	s, err := Open(t.Context(), options(t, address))
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Contract(t, s)
}

func TestABucketThatIsNotThereIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	address, _ := bucket(t)
	if _, err := Open(t.Context(), options(t, strings.Replace(address, "files", "other", 1))); err == nil || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("another bucket: %v", err)
	}
	for _, bad := range []string{"", "/files", "https://files", "s3://", "s3://user:pass@files", "s3://files?endpoint=files", "s3://files?endpoint=http://x/path", "s3://files?key=1"} {
		if err := Check(bad); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
	if err := Check("s3://files"); err != nil {
		t.Error(err)
	}
}

func TestAStoreThatIsAwayIsSaidInWords(t *testing.T) {
	t.Parallel()
	address, stop := bucket(t)
	s, err := Open(t.Context(), options(t, address))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := s.Put(t.Context(), 1, strings.NewReader("text"), 10); !fail.Is(err, fail.CodeUnavailable) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Open(t.Context(), 1, strings.Repeat("A", 26)); !fail.Is(err, fail.CodeUnavailable) {
		t.Errorf("Open: %v", err)
	}
	if strings.Contains(fail.As(explain(t.Context(), http.ErrBodyNotAllowed)).Message, "http") {
		t.Error("what is internal is shown")
	}
}
