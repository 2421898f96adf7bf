package bench

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"atrium/internal/document"
)

// KillOptions say how indexing is disturbed.
type KillOptions struct {
	Exe       string
	Env       []string // of every server, such as the database
	Servers   int      // 1 when 0; several need PostgreSQL and one store of files
	Documents int
	Kills     int
}

// KillReport is what a disturbed run left.
type KillReport struct {
	Documents  int
	Kills      int
	Unfinished int
	Took       time.Duration
	// Pieces is the hash of the text and the pieces of each document, by name.
	Pieces map[string]string
	// Seen tells whether each server answers from a document that came in at another.
	Seen bool
}

// Kills indexes documents while the servers that do it are killed and started
// again, and answers what came of them.
func Kills(ctx context.Context, o KillOptions) (KillReport, error) {
	o.Servers = max(o.Servers, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "atrium-kills-*")
	if err != nil {
		return KillReport{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	t := &torment{o: o, begun: time.Now(), rnd: rand.New(rand.NewPCG(rand.Uint64(), 3))}
	defer t.end()
	for i := range o.Servers {
		addr, err := FreeAddress(ctx)
		if err != nil {
			return KillReport{}, err
		}
		t.servers = append(t.servers, &sufferer{exe: o.Exe, addr: addr, env: append([]string{"PATH=" + os.Getenv("PATH"), "ATRIUM_LISTEN=" + addr, "ATRIUM_DATA=" + filepath.Join(dir, fmt.Sprint(i)),
			"ATRIUM_ADMIN_PASSWORD=" + password, "ATRIUM_API_KEY=" + apiKey}, o.Env...)})
	}
	var starting sync.WaitGroup
	failed := make(chan error, o.Servers)
	for _, s := range t.servers { // at once, as a deployment does
		starting.Go(func() { failed <- s.start(ctx) })
	}
	starting.Wait()
	for range t.servers {
		if err := <-failed; err != nil {
			return KillReport{}, err
		}
	}
	return t.run(ctx)
}

// sufferer is one server.
type sufferer struct {
	exe, addr string
	env       []string
	cmd       *exec.Cmd
	log       bytes.Buffer
}

func (s *sufferer) start(ctx context.Context) error {
	s.log.Reset()
	s.cmd = exec.Command(s.exe, "serve") //nolint:noctx // it is killed by hand
	s.cmd.Env, s.cmd.Stderr = s.env, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if _, err := s.send(ctx, "GET", "/readyz", "", nil); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("the server is not ready after a minute: %s", s.log.String())
}

func (s *sufferer) kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *sufferer) send(ctx context.Context, method, path, kind string, body io.Reader) ([]byte, error) {
	return exchange(ctx, method, "http://"+s.addr+path, kind, body, func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+apiKey) })
}

// torment is a run.
type torment struct {
	o       KillOptions
	begun   time.Time
	rnd     *rand.Rand
	servers []*sufferer
	corpus  int64
	kills   atomic.Int64
}

func (t *torment) end() {
	for _, s := range t.servers {
		s.kill()
	}
}

