package agent

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/db"
	"atrium/internal/fail"
)

// Starter is a question that an agent offers before the first one.
type Starter struct {
	ID        *int64    `json:"id" nullable:"true" doc:"Null for those that are the agent's sample questions only."`
	Question  string    `json:"question"`
	CreatedBy string    `json:"created_by"`
	CreatedOn time.Time `json:"created_on"`
}

const (
	maxStarters = 20
	samples     = 3 // sample_q1 to sample_q3
)

type starterRow struct {
	ID        int64     `db:"id"`
	Question  string    `db:"question"`
	CreatedBy string    `db:"created_by"`
	CreatedOn time.Time `db:"created_on"`
}

func storedStarters(ctx context.Context, q db.Querier, r row) ([]starterRow, error) {
	return db.All[starterRow](ctx, q, `SELECT id, question, created_by, created_on FROM agent_starter WHERE org_id = ? AND agent_id = ? ORDER BY ordinal, id`, r.OrgID, r.ID)
}

func (r row) samples() []string {
	var out []string
	for _, q := range []string{r.SampleQ1, r.SampleQ2, r.SampleQ3} {
		if q = strings.TrimSpace(q); q != "" {
			out = append(out, q)
		}
	}
	return out
}

// startersOf are the stored ones; without any, the sample questions.
func startersOf(ctx context.Context, q db.Querier, r row) ([]Starter, error) {
	stored, err := storedStarters(ctx, q, r)
	out := []Starter{}
	for _, x := range stored {
		out = append(out, Starter{&x.ID, x.Question, x.CreatedBy, x.CreatedOn})
	}
	if len(out) == 0 {
		for _, x := range r.samples() {
			out = append(out, Starter{nil, x, r.CreatedBy, r.CreatedOn})
		}
	}
	return out, err
}

// Starters are the questions that an agent offers, in their order.
func (s *Agents) Starters(ctx context.Context, sc authz.Scope, id int64) (StarterList, error) {
	r, err := load(ctx, s.db, sc, id, authz.View)
	if err != nil {
		return StarterList{Starters: []Starter{}}, err
	}
	out, err := startersOf(ctx, s.db, r)
	return StarterList{Starters: out}, err
}

// StarterList is all of an agent's starters; there are few.
type StarterList struct {
	Starters []Starter `json:"conversation_starters" nullable:"false" doc:"In the order in which they are offered."`
}

// AddStarter puts a question behind those that are there.
func (s *Agents) AddStarter(ctx context.Context, sc authz.Scope, id int64, question string) (out Starter, err error) {
	err = s.startersChanged(ctx, sc, id, func(now []string) ([]string, error) {
		if slices.Contains(now, strings.Join(strings.Fields(question), " ")) {
			return nil, fail.Conflict("the agent has this conversation starter already")
		}
		return append(now, question), nil
	})
	if err != nil {
		return Starter{}, err
	}
	list, err := s.Starters(ctx, sc, id)
	if err != nil || len(list.Starters) == 0 {
		return Starter{}, err
	}
	return list.Starters[len(list.Starters)-1], nil
}

// SetStarters replaces an agent's starters.
func (s *Agents) SetStarters(ctx context.Context, sc authz.Scope, id int64, questions []string) (StarterList, error) {
	err := s.startersChanged(ctx, sc, id, func([]string) ([]string, error) { return questions, nil })
	if err != nil {
		return StarterList{Starters: []Starter{}}, err
	}
	return s.Starters(ctx, sc, id)
}

// startersChanged stores what change makes of an agent's starters. The agent's
// row is locked by its first change, so that of two at once none is lost.
func (s *Agents) startersChanged(ctx context.Context, sc authz.Scope, id int64, change func(now []string) ([]string, error)) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := load(ctx, tx, sc, id, authz.Edit); err != nil {
			return err
		}
		if err := touch(ctx, tx, sc, id); err != nil {
			return err
		}
		r, err := load(ctx, tx, sc, id, authz.Edit)
		if err != nil {
			return err
		}
		was, err := startersOf(ctx, tx, r)
		if err != nil {
			return err
		}
		now := make([]string, len(was))
		for i, x := range was {
			now[i] = x.Question
		}
		if now, err = change(now); err != nil {
			return err
		}
		if now, err = cleanStarters(now); err != nil {
			return err
		}
		return storeStarters(ctx, tx, sc, &r, now)
	})
}

