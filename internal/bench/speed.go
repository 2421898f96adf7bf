package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"atrium/internal/llm/fake"
	"atrium/internal/sse"
)

type made struct {
	ID int64 `json:"id"`
}

// start measures what a newcomer waits for.
func start(ctx context.Context, o Options) ([]Row, error) {
	info, err := os.Stat(o.Exe)
	if err != nil {
		return nil, err
	}
	var first []time.Duration
	var rss, answered float64
	for range 3 {
		p, err := launch(ctx, o.Exe)
		if err != nil {
			return nil, err
		}
		first = append(first, p.Started)
		begin := time.Now()
		if err := firstAnswer(ctx, p); err != nil {
			p.stop()
			return nil, err
		}
		answered = max(answered, (time.Since(begin) + p.Started).Seconds())
		time.Sleep(3 * time.Second)
		rss = max(rss, p.resident())
		p.stop()
	}
	return []Row{
		{"start to ready, new data folder", ms(median(first)), "≤ 500 ms", ""},
		{"first cited answer after the start", fmt.Sprintf("%.2f s", answered), "≤ 30 s", ""},
		{"idle memory, Guide loaded", fmt.Sprintf("%.0f MiB", rss), "≤ 100 MB", ""},
		{"binary", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "≤ 80 MB", ""},
	}, nil
}

// firstAnswer asks Guide until its handbook is indexed and it cites.
func firstAnswer(ctx context.Context, p *process) error {
	agents, err := call[struct {
		Agents []made `json:"agents"`
	}](ctx, p, "GET", "/api/v2/agents?search=Guide", nil)
	if err != nil {
		return err
	}
	if len(agents.Agents) == 0 {
		return errors.New("there is no agent Guide")
	}
	for range 300 {
		a, err := call[struct {
			References []json.RawMessage `json:"references"`
		}](ctx, p, "POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", agents.Agents[0].ID), map[string]any{"user_query": "How do I add my own documents?"})
		if err != nil {
			return err
		}
		if len(a.References) > 0 {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("no cited answer came from the agent Guide in 15 s")
}

const connections = 32

// get measures a small authenticated read against a bare net/http server that
// answers the same bytes from its own process.
func get(ctx context.Context, o Options) ([]Row, error) {
	p, err := launch(ctx, o.Exe)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	a, err := call[made](ctx, p, "POST", "/api/v2/agents", map[string]any{"name": "Bench"})
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/api/v2/agents/%d", a.ID)
	body, err := p.send(ctx, "GET", path, "", nil)
	if err != nil {
		return nil, err
	}
	yard, stop, err := peer(ctx, o.Exe, body)
	if err != nil {
		return nil, err
	}
	defer stop()
	var mine, bare []float64
	for range 3 {
		m, err := hammer(ctx, p, p.URL+path)
		if err != nil {
			return nil, err
		}
		b, err := hammer(ctx, p, yard)
		if err != nil {
			return nil, err
		}
		mine, bare = append(mine, m), append(bare, b)
	}
	m, b := mid(mine), mid(bare)
	return []Row{{fmt.Sprintf("GET agent, key and token, %d connections", connections), fmt.Sprintf("%.0f/s", m), "≥ 10,000/s",
		fmt.Sprintf("bare net/http %.0f/s (ratio %.2f)", b, m/b)}}, nil
}

func mid(x []float64) float64 {
	d := make([]time.Duration, len(x))
	for i, v := range x {
		d[i] = time.Duration(v * 1000)
	}
	return float64(median(d)) / 1000
}

// peer starts this binary as a bare server that answers body.
func peer(ctx context.Context, exe string, body []byte) (address string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, exe, "bench-peer")
	cmd.Stdin = bytes.NewReader(body)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }, err
}

// Peer serves what it reads from in to every request, for ever; it prints its address.
func Peer(ctx context.Context, in io.Reader, out io.Writer) error {
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s/\n", l.Addr())
	s := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	return s.Serve(l)
}

