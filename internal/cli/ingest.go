package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"encoding/json"

	"github.com/schollz/progressbar/v3"
)

type ingest struct {
	remote
	Corpus string   `required:"" help:"Name or id of the corpus; a name that does not exist makes one." placeholder:"NAME"`
	Mode   string   `enum:"exhaustive,standard,basic" default:"standard" help:"Indexing mode of a corpus that is made now: ${enum}."`
	Quiet  bool     `short:"q" help:"No progress bar."`
	Paths  []string `arg:"" type:"existingpath" help:"Files and folders; hidden files are left out."`
}

var modeIDs = map[string]int{"exhaustive": 1, "standard": 2, "basic": 3}

// uploads is how many files are sent at once.
const uploads = 4

type outcome struct {
	path, reason string
}

// Run uploads, waits for the end of indexing, and tells what failed.
func (in *ingest) Run(t *terminal) error {
	files, err := walk(in.Paths)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("there are no files at these paths")
	}
	c, err := in.client(t)
	if err != nil {
		return err
	}
	corpus, err := in.findCorpus(t, c)
	if err != nil {
		return err
	}
	bar := progressbar.NewOptions(len(files), progressbar.OptionSetWriter(t.err), progressbar.OptionSetDescription("indexing"),
		progressbar.OptionShowCount(), progressbar.OptionSetVisibility(!in.Quiet), progressbar.OptionClearOnFinish())
	start := time.Now()
	failed := in.all(t.ctx, c, corpus, files, func() { _ = bar.Add(1) })
	_ = bar.Finish()
	if t.ctx.Err() != nil {
		return errors.New("interrupted; what was uploaded is being indexed all the same")
	}
	fmt.Fprintf(t.out, "%d of %d files indexed in corpus %d in %s\n", len(files)-len(failed), len(files), corpus, time.Since(start).Round(10*time.Millisecond))
	if len(failed) == 0 {
		return nil
	}
	slices.SortFunc(failed, func(a, b outcome) int { return strings.Compare(a.path, b.path) })
	for _, f := range failed {
		fmt.Fprintf(t.err, "failed  %s: %s\n", f.path, f.reason)
	}
	return errSaid
}

// walk lists the regular files at the paths, in order, without hidden ones.
func walk(paths []string) ([]string, error) {
	var files []string
	for _, root := range paths {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			hidden := strings.HasPrefix(d.Name(), ".") && p != root
			if d.IsDir() && hidden {
				return fs.SkipDir
			}
			if d.Type().IsRegular() && !hidden {
				files = append(files, p)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (in *ingest) findCorpus(t *terminal, c *client) (int64, error) {
	if id, err := strconv.ParseInt(in.Corpus, 10, 64); err == nil {
		return id, nil
	}
	list, err := call[struct {
		Corpora []named `json:"corpora"`
	}](t.ctx, c, "GET", "/api/v2/corpora?page_size=200&search="+url.QueryEscape(in.Corpus), nil)
	if err != nil {
		return 0, err
	}
	for _, x := range list.Corpora {
		if strings.EqualFold(x.Name, in.Corpus) {
			return x.ID, nil
		}
	}
	made, err := call[named](t.ctx, c, "POST", "/api/v2/corpora", map[string]any{"name": in.Corpus, "indexing_mode_id": modeIDs[in.Mode]})
	return made.ID, err
}

// all sends every file and waits for its end; it answers the failures.
func (in *ingest) all(ctx context.Context, c *client, corpus int64, files []string, done func()) []outcome {
	var (
		mu     sync.Mutex
		failed []outcome
		wg     sync.WaitGroup
	)
	next := make(chan string)
	for range uploads {
		wg.Go(func() {
			for path := range next {
				if err := one(ctx, c, corpus, path); err != nil && ctx.Err() == nil {
					mu.Lock()
					failed = append(failed, outcome{path, err.Error()})
					mu.Unlock()
				}
				mu.Lock()
				done()
				mu.Unlock()
			}
		})
	}
	for _, f := range files {
		select {
		case next <- f:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return failed
}

type indexed struct {
	ID            int64  `json:"id"`
	Step          string `json:"step"`
	IsFailed      bool   `json:"is_failed"`
	FailureReason string `json:"failure_reason"`
}

// one uploads a file and polls until it is indexed or has failed.
func one(ctx context.Context, c *client, corpus int64, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	body, form := io.Pipe()
	w := multipart.NewWriter(form)
	go func() { _ = form.CloseWithError(writeForm(w, f, filepath.Base(path))) }()
	res, err := c.send(ctx, "POST", fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpus), w.FormDataContentType(), body)
	_ = body.Close()
	if err != nil {
		return err
	}
	var out struct {
		Data indexed `json:"data"`
	}
	err = json.NewDecoder(res.Body).Decode(&out)
	_ = res.Body.Close()
	d := out.Data
	for wait := 50 * time.Millisecond; err == nil && !d.IsFailed && d.Step != "completed"; wait = min(wait*3/2, 2*time.Second) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		d, err = call[indexed](ctx, c, "GET", fmt.Sprintf("/api/v2/documents/%d", d.ID), nil)
	}
	if err == nil && d.IsFailed {
		err = errors.New(d.FailureReason)
	}
	return err
}

func writeForm(w *multipart.Writer, f io.Reader, name string) error {
	for k, v := range map[string]string{"content_type": "file", "upload_from": "command-line"} {
		if err := w.WriteField(k, v); err != nil {
			return err
		}
	}
	part, err := w.CreateFormFile("source", name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, f); err != nil {
		return err
	}
	return w.Close()
}
