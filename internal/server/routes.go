package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"atrium/internal/api"
	"atrium/internal/console"
)

// routes puts the operations, the machine's own pages and the console behind
// one handler.
func (s *Server) routes() http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	own.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := s.db.Ping(ctx); err != nil {
			s.log.Warn("not ready", "error", err)
			plain(w, http.StatusServiceUnavailable, "the database does not answer; see the server's log")
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	own.Handle("GET /metrics", s.metrics())
	own.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.api.OpenAPI())
	})
	pages := console.Handler()
	own.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = "/docs/index.html"
		pages.ServeHTTP(w, r)
	})
	own.Handle("/", pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.api.Knows(r) {
			s.api.ServeHTTP(w, r)
			return
		}
		own.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// metrics serves the figures of the process, the requests and the jobs.
func (s *Server) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range api.Collectors() {
		reg.MustRegister(c)
	}
	reg.MustRegister(jobFigures{s}, embedFigures{s}, rerankFigures{s}, peerFigures{s})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}

// jobFigures asks the queue for its depth when the figures are read.
type jobFigures struct{ s *Server }

var jobsDesc = prometheus.NewDesc("atrium_jobs", "Jobs by kind and state.", []string{"kind", "state"}, nil)

func (jobFigures) Describe(ch chan<- *prometheus.Desc) { ch <- jobsDesc }

func (f jobFigures) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	stats, err := f.s.jobs.Stats(ctx)
	if err != nil {
		f.s.log.Warn("cannot count the jobs", "error", err)
		return
	}
	for _, x := range stats {
		ch <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(x.Count), x.Kind, x.State)
	}
}

// embedFigures tells how far the documents are with a changed embedder.
type embedFigures struct{ s *Server }

var (
	reembedDesc     = prometheus.NewDesc("atrium_reembedding_documents", "Documents of organizations whose vectors are being made anew.", []string{"state"}, nil)
	reembedFailDesc = prometheus.NewDesc("atrium_reembedding_failed", "1 for each reason why vectors are not being made anew.", []string{"reason"}, nil)
)

func (embedFigures) Describe(ch chan<- *prometheus.Desc) { ch <- reembedDesc; ch <- reembedFailDesc }

func (f embedFigures) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	r, err := f.s.documents.Reembedding(ctx)
	if err != nil {
		f.s.log.Warn("cannot count the documents without vectors", "error", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(reembedDesc, prometheus.GaugeValue, float64(r.Done), "done")
	ch <- prometheus.MustNewConstMetric(reembedDesc, prometheus.GaugeValue, float64(r.Todo), "todo")
	for _, reason := range r.Reasons {
		ch <- prometheus.MustNewConstMetric(reembedFailDesc, prometheus.GaugeValue, 1, reason)
	}
}
