package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	email    = "bench@example.com"
	password = "Bench-Mark-1"
	apiKey   = "bench-key-0123456789abcdef"
)

// process is a server under test, run as its own process.
type process struct {
	cmd     *exec.Cmd
	dir     string
	URL     string
	Token   string
	Started time.Duration // until /readyz
	log     bytes.Buffer
	ended   chan struct{} // closed when it has
}

// launch starts the binary as a server with a fresh data folder.
func launch(ctx context.Context, exe string, env ...string) (*process, error) {
	dir, err := os.MkdirTemp("", "atrium-bench-*")
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir}
	return p, p.start(ctx, exe, env...)
}

func (p *process) start(ctx context.Context, exe string, env ...string) error {
	addr, err := FreeAddress(ctx)
	if err != nil {
		return err
	}
	p.URL = "http://" + addr
	p.cmd = exec.CommandContext(ctx, exe, "serve")
	p.cmd.Dir = p.dir
	p.cmd.Stderr = &p.log
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "ATRIUM_LISTEN=" + addr, "ATRIUM_DATA=" + filepath.Join(p.dir, "data"),
		"ATRIUM_ADMIN_EMAIL=" + email, "ATRIUM_ADMIN_PASSWORD=" + password, "ATRIUM_API_KEY=" + apiKey}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	for time.Since(begin) < 30*time.Second {
		if p.ready(ctx) {
			p.Started = time.Since(begin)
			return p.signIn(ctx)
		}
		select {
		case <-p.ended:
			p.stop()
			return fmt.Errorf("the server does not start: %s", strings.TrimSpace(p.log.String()))
		case <-time.After(time.Millisecond):
		}
	}
	p.stop()
	return fmt.Errorf("the server is not ready after 30 s: %s", p.log.String())
}

func (p *process) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// FreeAddress is one of this machine that a server may listen on. Its port is not of
// those that the system gives away, or somebody else could have it before the server.
func FreeAddress(ctx context.Context) (string, error) {
	const first, last = 10_000, 32_767
	for {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", address)
		if err == nil {
			return address, l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
}

func (p *process) signIn(ctx context.Context) error { return p.signInAs(ctx, email) }

func (p *process) signInAs(ctx context.Context, who string) error {
	form := url.Values{"username": {who}, "password": {password}}
	res, err := p.send(ctx, "POST", "/auth-service/api/v2/login/access-token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	var out struct {
		Data struct {
			Token string `json:"ejento_access_token"`
		} `json:"data"`
	}
	if err := json.Unmarshal(res, &out); err != nil {
		return err
	}
	p.Token = out.Data.Token
	return nil
}

// stop ends the server and removes its folder.
func (p *process) stop() {
	p.halt()
	_ = os.RemoveAll(p.dir)
}

// halt ends the server; start goes on with its folder.
func (p *process) halt() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// resident is the server's memory in MiB.
func (p *process) resident() float64 {
	var kb float64
	_, _ = fmt.Sscan(procField(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid), "VmRSS"), &kb)
	return kb / 1024
}

func (p *process) send(ctx context.Context, method, path, kind string, body io.Reader) ([]byte, error) {
	return exchange(ctx, method, p.URL+path, kind, body, p.authorize)
}

// exchange sends a request and gives the body of its answer, unless that is an error.
func exchange(ctx context.Context, method, address, kind string, body io.Reader, authorize func(*http.Request)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	authorize(req)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, address, res.StatusCode, b)
	}
	return b, err
}

func (p *process) authorize(req *http.Request) {
	req.Header.Set("Ocp-Apim-Subscription-Key", apiKey)
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
}

// call sends and reads JSON; the answer is the envelope's data.
func call[T any](ctx context.Context, p *process, method, path string, in any) (T, error) {
	var out struct {
		Data T `json:"data"`
	}
	var body io.Reader
	kind := ""
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return out.Data, err
		}
		body, kind = bytes.NewReader(b), "application/json"
	}
	b, err := p.send(ctx, method, path, kind, body)
	if err != nil {
		return out.Data, err
	}
	return out.Data, json.Unmarshal(b, &out)
}
