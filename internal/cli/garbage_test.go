package cli

import "testing"

func TestLargeIndexesLeaveLessRoomForGarbage(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 200, 50 << 20: 200, 128 << 20: 200, 256 << 20: 100, 512 << 20: 50, 1 << 30: 25, 8 << 30: 25} {
		if got := garbage(live); got != want {
			t.Errorf("%d MiB live: %d %%, want %d", live>>20, got, want)
		}
	}
}
