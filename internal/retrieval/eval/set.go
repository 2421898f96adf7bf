// Package eval measures ranking and answering on public test sets, read from a
// folder in the form that BEIR gave them:
//
//	corpus.jsonl[.gz]  {"_id", "title", "text"} a line
//	queries.jsonl[.gz] {"_id", "text"} a line
//	qrels.tsv          a header, then query id, document id and grade
//
// What is measured is an Engine, so that the product's own path (its ingest and
// its search) and the yardstick are held to the same figures.
package eval

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Doc is a document to be found.
type Doc struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Question is one query of a set.
type Question struct {
	ID   string `json:"_id"`
	Text string `json:"text"`
}

// Set is a test set: documents, questions, and which document answers which
// question how well (a grade above 0).
type Set struct {
	Name      string
	Docs      []Doc
	Questions []Question
	Grades    map[string]map[string]int // question → document → grade
}

// Engine is what is measured. Search gives the ids of at most k documents, best first.
type Engine interface {
	Ingest(ctx context.Context, docs []Doc) error
	Search(ctx context.Context, question string, k int) ([]string, error)
}

// Load reads the set in a folder; the part, when not empty, is put before the
// names of queries and qrels ("train": train_queries.jsonl, train_qrels.tsv).
func Load(dir, part string) (*Set, error) {
	if part != "" {
		part += "_"
	}
	s := &Set{Name: filepath.Base(dir), Grades: map[string]map[string]int{}}
	if err := lines(filepath.Join(dir, "corpus.jsonl"), func(line []byte) error {
		var d Doc
		err := json.Unmarshal(line, &d)
		s.Docs = append(s.Docs, d)
		return err
	}); err != nil {
		return nil, err
	}
	if err := lines(filepath.Join(dir, part+"qrels.tsv"), func(line []byte) error {
		f := strings.Split(string(line), "\t")
		if len(f) != 3 {
			return errors.New("not three columns parted by tabs")
		}
		grade, err := strconv.Atoi(strings.TrimSpace(f[2]))
		if err != nil {
			if len(s.Grades) == 0 {
				return nil // the header
			}
			return err
		}
		if s.Grades[f[0]] == nil {
			s.Grades[f[0]] = map[string]int{}
		}
		s.Grades[f[0]][f[1]] = grade
		return nil
	}); err != nil {
		return nil, err
	}
	err := lines(filepath.Join(dir, part+"queries.jsonl"), func(line []byte) error {
		var q Question
		err := json.Unmarshal(line, &q)
		if len(s.Grades[q.ID]) > 0 { // the others cannot be measured
			s.Questions = append(s.Questions, q)
		}
		return err
	})
	return s, err
}

// lines calls fn for each line of a file that is not empty, or of the file with .gz.
func lines(path string, fn func([]byte) error) error {
	f, err := os.Open(path)
	zipped := errors.Is(err, fs.ErrNotExist)
	if zipped {
		f, err = os.Open(path + ".gz")
	}
	if err != nil {
		return fmt.Errorf("the test set cannot be read: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if zipped {
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("%s.gz: %w", filepath.Base(path), err)
		}
		defer func() { _ = z.Close() }()
		r = z
	}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 64<<20)
	for n := 1; sc.Scan(); n++ {
		if len(sc.Bytes()) == 0 {
			continue
		}
		if err := fn(sc.Bytes()); err != nil {
			return fmt.Errorf("%s line %d: %w", filepath.Base(path), n, err)
		}
	}
	return sc.Err()
}
