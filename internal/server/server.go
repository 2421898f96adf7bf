// Package server puts the parts together: it opens the stores, makes the
// capabilities, mounts their operations and the console, and runs until it is
// told to stop. It is the only package that knows them all.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"atrium/internal/agent"
	"atrium/internal/api"
	"atrium/internal/auditlog"
	"atrium/internal/blob"
	"atrium/internal/bundle"
	"atrium/internal/corpus"
	"atrium/internal/db"
	"atrium/internal/document"
	"atrium/internal/egress"
	"atrium/internal/embed"
	"atrium/internal/event"
	"atrium/internal/extract"
	"atrium/internal/extract/ocr"
	"atrium/internal/feature"
	"atrium/internal/job"
	"atrium/internal/model"
	"atrium/internal/notify"
	"atrium/internal/org"
	"atrium/internal/peer"
	"atrium/internal/permission"
	"atrium/internal/project"
	"atrium/internal/response"
	"atrium/internal/secret"
	"atrium/internal/signin"
	"atrium/internal/team"
	"atrium/internal/thread"
	"atrium/internal/user"
)

// Version is the release, set by the build.
var Version = "dev"

// Server is everything that runs.
type Server struct {
	cfg         Config
	log         *slog.Logger
	db          *db.DB
	blobs       blob.Store
	jobs        *job.Queue
	events      *event.Log
	guard       *egress.Guard
	modelGuard  *egress.Guard
	pool        *extract.Pool
	orgs        *org.Organizations
	features    *feature.Features
	notices     *notify.Notifications
	auditLog    *auditlog.Log
	configured  *model.Models
	users       *user.Users
	signin      *signin.SignIn
	permissions *permission.Permissions
	teams       *team.Teams
	projects    *project.Projects
	documents   *document.Documents
	corpora     *corpus.Corpora
	agents      *agent.Agents
	bundles     *bundle.Bundles
	threads     *thread.Threads
	responses   *response.Responses
	api         *api.API
	models      *models
	peers       *peer.Peers
	handler     http.Handler
	first       First

	stop       context.CancelFunc // ends the background work
	background sync.WaitGroup
}

// Options are what a test replaces.
type Options struct {
	Config Config
	Log    *slog.Logger
	// Worker is the command that reads documents; empty: this binary.
	Worker []string
}

// New opens the stores and makes everything ready to serve. Close it.
func New(ctx context.Context, o Options) (*Server, error) {
	s := &Server{cfg: o.Config, log: o.Log}
	if err := s.cfg.Check(); err != nil {
		return nil, err
	}
	if err := s.open(ctx, o.Worker); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, worker []string) error {
	c := s.cfg
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if err := os.Chmod(c.Data, 0o700); err != nil { //nolint:gosec // a folder has to be entered
		return fmt.Errorf("close the data folder to others: %w", err)
	}
	key, err := masterKey(c)
	if err != nil {
		return err
	}
	if s.db, err = db.Open(ctx, db.Options{URL: c.DatabaseURL, Dir: c.Data, Log: s.log}); err != nil {
		return err
	}
	allow, err := c.allowed()
	if err != nil {
		return err
	}
	s.guard = egress.New(egress.Options{Allow: allow})
	s.modelGuard = egress.New(egress.Options{Allow: c.ModelAllow})
	if s.blobs, err = openBlobs(ctx, c, s.guard); err != nil {
		return err
	}
	s.events = event.New(s.db, s.log)
	s.jobs = job.New(s.db, s.log)
	if len(worker) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		worker = []string{exe, "extract-worker"}
	}
	languages, err := ocr.Parse(c.OCRLanguages)
	if err != nil {
		return err
	}
	s.pool = extract.NewPool(extract.Options{Command: worker, Workers: 2, Languages: languages})
	s.orgs = org.New(s.db, s.blobs)
	s.features = feature.New(s.db)
	s.notices = notify.New(s.db)
	s.auditLog = auditlog.New(s.db)
	s.users = user.New(user.Options{DB: s.db, Log: s.log, MasterKey: key, AppSecret: c.AppSecret, RequireAPIKey: c.RequireAPIKey, SecureCookies: strings.HasPrefix(c.PublicURL, "https://"), OpenRegistration: c.OpenRegistration})
	if s.signin, err = s.newSignIn(key); err != nil {
		return err
	}
	s.permissions = permission.New(s.db, s.users)
	s.teams = team.New(s.db)
	s.projects = project.New(s.db)
	embedder, err := newEmbedder(c, s.guard)
	if err != nil {
		return err
	}
	reranker, err := newReranker(c, s.guard.Operator(egress.Limits{}))
	if err != nil {
		return err
	}
	if s.models, err = newModels(c, s.guard); err != nil {
		return err
	}
	box, err := secret.New(key)
	if err != nil {
		return err
	}
	s.configured = model.New(model.Options{DB: s.db, Box: box, Client: modelClient(s.modelGuard), Server: s.models.deployed})
	s.models.configured = s.configured
	vectors, err := s.openVectors(ctx)
	if err != nil {
		return err
	}
	s.documents = document.New(document.Options{
		DB: s.db, Vectors: vectors, Blobs: s.blobs, Jobs: s.jobs, Extract: s.pool, Fetch: s.guard, Embed: embedder, Rerank: reranker, Draft: s.models.Draft,
		Former:    func(name string) embed.Embedder { return formerEmbedder(c, s.guard, name) },
		PublicURL: c.PublicURL, MaxBytes: c.MaxUpload, Dir: filepath.Join(c.Data, "tmp"), Log: s.log,
	})
	s.corpora = corpus.New(corpus.Options{DB: s.db, Documents: s.documents, MaxUpload: c.MaxUpload})
	s.agents = agent.New(agent.Options{DB: s.db, Corpora: s.corpora, Projects: s.projects, People: s.users})
	s.bundles = bundle.New(bundle.Options{DB: s.db, Documents: s.documents, Corpora: s.corpora, Agents: s.agents, Dir: filepath.Join(c.Data, "tmp"), Version: Version})
	s.threads = thread.New(s.db, s.agents, s.corpora, s.documents)
	s.responses = response.New(response.Options{DB: s.db, Jobs: s.jobs, Events: s.events, Agents: s.agents, Threads: s.threads, Projects: s.projects, People: s.users, Documents: s.documents, Models: s.models, PublicURL: c.PublicURL, Log: s.log,
		Caching: func(ctx context.Context, orgID int64) (bool, error) {
			return s.features.Active(ctx, orgID, feature.Caching)
		}})
	proxies, err := c.proxies()
	if err != nil {
		return err
	}
	s.api = api.New(api.Options{Version: Version, PublicURL: c.PublicURL, Auth: s.users, Log: s.log, Feature: s.features.Active, Proxies: proxies})
	if err := s.mount(); err != nil {
		return err
	}
	s.handler = s.routes()
	if err := s.db.Alone(ctx, func(ctx context.Context) (err error) {
		if err := s.join(ctx, box, embedder); err != nil {
			return err
		}
		if s.first, err = s.prepare(ctx); err != nil {
			return err
		}
		return s.seedGuide(ctx)
	}); err != nil {
		return err
	}
	s.jobs.YieldTo(func() bool { return s.api.Load() > busy })
	if err := s.jobs.Start(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.background.Go(func() { s.documents.Background(background) })
	s.background.Go(func() { s.corpora.Background(background) })
	return nil
}

