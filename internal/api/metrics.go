package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "atrium_http_requests_total", Help: "Requests by route and status.",
	}, []string{"route", "status"})
	durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "atrium_http_request_seconds", Help: "Time to answer by route; streams last as long as the answer.",
		Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60},
	}, []string{"route"})
)

// Collectors are the figures of this package, for /metrics.
func Collectors() []prometheus.Collector { return []prometheus.Collector{requests, durations} }

func observe(route string, status int, took time.Duration) {
	if route == "" {
		route = "unknown"
	}
	requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	durations.WithLabelValues(route).Observe(took.Seconds())
}
