package server

import (
	"context"
	"log/slog"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/auditlog"
	"atrium/internal/bundle"
	"atrium/internal/corpus"
	"atrium/internal/document"
	"atrium/internal/feature"
	"atrium/internal/job"
	"atrium/internal/model"
	"atrium/internal/notify"
	"atrium/internal/org"
	"atrium/internal/permission"
	"atrium/internal/response"
	"atrium/internal/signin"
	"atrium/internal/thread"
	"atrium/internal/user"
)

// Describe is the description of all operations, made without opening
// anything: what `atrium openapi` prints and the repository keeps.
func Describe(context.Context) ([]byte, error) {
	log := slog.New(slog.DiscardHandler)
	s := &Server{cfg: Defaults(), log: log}
	s.orgs = org.New(nil, nil)
	s.features = feature.New(nil)
	s.notices = notify.New(nil)
	s.auditLog = auditlog.New(nil)
	s.configured = model.New(model.Options{})
	s.users = user.New(user.Options{Log: log})
	defer s.users.Close()
	s.permissions = permission.New(nil, s.users)
	jobs := job.New(nil, log)
	s.signin = signin.New(signin.Options{Jobs: jobs, Users: s.users, Log: log})
	s.documents = document.New(document.Options{Jobs: jobs, Log: log})
	s.corpora = corpus.New(corpus.Options{Documents: s.documents})
	s.agents = agent.New(agent.Options{Corpora: s.corpora, Projects: s.projects})
	s.bundles = bundle.New(bundle.Options{Documents: s.documents, Corpora: s.corpora, Agents: s.agents})
	s.threads = thread.New(nil, s.agents, s.corpora, s.documents)
	s.responses = response.New(response.Options{Jobs: jobs, Log: log})
	s.api = api.New(api.Options{Version: "stable", Auth: s.users, Log: log})
	if err := s.mount(); err != nil {
		return nil, err
	}
	return s.api.OpenAPI(), nil
}
