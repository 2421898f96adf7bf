// Package extractbench measures how much of a folder of documents is read, and
// what the files cost that were made to do harm.
package extractbench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/unicode/norm"

	"atrium/internal/extract"
)

// Report is the outcome of Measure.
type Report struct {
	Files   int // read or ended with a reason
	Asked   int // phrases that stand in the files
	Found   int // of them, phrases in what was read
	Failed  []Failure
	Missing []Missing
	// Hostile counts the files of which no phrase is asked: broken ones, and those
	// made to do harm. Untyped ones ended without an *extract.Error.
	Hostile, Untyped int
	HostileTime      time.Duration // longest
	HostileMemory    int64         // most bytes
	Time             time.Duration // of all files, one after the other
	Memory           int64         // most bytes for any file
}

// Failure is a file that was not read.
type Failure struct {
	File    string
	Reason  extract.Reason // empty when the end had none
	Message string
}

// Missing is a phrase that was not found.
type Missing struct{ File, Phrase string }

// Share is the part of the phrases that was found, from 0 to 1.
func (r Report) Share() float64 {
	if r.Asked == 0 {
		return 0
	}
	return float64(r.Found) / float64(r.Asked)
}

// Pace is how fast the PDF files of a folder are read on all cores.
type Pace struct {
	Pages int                              // of a round
	Plain []time.Duration                  // of each round, by pdftotext alone
	Modes map[extract.Mode][]time.Duration // through the pool
}

// Ratio is the pages a second in a mode against those of pdftotext alone, in the
// middle one of the rounds.
func (p Pace) Ratio(mode extract.Mode) float64 {
	ratios := make([]float64, len(p.Plain))
	for i, plain := range p.Plain {
		ratios[i] = plain.Seconds() / p.Modes[mode][i].Seconds()
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// Rate is the pages a second of the best round.
func (p Pace) Rate(rounds []time.Duration) float64 {
	return float64(p.Pages) / slices.Min(rounds).Seconds()
}

// MeasurePace reads each PDF of dir/files that pdftotext can read, again and
// again, on as many cores as there are: by pdftotext alone, and through the pool,
// by turns, so that a busy machine is busy for both.
func MeasurePace(ctx context.Context, pool *extract.Pool, dir string, workers, rounds int) (Pace, error) {
	p := Pace{Modes: map[extract.Mode][]time.Duration{}}
	tool, err := exec.LookPath("pdftotext")
	if err != nil {
		return p, fmt.Errorf("the yardstick for PDF: %w; install poppler-utils", err)
	}
	all, err := filepath.Glob(filepath.Join(dir, "files", "*.pdf"))
	if err != nil {
		return p, err
	}
	var files []string
	for _, f := range all {
		out, err := exec.CommandContext(ctx, tool, "-q", f, "-").Output()
		if err == nil {
			files = append(files, f)
			p.Pages += bytes.Count(out, []byte("\f"))
		}
	}
	const times = 6
	p.Pages *= times
	plain := func(f string) error {
		return exec.CommandContext(ctx, tool, "-q", f, "-").Run()
	}
	for range rounds {
		took, err := spread(files, times, workers, plain)
		if err != nil {
			return p, err
		}
		p.Plain = append(p.Plain, took)
		for _, m := range []extract.Mode{extract.Basic, extract.Standard, extract.Exhaustive} {
			took, err := spread(files, times, workers, func(f string) error {
				_, err := pool.Extract(ctx, extract.Request{Path: f, Name: filepath.Base(f), Mode: m})
				return err
			})
			if err != nil {
				return p, err
			}
			p.Modes[m] = append(p.Modes[m], took)
		}
	}
	return p, nil
}

// spread has workers do each file some times, and answers how long that took.
func spread(files []string, times, workers int, do func(string) error) (time.Duration, error) {
	work := make(chan string)
	var g errgroup.Group
	begin := time.Now()
	for range workers {
		g.Go(func() (first error) {
			for f := range work {
				if err := do(f); err != nil && first == nil {
					first = fmt.Errorf("%s: %w", filepath.Base(f), err)
				}
			}
			return first
		})
	}
	for range times {
		for _, f := range files {
			work <- f
		}
	}
	close(work)
	err := g.Wait()
	return time.Since(begin), err
}

// entry is a line of manifest.jsonl.
type entry struct {
	File        string   `json:"file"`
	MustContain []string `json:"must_contain"`
	Password    string   `json:"password"`
}

// Measure reads every file that dir/manifest.jsonl lists: one JSON object a
// line, with "file" (relative to dir), "must_contain" (phrases) and perhaps a
// "password". Phrases are compared loosely: in Unicode's compatibility form,
// without invisible characters, and with any white space for any other.
func Measure(ctx context.Context, pool *extract.Pool, dir string) (Report, error) {
	return MeasureMode(ctx, pool, dir, extract.Standard)
}

// MeasureMode is Measure in a mode of reading.
func MeasureMode(ctx context.Context, pool *extract.Pool, dir string, mode extract.Mode) (Report, error) {
	var r Report
	f, err := os.Open(filepath.Join(dir, "manifest.jsonl"))
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return r, fmt.Errorf("manifest.jsonl: %w", err)
		}
		if err := r.file(ctx, pool, dir, e, mode); err != nil {
			return r, err
		}
	}
	return r, lines.Err()
}

func (r *Report) file(ctx context.Context, pool *extract.Pool, dir string, e entry, mode extract.Mode) error {
	d, use, err := pool.ExtractUsage(ctx, extract.Request{
		Path: filepath.Join(dir, filepath.FromSlash(e.File)), Name: filepath.Base(e.File), Password: e.Password, Mode: mode,
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.Files++
	r.Time += use.Time
	r.Memory = max(r.Memory, use.Memory)
	if len(e.MustContain) == 0 {
		r.Hostile++
		r.HostileTime = max(r.HostileTime, use.Time)
		r.HostileMemory = max(r.HostileMemory, use.Memory)
	}
	if err != nil {
		if typed, ok := errors.AsType[*extract.Error](err); ok {
			r.Failed = append(r.Failed, Failure{e.File, typed.Reason, typed.Message})
		} else {
			r.Untyped++
			r.Failed = append(r.Failed, Failure{File: e.File, Message: err.Error()})
		}
	}
	var text strings.Builder
	for _, b := range d.Blocks {
		text.WriteString(b.Text)
		text.WriteByte('\n')
	}
	have := Loose(text.String())
	for _, p := range e.MustContain {
		r.Asked++
		if strings.Contains(have, Loose(p)) {
			r.Found++
		} else {
			r.Missing = append(r.Missing, Missing{e.File, p})
		}
	}
	return nil
}

// Loose brings text into the form in which phrases are compared.
func Loose(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.In(r, unicode.Cf, unicode.Cc) {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
	return strings.Join(strings.Fields(s), " ")
}
