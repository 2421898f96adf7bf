package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"

	"atrium/internal/db"
	"atrium/internal/extract/ocr"
	"atrium/internal/server"
)

type doctor struct{}

// finding is one line of the doctor: what, how it is, and what to do.
type finding struct {
	state, what, detail string
}

const (
	good   = "ok"
	note   = "note"
	broken = "PROBLEM"
)

// Run looks at settings, folders, database, programs and the running server.
// It fails when something keeps the server from working.
func (doctor) Run(t *terminal) error {
	cfg, err := server.Load(t.config, nil)
	if err == nil {
		err = cfg.Check()
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(t.out, "%s  settings: %s\n", broken, line)
		}
		return errSaid
	}
	found := []finding{{good, "settings", "valid"}}
	running := answers(t.ctx, cfg.Listen)
	found = append(found, running, folder(cfg.Data), database(t, cfg, running.state == good), model(cfg))
	for _, x := range []struct {
		what     string
		describe func(server.Config) (string, bool)
	}{{"embedder", server.DescribeEmbedder}, {"mail", server.DescribeMail}, {"single sign-on", server.DescribeSSO}} {
		f := finding{state: note, what: x.what}
		var ok bool
		if f.detail, ok = x.describe(cfg); ok {
			f.state = good
		}
		found = append(found, f)
	}
	found = append(found, vectors(t.ctx, cfg), reranker(t.ctx, cfg))
	if running.state == good {
		found = append(found, figures(t.ctx, cfg.Listen)...)
	}
	found = append(found, programs(t.ctx, cfg)...)
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	bad := false
	for _, f := range found {
		bad = bad || f.state == broken
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.state, f.what, f.detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if bad {
		return errSaid
	}
	return nil
}

func answers(ctx context.Context, listen string) finding {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listen+"/readyz", nil)
	if err != nil {
		return finding{broken, "server", "ATRIUM_LISTEN is no address: " + listen}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return finding{note, "server", "none answers at " + listen + "; start it with: atrium serve"}
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return finding{broken, "server", "answers at " + listen + " but is not ready: " + res.Status}
	}
	return finding{good, "server", "ready at " + listen}
}

func folder(dir string) finding {
	info, err := os.Stat(dir)
	if os.IsNotExist(err) {
		return finding{note, "data folder", dir + " does not exist yet; the first start makes it"}
	}
	if err != nil || !info.IsDir() {
		return finding{broken, "data folder", dir + " is not a folder that can be read; set ATRIUM_DATA"}
	}
	f, err := os.CreateTemp(dir, "doctor-*")
	if err != nil {
		return finding{broken, "data folder", dir + " cannot be written; give it to the user that runs atrium"}
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return finding{good, "data folder", dir}
}

func database(t *terminal, cfg server.Config, running bool) finding {
	if cfg.DatabaseURL == "" {
		return finding{good, "database", "SQLite in the data folder; fit for one machine"}
	}
	stands, err := db.WallStands(t.ctx, cfg.DatabaseURL)
	if err == nil && !running { // the server has its schema as it wants it
		var d *db.DB
		if d, err = db.Open(t.ctx, db.Options{URL: cfg.DatabaseURL, Log: slog.New(slog.DiscardHandler)}); err == nil {
			err = d.Close()
		}
	}
	switch {
	case err != nil:
		return finding{broken, "database", "PostgreSQL does not answer: " + err.Error()}
	case !stands:
		return finding{note, "database", "PostgreSQL answers; " + db.NoWall}
	}
	return finding{good, "database", "PostgreSQL answers; its row-level security keeps the organizations apart"}
}

func vectors(ctx context.Context, cfg server.Config) finding {
	where, well, err := server.DescribeVectors(ctx, cfg)
	switch {
	case err != nil:
		return finding{broken, "vectors", err.Error()}
	case !well:
		return finding{note, "vectors", where}
	}
	return finding{good, "vectors", where}
}

func reranker(ctx context.Context, cfg server.Config) finding {
	f := finding{state: note, what: "reranker"}
	var ok bool
	var err error
	if f.detail, ok, err = server.DescribeReranker(ctx, cfg); err != nil {
		return finding{broken, f.what, err.Error()}
	}
	if ok {
		f.state = good
	}
	return f
}

func model(cfg server.Config) finding {
	d := server.DescribeModel(cfg)
	if d == server.OfflineModel {
		return finding{note, "model", d + "; set OPENAI_API_KEY, ANTHROPIC_API_KEY or ATRIUM_LLM_BASE_URL for written answers"}
	}
	return finding{good, "model", d}
}

// figures tells what the running server counts: how far the documents are with a
// changed embedder, and what other servers on its database have set otherwise.
func figures(ctx context.Context, listen string) []finding {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listen+"/metrics", nil)
	if err != nil {
		return nil
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	var done, todo int
	var reason, setting string
	var differing []string
	lines := bufio.NewScanner(io.LimitReader(res.Body, 8<<20))
	for lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), `atrium_reembedding_documents{state="done"} %d`, &done)
		_, _ = fmt.Sscanf(lines.Text(), `atrium_reembedding_documents{state="todo"} %d`, &todo)
		_, _ = fmt.Sscanf(lines.Text(), `atrium_reembedding_failed{reason=%q}`, &reason)
		if n, _ := fmt.Sscanf(lines.Text(), `atrium_setting_differs{setting=%q}`, &setting); n == 1 {
			differing = append(differing, setting)
		}
	}
	var out []finding
	if len(differing) > 0 {
		out = append(out, finding{broken, "other servers", "one on this database has another " + strings.Join(differing, " and another ") + "; all need them alike, and the log of either says what differs"})
	}
	if done+todo > 0 {
		f := finding{note, "re-embedding", fmt.Sprintf("%d of %d documents have vectors of the embedder that is set now; until all have, answers use what was there before", done, done+todo)}
		if reason != "" {
			f.state, f.detail = broken, f.detail+"; it stopped: "+reason
		}
		out = append(out, f)
	}
	return out
}

