// Package bench measures this build on this machine: quality through the
// product's own ingest and search, speed against yardsticks taken in the same
// run. Nothing here is asserted; the table is for people, and for the next
// change to be compared with.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is one figure beside what it is held against.
type Row struct {
	What      string
	Figure    string
	Goal      string
	Yardstick string
}

// Options say what to measure.
type Options struct {
	Data string   // folder of test sets; empty: only what needs none
	Only []string // names of parts; empty: all but the long ones
	Exe  string   // the binary under test
	Env  []string // more settings for it, where a set is ranked
	// Postgres are two empty databases of an ordinary role, for what is measured on both
	// engines; empty: only SQLite.
	Postgres [2]string
	Out      io.Writer
	Log      io.Writer // progress
}

// part is a group of measurements.
type part struct {
	name  string
	data  string // folder below Options.Data that it needs; empty: none
	run   func(context.Context, Options) ([]Row, error)
	asked bool // long: measured only when it is named
}

var parts = []part{
	{name: "start", run: start},
	{name: "get", run: get},
	{name: "stream", run: stream},
	{name: "indexing", run: indexing},
	{name: "scifact", data: "scifact", run: ranking("scifact", "nDCG@10 ≥ .71, Recall@100 ≥ .94")},
	{name: "cranfield", data: "cranfield", run: ranking("cranfield", "nDCG@10 ≥ .53")},
	{name: "xquad", data: "xquad_en", run: answers},
	{name: "docs", data: "docs", run: documents},
	{name: "pii", data: "pii", run: personalData},
	{name: "retrieval", run: searching(100_000, true), asked: true},
	{name: "retrieval-million", run: searching(1_000_000, false), asked: true},
	{name: "pgvector", run: inPostgres, asked: true},
	{name: "permission", run: onBoth(permission), asked: true},
	{name: "kills", run: onBoth(killed), asked: true},
	{name: "sign-in", run: onBoth(flood), asked: true},
}

// Names lists the parts.
func Names() []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return names
}

// Run measures and prints the table. A part that cannot be measured does not keep the
// others' figures back; the error names it.
func Run(ctx context.Context, o Options) error {
	var rows []Row
	var taken []string
	var failed error
	for _, p := range parts {
		if !slices.Contains(o.Only, p.name) && (len(o.Only) > 0 || p.asked) {
			continue
		}
		if p.data != "" && o.Data == "" {
			fmt.Fprintf(o.Log, "%s: left out, because it needs --data\n", p.name)
			continue
		}
		fmt.Fprintf(o.Log, "measuring %s …\n", p.name)
		before := processors()
		got, err := p.measure(ctx, o)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s is not measured: %w", p.name, err))
			continue
		}
		rows = append(rows, got...)
		if share := processors().takenSince(before); share >= 0.01 {
			taken = append(taken, fmt.Sprintf("%s %.0f %%", p.name, 100*share))
		}
	}
	fmt.Fprintf(o.Out, "machine: %s, %d cores, %s, %s %s/%s\n\n", cpu(), runtime.NumCPU(), memory(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if len(taken) > 0 {
		fmt.Fprintf(o.Out, "the host took processors away meanwhile, and these figures suffer by it: %s\n\n", strings.Join(taken, ", "))
	}
	return errors.Join(table(o.Out, rows), failed)
}

func (p part) measure(ctx context.Context, o Options) ([]Row, error) {
	if p.data != "" {
		if _, err := os.Stat(filepath.Join(o.Data, p.data)); err != nil {
			return nil, err
		}
	}
	return p.run(ctx, o)
}

func table(out io.Writer, rows []Row) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tFIGURE\tGOAL\tYARDSTICK, SAME RUN")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.What, r.Figure, r.Goal, r.Yardstick)
	}
	return w.Flush()
}

// ticks are the time of all processors since the start, and what the host of a virtual
// machine took of it for others.
type ticks struct{ all, stolen int64 }

func processors() ticks {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}
	}
	first, _, _ := strings.Cut(string(b), "\n")
	var t ticks
	for i, f := range strings.Fields(first) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || i > 8 { // what guests used is in user already
			continue
		}
		t.all += n
		if i == 8 {
			t.stolen = n
		}
	}
	return t
}

func (t ticks) takenSince(before ticks) float64 {
	return float64(t.stolen-before.stolen) / float64(max(1, t.all-before.all))
}

func cpu() string { return procField("/proc/cpuinfo", "model name") }

func memory() string {
	var kb int64
	_, _ = fmt.Sscan(procField("/proc/meminfo", "MemTotal"), &kb)
	return fmt.Sprintf("%d GiB", kb>>20)
}

// procField is a field of a file of names and values, or empty.
func procField(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	s := slices.Clone(d)
	slices.Sort(s)
	return s[len(s)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }
