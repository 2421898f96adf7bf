package blob_test

import (
	"testing"

	"atrium/internal/blob"
	"atrium/internal/blob/blobtest"
)

func TestADiskDoesWhatAStoreHasToDo(t *testing.T) {
	t.Parallel()
	s, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Contract(t, s)
}