// mount declares every operation.
func (s *Server) mount() error {
	s.orgs.Mount(s.api)
	s.features.Mount(s.api)
	s.notices.Mount(s.api)
	s.auditLog.Mount(s.api)
	s.configured.Mount(s.api)
	s.users.Mount(s.api)
	s.signin.Mount(s.api)
	s.permissions.Mount(s.api)
	s.teams.Mount(s.api)
	s.projects.Mount(s.api)
	s.agents.Mount(s.api)
	s.corpora.Mount(s.api)
	s.documents.Mount(s.api)
	s.bundles.Mount(s.api)
	s.threads.Mount(s.api)
	s.responses.Mount(s.api)
	for _, o := range s.api.Ops() {
		if o.Feature != "" && !feature.Known(o.Feature) {
			return fmt.Errorf("the operation %s names the feature flag %q, which there is not", o.ID, o.Feature)
		}
	}
	s.api.Seal()
	return nil
}

// API is the set of operations, for tests and for the description.
func (s *Server) API() *api.API { return s.api }

// Handler serves everything.
func (s *Server) Handler() http.Handler { return s.handler }

// First is what the start made.
func (s *Server) First() First { return s.first }

// Close stops the work under way and closes the stores; what is not finished
// goes on at the next start.
func (s *Server) Close(ctx context.Context) error {
	var errs []error
	if s.stop != nil {
		s.stop()
		s.background.Wait()
	}
	if s.jobs != nil {
		errs = append(errs, s.jobs.Stop(ctx))
	}
	if s.pool != nil {
		s.pool.Close()
	}
	if s.users != nil {
		s.users.Close()
	}
	if s.events != nil {
		errs = append(errs, s.events.Close())
	}
	if s.guard != nil {
		s.guard.Close()
		s.modelGuard.Close()
	}
	if s.peers != nil {
		errs = append(errs, s.peers.Leave(ctx))
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}

// busy is the part of the processors' time that answering takes from which on
// documents are read one at a time.
const busy = .1

const (
	stopServing = 5 * time.Second  // for open requests to end
	stopWorking = 10 * time.Second // for jobs to end before they are given back
)

// Run serves until the context ends, and then stops gracefully. ready is
// called with the address once requests are taken.
func Run(ctx context.Context, o Options, ready func(*Server, net.Addr)) error {
	s, err := New(ctx, o)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on ATRIUM_LISTEN: %w", err), s.Close(ctx))
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	h := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return base },
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(ln) }()
	ready(s, ln.Addr())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stopping, stop := context.WithTimeout(context.WithoutCancel(ctx), stopServing)
	defer stop()
	time.AfterFunc(stopServing/2, cancel) // streams end; their clients resume
	if err2 := h.Shutdown(stopping); err2 != nil {
		_ = h.Close()
	}
	working, stop := context.WithTimeout(context.WithoutCancel(ctx), stopWorking)
	defer stop()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Close(working))
}
