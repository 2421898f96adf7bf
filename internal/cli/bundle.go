package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type export struct {
	remote
	Corpus string `xor:"what" required:"" help:"Name or id of the corpus to export." placeholder:"NAME"`
	Agent  string `xor:"what" required:"" help:"Name or id of the agent to export with its corpora." placeholder:"NAME"`
	File   string `arg:"" type:"path" help:"File to write; it must not exist."`
}

// Run writes the bundle; a file that is there is not touched.
func (e *export) Run(t *terminal) (err error) {
	c, err := e.client(t)
	if err != nil {
		return err
	}
	kind, name := "corpora", e.Corpus
	if e.Agent != "" {
		kind, name = "agents", e.Agent
	}
	id, err := called(t, c, kind, name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(e.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			_ = os.Remove(e.File)
		}
	}()
	res, err := c.send(t.ctx, "GET", fmt.Sprintf("/api/v2/%s/%d/export", kind, id), "", nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), res.Body)
	if err == nil && res.ContentLength >= 0 && n != res.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("the bundle did not arrive whole: %w", err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s: %d bytes, sha256 %s\n", e.File, n, hex.EncodeToString(sum.Sum(nil)))
	return nil
}

// called finds a corpus or an agent by its name or id.
func called(t *terminal, c *client, kind, name string) (int64, error) {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil {
		return id, nil
	}
	type item struct {
		ID        int64  `json:"id"`
		Name      string `json:"name"`
		AgentName string `json:"agent_name"`
	}
	list, err := call[map[string]json.RawMessage](t.ctx, c, "GET", "/api/v2/"+kind+"?page_size=200&search="+url.QueryEscape(name), nil)
	if err != nil {
		return 0, err
	}
	var items []item
	if err := json.Unmarshal(list[kind], &items); err != nil {
		return 0, err
	}
	found := int64(0)
	for _, x := range items {
		if !strings.EqualFold(x.Name, name) && !strings.EqualFold(x.AgentName, name) {
			continue
		}
		if found != 0 {
			return 0, fmt.Errorf("several are called %s; give the id, such as %d or %d", name, found, x.ID)
		}
		found = x.ID
	}
	if found == 0 {
		return 0, fmt.Errorf("nothing that you may see is called %s", name)
	}
	return found, nil
}

type importing struct {
	remote
	SHA256 string `name:"sha256" help:"What export printed; another file is refused." placeholder:"SUM"`
	File   string `arg:"" type:"existingfile" help:"Bundle that export has written."`
}

// Run sends the bundle and tells what came of it.
func (in *importing) Run(t *terminal) error {
	c, err := in.client(t)
	if err != nil {
		return err
	}
	f, err := os.Open(in.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	body, form := io.Pipe()
	w := multipart.NewWriter(form)
	go func() { _ = form.CloseWithError(in.write(w, f)) }()
	res, err := c.send(t.ctx, "POST", "/api/v2/bundles/import", w.FormDataContentType(), body)
	_ = body.Close()
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var out struct {
		Data struct {
			AgentID *int64 `json:"agent_id"`
			Corpora []struct {
				ID        int64  `json:"id"`
				Name      string `json:"name"`
				Documents int    `json:"documents"`
				Versions  int    `json:"versions"`
				Pieces    int    `json:"pieces"`
				Sources   int    `json:"sources"`
			} `json:"corpora"`
			Missing []string `json:"missing"`
		} `json:"data"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return errors.Join(errors.New("the server's answer is not JSON; is this address an Atrium server?"), err)
	}
	for _, x := range out.Data.Corpora {
		fmt.Fprintf(t.out, "corpus %d %s: %d documents, %d versions, %d pieces, %d sources\n", x.ID, x.Name, x.Documents, x.Versions, x.Pieces, x.Sources)
	}
	if id := out.Data.AgentID; id != nil {
		fmt.Fprintf(t.out, "agent %d\n", *id)
	}
	for _, m := range out.Data.Missing {
		fmt.Fprintf(t.err, "left out: %s\n", m)
	}
	return nil
}

func (in *importing) write(w *multipart.Writer, f io.Reader) error {
	if in.SHA256 != "" {
		if err := w.WriteField("sha256", in.SHA256); err != nil {
			return err
		}
	}
	part, err := w.CreateFormFile("bundle", filepath.Base(in.File))
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, f); err != nil {
		return err
	}
	return w.Close()
}
