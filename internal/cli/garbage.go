package cli

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// Streams make much garbage and keep little.
	garbageOfStreams = 200
	// mostGarbage is what may wait to be collected beside large indexes, which are
	// quickly walked: nothing in them points anywhere.
	mostGarbage  = 256 << 20
	leastGarbage = 25
)

// garbage is the percentage of what lives that may wait to be collected.
func garbage(live uint64) int {
	return int(max(leastGarbage, min(garbageOfStreams, 100*mostGarbage/max(live, 1))))
}

// tendGarbage keeps the process not much larger than what it holds, until ctx ends.
// GOGC, when it is set, is the operator's word.
func tendGarbage(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(garbageOfStreams)
	set := garbageOfStreams
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		// A small difference is not worth stopping everybody for.
		if want := garbage(live[0].Value.Uint64()); want*10 > set*11 || want*11 < set*10 {
			debug.SetGCPercent(want)
			set = want
		}
	}
}
