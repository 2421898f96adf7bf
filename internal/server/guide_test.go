package server_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"atrium/docs"
	"atrium/internal/db"
	"atrium/internal/server/servertest"
)

// TestGuideAnswersTheHandbooksQuestions asks the headings of the handbook, which are
// questions, of the agent that knows it.
func TestGuideAnswersTheHandbooksQuestions(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, db.SQLite)
	c := h.Admin(t)
	guide := c.Do("GET", "/api/v2/agents?search=Guide", nil).Want(t, 200).ID("data.agents.0.id")
	corpus := c.Do("GET", fmt.Sprintf("/api/v2/agents/%d/corpora", guide), nil).Want(t, 200).ID("data.items.agent_corpus.0.corpus.id")
	names, err := fs.Glob(docs.FS, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if a := c.Do("GET", fmt.Sprintf("/api/v2/corpora/%d/documents?step=completed", corpus), nil).Want(t, 200); a.At("data.pagination.total") == float64(len(names)) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the handbook is not read")
		}
	}
	asked, answered := 0, 0
	for _, name := range names {
		text, err := fs.ReadFile(docs.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range strings.Split(string(text), "\n## ")[1:] {
			question, body, _ := strings.Cut(section, "\n")
			if !strings.HasSuffix(question, "?") {
				continue
			}
			asked++
			a := c.Do("POST", fmt.Sprintf("/response-service/api/v2/agents/%d/responses", guide), map[string]any{"user_query": question}).Want(t, 200)
			quote := strings.Join(strings.Fields(a.String("data.references.0.quote")), " ")
			if quote != "" && strings.Contains(strings.Join(strings.Fields(body), " "), quote) {
				answered++
			} else {
				t.Logf("%s: %q is answered with %q", name, question, quote)
			}
		}
	}
	if asked < 100 || answered*100 < asked*95 {
		t.Errorf("%d of %d questions are answered first from what stands below them", answered, asked)
	}
}
