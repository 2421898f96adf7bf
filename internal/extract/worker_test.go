package extract

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"atrium/internal/extract/doc"
)

func TestWhatAHelperWritesIsReadToItsEndOrToTheLimit(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	run := func(limit int64, script string) ([]byte, error) {
		return runHelper(t.Context(), sh, limit, strings.NewReader("typed"), []string{"-c", script})
	}
	const most = 8 << 20 // more than a pipe holds
	if out, err := run(most, "cat; exec head -c 3000000 /dev/zero"); err != nil || len(out) != 3000005 || string(out[:5]) != "typed" {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	_, err = run(most, "exec yes")
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != TooLarge {
		t.Errorf("without end: %v", err)
	}
	var exit *exec.ExitError
	if out, err := run(most, "echo a part; exit 3"); !errors.As(err, &exit) || string(out) != "a part\n" {
		t.Errorf("a failure: %q, %v", out, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = runHelper(ctx, sh, most, nil, []string{"-c", "exec sleep 3600"}); err == nil || ctx.Err() == nil {
		t.Errorf("asleep: %v", err)
	}
	for _, path := range []string{"", "/no/such/program"} {
		if _, err := runHelper(t.Context(), path, most, nil, nil); !errors.Is(err, doc.ErrNoHelper) {
			t.Errorf("%q: %v", path, err)
		}
	}
}