func cleanStarters(in []string) ([]string, error) {
	out := []string{}
	seen := map[string]bool{}
	for _, q := range in {
		q = strings.Join(strings.Fields(q), " ")
		switch {
		case q == "":
			return nil, fail.InvalidField("question", "question: write a question; this one is blank")
		case strings.ContainsRune(q, 0):
			return nil, fail.InvalidField("question", "question: the character NUL cannot be stored; take it out")
		case seen[q]:
			continue
		}
		seen[q] = true
		out = append(out, q)
	}
	if len(out) > maxStarters {
		return nil, fail.Conflict("an agent has at most %d conversation starters; remove one first", maxStarters)
	}
	return out, nil
}

// storeStarters writes the list and shows its first ones as the sample questions
// too, for clients that know only these.
func storeStarters(ctx context.Context, tx *db.Tx, sc authz.Scope, r *row, questions []string) error {
	stored, err := storedStarters(ctx, tx, *r)
	if err != nil {
		return err
	}
	known := map[string]starterRow{}
	for _, x := range stored {
		known[x.Question] = x
	}
	if _, err := db.Exec(ctx, tx, `DELETE FROM agent_starter WHERE org_id = ? AND agent_id = ?`, r.OrgID, r.ID); err != nil {
		return err
	}
	first := make([]string, samples)
	for i, q := range questions {
		if i < samples {
			first[i] = q
		}
		x, ok := known[q]
		columns, args := "", []any{r.OrgID, r.ID, i, q, sc.Email(), time.Now()}
		if ok { // who wrote it stays
			columns, args = "id, ", append([]any{x.ID}, r.OrgID, r.ID, i, q, x.CreatedBy, x.CreatedOn)
		}
		marks, args := db.In(args)
		if _, err := db.Exec(ctx, tx, `INSERT INTO agent_starter (`+columns+`org_id, agent_id, ordinal, question, created_by, created_on) VALUES (`+marks+`)`, args...); err != nil {
			return err
		}
	}
	r.SampleQ1, r.SampleQ2, r.SampleQ3 = first[0], first[1], first[2]
	_, err = db.Exec(ctx, tx, `UPDATE agent SET sample_q1 = ?, sample_q2 = ?, sample_q3 = ? WHERE org_id = ? AND id = ?`, r.SampleQ1, r.SampleQ2, r.SampleQ3, r.OrgID, r.ID)
	return err
}

// follow gives stored starters the sample questions that were changed: they are
// the first of them.
func follow(ctx context.Context, tx *db.Tx, sc authz.Scope, old row, r *row) error {
	if r.SampleQ1 == old.SampleQ1 && r.SampleQ2 == old.SampleQ2 && r.SampleQ3 == old.SampleQ3 {
		return nil
	}
	stored, err := storedStarters(ctx, tx, old)
	if err != nil || len(stored) == 0 {
		return err
	}
	now := r.samples()
	for _, x := range stored[min(samples, len(stored)):] {
		now = append(now, x.Question)
	}
	now, err = cleanStarters(now)
	if err != nil {
		return err
	}
	return storeStarters(ctx, tx, sc, r, now)
}

type starting struct {
	AgentID
	Body struct {
		Question string `json:"question" minLength:"1" maxLength:"500" pattern:"\\S"`
	}
}

type startingAll struct {
	AgentID
	Body struct {
		Questions []string `json:"questions" maxItems:"20" doc:"All of them, in the order in which they are offered."`
	}
}

func (s *Agents) mountStarters(a *api.API) {
	const group, path = "Conversation Starters", "/api/v2/agents/{agent_id}/conversation-starters"
	api.Do(a, api.Op{ID: "listAgentStarters", Route: "GET " + path, Title: "Get Conversation Starters for an Agent", Group: group,
		Doc: "The questions that the agent offers before the first one. Its sample questions are the first three of them.", Needs: authz.To(authz.View, authz.Agent)},
		func(ctx context.Context, in *AgentID) (StarterList, error) {
			return s.Starters(ctx, authz.From(ctx), in.ID)
		})
	api.Do(a, api.Op{ID: "createAgentStarter", Route: "POST " + path, Title: "Create a new Conversation Starter", Group: group, Status: http.StatusCreated, Message: "Conversation starter created",
		Doc: "Puts it behind those that are there; an agent has at most 20.", Needs: authz.To(authz.Edit, authz.Agent)},
		func(ctx context.Context, in *starting) (Starter, error) {
			return s.AddStarter(ctx, authz.From(ctx), in.ID, in.Body.Question)
		})
	api.Do(a, api.Op{ID: "replaceAgentStarters", Route: "PUT " + path, Title: "Replace the Conversation Starters of an Agent", Group: group, Message: "Conversation starters updated",
		Doc: "Takes the whole list: what is left out is removed, and the order is that of the list.", Needs: authz.To(authz.Edit, authz.Agent)},
		func(ctx context.Context, in *startingAll) (StarterList, error) {
			return s.SetStarters(ctx, authz.From(ctx), in.ID, in.Body.Questions)
		})
}
