package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"atrium/internal/bench"
)

type benchmark struct {
	Data string   `help:"Folder with the test sets; without it only speed is measured." type:"existingdir" placeholder:"DIR"`
	Only []string `help:"Measure only these parts." placeholder:"PART"`
	// Empty databases of an ordinary role; make bench gives them where it finds PostgreSQL.
	Postgres      string `hidden:"" env:"BENCH_POSTGRES_1"`
	PostgresSmall string `hidden:"" env:"BENCH_POSTGRES_2"`
}

// Run measures and prints the table.
func (b *benchmark) Run(t *terminal) error {
	for _, name := range b.Only {
		if !slices.Contains(bench.Names(), name) {
			return fmt.Errorf("there is no part %q; the parts are %s", name, strings.Join(bench.Names(), ", "))
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return bench.Run(t.ctx, bench.Options{Data: b.Data, Only: b.Only, Exe: exe, Postgres: [2]string{b.Postgres, b.PostgresSmall}, Out: t.out, Log: t.err})
}

// benchPeer is the yardstick of the bench, in a process of its own.
type benchPeer struct{}

// Run serves until it is killed.
func (benchPeer) Run(t *terminal) error { return bench.Peer(t.ctx, t.in, t.out) }