// programs are helpers that extraction uses when they are installed.
func programs(ctx context.Context, cfg server.Config) []finding {
	var out []finding
	for _, p := range []struct{ name, use string }{
		{"pdftotext", "reads PDF best; the built-in reader is used without it (package poppler-utils)"},
		{"pdftoppm", "draws scanned pages for tesseract; they are not read without it (package poppler-utils)"},
		{"tesseract", "recognizes the text of scanned pages and pictures in the mode exhaustive; they are not read without it (package tesseract-ocr)"},
	} {
		path, err := exec.LookPath(p.name)
		if err != nil {
			out = append(out, finding{note, p.name, "not installed: " + p.use})
			continue
		}
		out = append(out, finding{good, p.name, path})
		if p.name == "tesseract" {
			out = append(out, languages(ctx, path, cfg.OCRLanguages))
		}
	}
	return out
}

// languages tells in which ones text is recognized, and which are missing.
func languages(ctx context.Context, tesseract, setting string) finding {
	const what = "OCR languages"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, tesseract, ocr.ListArgs...)
	cmd.Env = []string{"LC_ALL=C.UTF-8"} // as the workers run it
	said, err := cmd.Output()
	installed, ok := ocr.Installed(said)
	set, _ := ocr.Parse(setting) // Check has found nothing wrong with it
	missing := ocr.Missing(set, installed)
	usual, left := ocr.Usual(installed)
	switch {
	case err != nil || !ok:
		return finding{note, what, "tesseract does not tell which are installed; " + cmp.Or(setting, "its default") + " is read"}
	case len(missing) > 0:
		return finding{broken, what, strings.Join(missing, ", ") + " of ATRIUM_OCR_LANGUAGES is not installed, and scanned pages are not read; " + ocr.Install(missing) + " (Debian: a package tesseract-ocr-… for each), or change the setting"}
	case len(set) > 0:
		return finding{good, what, strings.Join(set, ", ") + " (ATRIUM_OCR_LANGUAGES)"}
	case len(usual) == 0:
		return finding{broken, what, "none is installed, and scanned pages are not read; " + ocr.Install([]string{"eng"})}
	case len(left) > 0:
		return finding{note, what, fmt.Sprintf("%s, but not %s: of more than %d installed ones choose with ATRIUM_OCR_LANGUAGES", strings.Join(usual, ", "), strings.Join(left, ", "), ocr.Most)}
	}
	return finding{good, what, strings.Join(usual, ", ") + "; install tesseract's data for others"}
}
