package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"atrium/internal/server"
)

// remote is how a command finds a server: by flags, by the environment, or as
// the server of this folder.
type remote struct {
	URL   string `help:"Address of the server." env:"ATRIUM_URL" placeholder:"URL"`
	Token string `help:"API key or token to act with; the server's own on its machine." env:"ATRIUM_TOKEN" placeholder:"KEY"`
}

// client talks to one server.
type client struct {
	base, token string
	http        *http.Client
}

func (r remote) client(t *terminal) (*client, error) {
	cfg, err := server.Load(t.config, nil)
	if err != nil {
		return nil, err
	}
	c := &client{base: strings.TrimRight(r.URL, "/"), token: r.Token, http: &http.Client{}}
	if c.base == "" {
		c.base = "http://" + cfg.Listen
	}
	if c.token == "" {
		b, err := os.ReadFile(filepath.Join(cfg.Data, server.LocalKeyFile))
		if err != nil {
			return nil, fmt.Errorf("no API key: give --token or ATRIUM_TOKEN (make a key in the console under Developer), or run this beside the server's data folder (%w)", err)
		}
		c.token = strings.TrimSpace(string(b))
	}
	return c, nil
}

// problem is a failure as the server tells it.
type problem struct {
	Status    int
	Message   string
	RequestID string
}

func (p *problem) Error() string {
	return fmt.Sprintf("%s (%d, request %s)", p.Message, p.Status, p.RequestID)
}

func (c *client) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("no server answers at %s; start one with: atrium serve (%w)", c.base, err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	var e struct {
		Message string `json:"message"`
	}
	b, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if json.Unmarshal(b, &e) != nil || e.Message == "" {
		e.Message = "the server answered " + res.Status
	}
	return nil, &problem{res.StatusCode, e.Message, res.Header.Get("X-Request-Id")}
}

// call sends and reads JSON; data is the envelope's.
func call[T any](ctx context.Context, c *client, method, path string, in any) (T, error) {
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
	res, err := c.send(ctx, method, path, kind, body)
	if err != nil {
		return out.Data, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return out.Data, errors.Join(errors.New("the server's answer is not JSON; is this address an Atrium server?"), err)
	}
	return out.Data, nil
}
