package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"atrium/internal/sse"
)

type ask struct {
	remote
	Agent    string   `required:"" help:"Name or id of the agent." placeholder:"NAME"`
	Thread   int64    `help:"Go on in this thread." placeholder:"ID"`
	JSON     bool     `help:"Print the whole answer as JSON instead of streaming it."`
	Quiet    bool     `short:"q" help:"Print the answer only, without progress and citations."`
	Question []string `arg:"" help:"The question; - reads it from standard input."`
}

type reference struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	URL    string `json:"url"`
	Page   int    `json:"page"`
	Quote  string `json:"quote"`
}

type streamed struct {
	Step    string `json:"step"`
	Message string `json:"message"`
	Delta   string `json:"delta"`
	Output  struct {
		Answer     string      `json:"answer"`
		References []reference `json:"references"`
		ThreadID   int64       `json:"thread_id"`
	} `json:"output"`
}

// Run asks and prints.
func (a *ask) Run(t *terminal) error {
	question := strings.TrimSpace(strings.Join(a.Question, " "))
	if question == "-" {
		b, err := io.ReadAll(io.LimitReader(t.in, 1<<20))
		if err != nil {
			return err
		}
		question = strings.TrimSpace(string(b))
	}
	if question == "" {
		return errors.New("the question is empty")
	}
	c, err := a.client(t)
	if err != nil {
		return err
	}
	id, err := findAgent(t, c, a.Agent)
	if err != nil {
		return err
	}
	in := map[string]any{"user_query": question, "query_source": "command-line"}
	if a.Thread != 0 {
		in["chat_thread_id"] = a.Thread
	}
	path := fmt.Sprintf("/response-service/api/v2/agents/%d/responses", id)
	if a.JSON {
		out, err := call[json.RawMessage](t.ctx, c, "POST", path, in)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := json.Indent(&b, out, "", "  "); err != nil {
			return err
		}
		fmt.Fprintln(t.out, b.String())
		return nil
	}
	return a.stream(t, c, path+"/stream", in)
}

func (a *ask) stream(t *terminal, c *client, path string, in any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	res, err := c.send(t.ctx, "POST", path, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	ended := false
	err = sse.Read(res.Body, func(e sse.Event) error {
		var s streamed
		if err := json.Unmarshal(e.Data, &s); err != nil {
			return fmt.Errorf("the stream holds what is not JSON: %w", err)
		}
		switch s.Step {
		case "assistant_stream":
			fmt.Fprint(t.out, s.Delta)
		case "end":
			ended = true
			fmt.Fprintln(t.out)
			if !a.Quiet {
				printReferences(t.out, s.Output.References)
			}
		case "error":
			return errors.New(s.Message)
		default:
			if s.Message != "" && !a.Quiet {
				fmt.Fprintf(t.err, "· %s\n", s.Message)
			}
		}
		return nil
	})
	if err == nil && !ended {
		err = errors.New("the stream broke off before the answer was complete; the server finishes it, see the thread in the console")
	}
	return err
}

func printReferences(w io.Writer, refs []reference) {
	if len(refs) == 0 {
		return
	}
	fmt.Fprintln(w)
	for _, r := range refs {
		where := r.Title
		if r.Page > 0 {
			where += ", page " + strconv.Itoa(r.Page)
		}
		fmt.Fprintf(w, "[%d] %s\n    “%s”\n", r.Number, where, strings.Join(strings.Fields(r.Quote), " "))
		if r.URL != "" {
			fmt.Fprintf(w, "    %s\n", r.URL)
		}
	}
}

// named is anything with an id and a name.
type named struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	AgentName string `json:"agent_name"`
}

func findAgent(t *terminal, c *client, name string) (int64, error) {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil {
		return id, nil
	}
	list, err := call[struct {
		Agents []named `json:"agents"`
	}](t.ctx, c, "GET", "/api/v2/agents?page_size=200&search="+url.QueryEscape(name), nil)
	if err != nil {
		return 0, err
	}
	var found []named
	for _, a := range list.Agents {
		if strings.EqualFold(a.AgentName, name) {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 1:
		return found[0].ID, nil
	case 0:
		return 0, fmt.Errorf("no agent is called %q; the console lists them", name)
	}
	return 0, fmt.Errorf("%d agents are called %q; give the id of one", len(found), name)
}
