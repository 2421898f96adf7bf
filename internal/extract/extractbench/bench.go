// Package extractbench measures how much of a folder of documents is read, and
// what the files cost that were made to do harm.
package extractbench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

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
