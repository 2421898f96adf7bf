package extract

import (
	"context"
	"os"
	"testing"
)

// TestNothingIsLeftToATakenOverWorker starts a worker's walls in a process of
// their own and tries what an attacker would.
func TestNothingIsLeftToATakenOverWorker(t *testing.T) {
	t.Parallel()
	secret := file(t, "secret", "key")
	p := newPool(t, Options{Command: []string{os.Args[0], "prisoner", secret}})
	prot, err := p.Protections(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// The prisoner tells what it could do in place of the helpers.
	for _, escaped := range prot.Helpers {
		t.Errorf("a confined worker could %s (walls: %+v)", escaped, prot)
	}
	if !prot.Limits {
		t.Error("the limits were not set")
	}
}