// hammer sends the same GET over a few connections for a while, one request
// after the other on each, and answers requests a second.
func hammer(ctx context.Context, p *process, address string) (float64, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	p.authorize(req)
	var raw bytes.Buffer
	if err := req.Write(&raw); err != nil {
		return 0, err
	}
	const warm, length = 500 * time.Millisecond, 3 * time.Second
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		total  int
		failed error
		begin  = time.Now().Add(warm)
		finish = begin.Add(length)
	)
	for range connections {
		wg.Go(func() {
			n, err := pump(ctx, u.Host, raw.Bytes(), begin, finish)
			mu.Lock()
			defer mu.Unlock()
			total += n
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	return float64(total) / length.Seconds(), failed
}

func pump(ctx context.Context, host string, raw []byte, begin, finish time.Time) (int, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	n := 0
	for now := time.Now(); now.Before(finish); now = time.Now() {
		if _, err := c.Write(raw); err != nil {
			return n, err
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return n, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return n, err
		}
		if res.StatusCode != http.StatusOK {
			return n, fmt.Errorf("status %d", res.StatusCode)
		}
		if now.After(begin) {
			n++
		}
	}
	return n, nil
}

const (
	modelFirst = 20 * time.Millisecond
	modelEach  = 5 * time.Millisecond
	modelWords = 200
	pieces     = 10_000
	// passagesAsked is chunk_count's default.
	passagesAsked = 32
)

// stream measures what the server adds between a model and its reader, with
// retrieval over ten thousand pieces on.
func stream(ctx context.Context, o Options) ([]Row, error) {
	text := strings.TrimSpace(strings.Repeat("the answer has these words and cites [1] ", modelWords/8))
	model := httptest.NewServer(fake.Server(fake.Options{FirstToken: modelFirst, PerToken: modelEach,
		Script: func(fake.Request) (fake.Reply, bool) { return fake.Reply{Text: text}, true }}))
	defer model.Close()
	p, err := launch(ctx, o.Exe, "ATRIUM_LLM_BASE_URL="+model.URL+"/v1", "ATRIUM_LLM_MODEL=bench")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	a, err := call[made](ctx, p, "POST", "/api/v2/agents", map[string]any{"name": "Bench"})
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(o.Log, "  filling a corpus …")
	words, err := fill(ctx, p, a.ID)
	if err != nil {
		return nil, err
	}
	// The direct prompt is as long as the one that the server makes of passages,
	// because a longer prompt is more work for the model and not for the server.
	prompt := strings.Repeat(strings.Join(words[:150], " ")+".\n", passagesAsked)
	direct := func(q string) (time.Duration, int, error) { return askModel(ctx, model.URL, prompt+q) }
	through := func(q string) (time.Duration, int, error) { return askServer(ctx, p, a.ID, q) }
	var rows []Row
	for _, s := range []struct {
		streams, rounds int
		goal            string
	}{{1, 20, "≤ 5 ms"}, {64, 5, "≤ 20 ms"}} {
		if _, err := volley(s.streams, 1, words, through); err != nil {
			return nil, err
		}
		d, err := volley(s.streams, s.rounds, words, direct)
		if err != nil {
			return nil, err
		}
		t, err := volley(s.streams, s.rounds, words, through)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{fmt.Sprintf("added time to first token, streams: %d", s.streams), ms(t.first - d.first), s.goal,
			fmt.Sprintf("direct %s, through %s", ms(d.first), ms(t.first))})
		if s.streams > 1 {
			rows = append(rows, Row{fmt.Sprintf("token rate, streams: %d", s.streams), percent(t.rate / d.rate), "≥ 95 %",
				fmt.Sprintf("direct %.0f/s, through %.0f/s", d.rate, t.rate)})
		}
	}
	return rows, nil
}

// fill uploads texts until the agent's corpus holds enough pieces, and answers
// the words to ask with.
func fill(ctx context.Context, p *process, agent int64) ([]string, error) {
	corpus, err := defaultCorpus(ctx, p, agent)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 20_000)
	for i := range words {
		words[i] = syllables(r)
	}
	zipf := rand.NewZipf(r, 1.1, 8, uint64(len(words)-1))
	have := 0
	for n := 0; have < pieces; n++ {
		var b strings.Builder
		for i := range 12_000 {
			b.WriteString(words[zipf.Uint64()])
			if i%15 == 14 {
				b.WriteString(".\n\n")
			} else {
				b.WriteByte(' ')
			}
		}
		d, err := call[made](ctx, p, "POST", fmt.Sprintf("/indexing-service/api/v2/corpora/%d/documents", corpus),
			map[string]any{"content_type": "text", "source": fmt.Sprintf("Text %d\n\n%s", n, b.String()), "upload_from": "bench"})
		if err != nil {
			return nil, err
		}
		for {
			x, err := call[struct {
				Step   string `json:"step"`
				Failed bool   `json:"is_failed"`
				Reason string `json:"failure_reason"`
				Pieces int    `json:"pieces"`
			}](ctx, p, "GET", fmt.Sprintf("/api/v2/documents/%d", d.ID), nil)
			if err != nil {
				return nil, err
			}
			if x.Failed {
				return nil, errors.New(x.Reason)
			}
			if x.Step == "completed" {
				have += x.Pieces
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return words, nil
}

func syllables(r *rand.Rand) string {
	const a, b = "bcdfghklmnprstvw", "aeiou"
	var w []byte
	for range 2 + r.IntN(3) {
		w = append(w, a[r.IntN(len(a))], b[r.IntN(len(b))])
	}
	return string(w)
}

type measured struct {
	first time.Duration // median time to the first token
	rate  float64       // tokens a second, all streams together
}

// volley runs streams side by side, each for some rounds, not all starting at
// the same instant.
func volley(streams, rounds int, words []string, ask func(string) (time.Duration, int, error)) (measured, error) {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		firsts []time.Duration
		tokens int
		failed error
	)
	begin := time.Now()
	for s := range streams {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(s), 7))
			time.Sleep(time.Duration(r.IntN(1+streams*8)) * time.Millisecond)
			for range rounds {
				var q strings.Builder
				q.WriteString("what is")
				for range 8 {
					q.WriteString(" " + words[r.IntN(len(words)/4)])
				}
				first, n, err := ask(q.String())
				mu.Lock()
				firsts = append(firsts, first)
				tokens += n
				failed = errors.Join(failed, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return measured{median(firsts), float64(tokens) / time.Since(begin).Seconds()}, failed
}

var streams = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}

// readTokens posts and counts the events that carry a piece of the answer.
func readTokens(req *http.Request, isToken func([]byte) bool) (first time.Duration, n int, err error) {
	begin := time.Now()
	res, err := streams.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(res.Body)
		return 0, 0, fmt.Errorf("status %d: %s", res.StatusCode, b)
	}
	err = sse.Read(res.Body, func(e sse.Event) error {
		if isToken(e.Data) {
			if n == 0 {
				first = time.Since(begin)
			}
			n++
		}
		return nil
	})
	if err == nil && n == 0 {
		err = errors.New("the stream held no token")
	}
	return first, n, err
}

func askModel(ctx context.Context, base, q string) (time.Duration, int, error) {
	b, err := json.Marshal(map[string]any{"model": "bench", "stream": true, "messages": []any{map[string]any{"role": "user", "content": q}}})
	if err != nil {
		return 0, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/v1/chat/completions", bytes.NewReader(b))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	return readTokens(req, func(b []byte) bool {
		return bytes.Contains(b, []byte(`"content":"`)) && !bytes.Contains(b, []byte(`"content":""`))
	})
}

func askServer(ctx context.Context, p *process, agent int64, q string) (time.Duration, int, error) {
	b, err := json.Marshal(map[string]any{"user_query": q})
	if err != nil {
		return 0, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", fmt.Sprintf("%s/response-service/api/v2/agents/%d/responses/stream", p.URL, agent), bytes.NewReader(b))
	if err != nil {
		return 0, 0, err
	}
	p.authorize(req)
	req.Header.Set("Content-Type", "application/json")
	return readTokens(req, func(b []byte) bool { return bytes.Contains(b, []byte(`"assistant_stream"`)) })
}