func (t *torment) run(ctx context.Context) (KillReport, error) {
	out := KillReport{Documents: t.o.Documents}
	b, err := t.servers[0].send(ctx, "POST", "/api/v2/corpora", "application/json", strings.NewReader(`{"name": "Torment"}`))
	if err != nil {
		return out, err
	}
	var made struct {
		Data struct {
			ID int64 `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &made); err != nil {
		return out, err
	}
	t.corpus = made.Data.ID
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work sync.WaitGroup
	var next atomic.Int64
	for range 4 {
		work.Go(func() {
			for n := int(next.Add(1)) - 1; n < t.o.Documents && sending.Err() == nil; n = int(next.Add(1)) - 1 {
				t.upload(sending, n)
			}
		})
	}
	for range t.o.Kills {
		time.Sleep(time.Duration(20+t.rnd.IntN(150)) * time.Millisecond)
		s := t.servers[t.rnd.IntN(len(t.servers))]
		s.kill()
		if err := s.start(ctx); err != nil {
			stop(err)
			work.Wait()
			return out, err
		}
		t.kills.Add(1)
	}
	work.Wait()
	out.Kills = int(t.kills.Load())
	if out.Unfinished, err = t.settle(ctx); err != nil {
		return out, err
	}
	out.Took = time.Since(t.begun)
	if out.Pieces, err = t.pieces(ctx); err != nil {
		return out, err
	}
	out.Seen, err = t.seen(ctx)
	return out, err
}

// upload sends a document until it is acknowledged. The kills are spread over all
// of them: a document waits for those that are due before it.
func (t *torment) upload(ctx context.Context, n int) {
	for int(t.kills.Load()) < n*t.o.Kills/t.o.Documents && ctx.Err() == nil {
		time.Sleep(2 * time.Millisecond)
	}
	name, text := torn(n)
	for ctx.Err() == nil {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.WriteField("content_type", "file")
		p, _ := w.CreateFormFile("source", name)
		_, _ = io.WriteString(p, text)
		_ = w.Close()
		s := t.servers[n%len(t.servers)]
		if _, err := s.send(ctx, "POST", fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", t.corpus), w.FormDataContentType(), &b); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// torn is a document of the run, the same each time.
func torn(n int) (name, text string) {
	r := rand.New(rand.NewPCG(uint64(n), 5))
	words := strings.Fields("lighthouse harbour keeper storm lamp rock tide gull rope anchor fog horn wick tower stair lens beam coast reef pilot")
	var b strings.Builder
	fmt.Fprintf(&b, "# Station %d\n\n", n)
	for s := range 2 + r.IntN(6) {
		fmt.Fprintf(&b, "## Watch %d\n\n", s)
		for range 3 + r.IntN(20) {
			fmt.Fprintf(&b, "At station %d the %s of the %s stands by the %s. ", n, words[r.IntN(len(words))], words[r.IntN(len(words))], words[r.IntN(len(words))])
		}
		b.WriteString("\n\n")
	}
	if n%3 == 0 {
		return fmt.Sprintf("station-%d.html", n), "<html><body><p>" + strings.ReplaceAll(b.String(), "\n\n", "</p><p>") + "</p></body></html>"
	}
	return fmt.Sprintf("station-%d.md", n), b.String()
}

// settle waits until nothing is under way, and answers how many documents are not
// completed then.
func (t *torment) settle(ctx context.Context) (int, error) {
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		done, err := t.count(ctx, "&step=completed&is_failed=false")
		if err != nil {
			return 0, err
		}
		failed, err := t.count(ctx, "&is_failed=true")
		if err != nil {
			return 0, err
		}
		if left := t.o.Documents - done; left == 0 || failed == left || time.Since(begin) > 5*time.Minute {
			return left, nil
		}
	}
}

func (t *torment) count(ctx context.Context, filter string) (int, error) {
	b, err := t.servers[0].send(ctx, "GET", fmt.Sprintf("/api/v2/corpora/%d/documents?page_size=1%s", t.corpus, filter), "", nil)
	if err != nil {
		return 0, err
	}
	var out struct {
		Data struct {
			Pagination struct {
				Total int `json:"total"`
			} `json:"pagination"`
		} `json:"data"`
	}
	err = json.Unmarshal(b, &out)
	return out.Data.Pagination.Total, err
}

// pieces are those of the corpus as a bundle has them, without their numbers.
func (t *torment) pieces(ctx context.Context) (map[string]string, error) {
	b, err := t.servers[len(t.servers)-1].send(ctx, "GET", fmt.Sprintf("/api/v2/corpora/%d/export", t.corpus), "", nil)
	if err != nil {
		return nil, err
	}
	in := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := in.Next()
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(h.Name, "documents.jsonl.gz") {
			break
		}
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	name := ""
	for lines := json.NewDecoder(z); ; {
		var r struct {
			Document *document.Portable
			Version  *document.PortableVersion
		}
		err := lines.Decode(&r)
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		case r.Document != nil:
			if name = r.Document.Name; out[name] != "" {
				return nil, fmt.Errorf("the document %s is there twice", name)
			}
		default:
			for i := range r.Version.Pieces {
				r.Version.Pieces[i].ID = 0
			}
			b, err := json.Marshal([]any{r.Version.Number, r.Version.Text, r.Version.Pieces})
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(b)
			out[name] += hex.EncodeToString(sum[:])
		}
	}
}

// seen asks every server for a document that came in at the one before it.
func (t *torment) seen(ctx context.Context) (bool, error) {
	for i, s := range t.servers {
		n := (i + 1) % len(t.servers)
		b, err := s.send(ctx, "GET", fmt.Sprintf("/api/v2/corpora/search?query=station+%d&corpus_ids=%d&limit=50", n, t.corpus), "", nil)
		if err != nil {
			return false, err
		}
		if !bytes.Contains(b, fmt.Appendf(nil, "At station %d the", n)) {
			return false, nil
		}
	}
	return true, nil
}

// killed is the crash test in its full size.
func killed(ctx context.Context, o Options, engine string, databases [2]string) ([]Row, error) {
	const documents, times = 5000, 200
	fmt.Fprintf(o.Log, "  %s: %d documents without kills, then with %d\n", engine, documents, times)
	var env [2][]string
	for i, d := range databases {
		if d != "" {
			env[i] = []string{"ATRIUM_DATABASE_URL=" + d}
		}
	}
	calm, err := Kills(ctx, KillOptions{Exe: o.Exe, Env: env[0], Documents: documents})
	if err != nil {
		return nil, err
	}
	rough, err := Kills(ctx, KillOptions{Exe: o.Exe, Env: env[1], Documents: documents, Kills: times})
	if err != nil {
		return nil, err
	}
	return []Row{
		{fmt.Sprintf("%s: unfinished of %d documents after %d kills", engine, rough.Documents, rough.Kills), fmt.Sprint(rough.Unfinished), "0", fmt.Sprintf("%d without kills", calm.Unfinished)},
		{engine + ": documents whose pieces differ", fmt.Sprint(Differing(calm, rough)), "0", fmt.Sprintf("%s, %s without kills", rough.Took.Round(time.Second), calm.Took.Round(time.Second))},
	}, nil
}

// Differing counts the documents whose pieces are not the same in two runs.
func Differing(a, b KillReport) int {
	n := 0
	for name, sum := range a.Pieces {
		if b.Pieces[name] != sum {
			n++
		}
	}
	for name := range b.Pieces {
		if _, ok := a.Pieces[name]; !ok {
			n++
		}
	}
	return n
}
