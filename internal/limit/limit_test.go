package limit_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"atrium/internal/fail"
	"atrium/internal/limit"
)

func TestAWindowRefusesWhatComesTooOftenAndForgetsWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := limit.New(time.Minute, "too often; wait")
		both := map[string]int{"account": 2, "address": 3}
		for range 2 {
			if err := w.Enter(both); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		err := w.Enter(both)
		if !fail.Is(err, fail.CodeTooMany) || fail.As(err).RetryAfter != 58*time.Second {
			t.Fatalf("the third is answered with %v after %v", err, fail.As(err).RetryAfter)
		}
		for i, want := range []bool{true, false} { // the refusal counted nothing
			if err := w.Enter(map[string]int{"address": 3}); (err == nil) != want {
				t.Errorf("entry %d by the address alone: %v", i+3, err)
			}
		}
		time.Sleep(time.Minute)
		if err := w.Enter(both); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

func TestWhatIsForgivenIsNotCounted(t *testing.T) {
	t.Parallel()
	w := limit.New(time.Minute, "too often; wait")
	w.Forgive("nobody")
	for range 100 {
		if err := w.Enter(map[string]int{"a": 1}); err != nil {
			t.Fatal(err)
		}
		w.Forgive("a")
	}
}

func TestManyKeysDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := limit.New(time.Minute, "too often; wait")
		for i := range 10_000 {
			_ = w.Enter(map[string]int{fmt.Sprint(i): 1})
		}
		time.Sleep(2 * time.Minute)
		_ = w.Enter(map[string]int{"one more": 1})
		if n := w.Keys(); n != 1 {
			t.Errorf("%d keys are kept", n)
		}
	})
}
