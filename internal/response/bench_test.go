package response

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"atrium/internal/agent"
	"atrium/internal/db/dbtest"
	"atrium/internal/egress"
	"atrium/internal/llm/fake"
	"atrium/internal/llm/openai"
	"atrium/internal/sse"
)

// BenchmarkStreams asks a model that needs 20 ms to its first token and 5 ms a
// token, directly and through the engine, and reports what the engine adds:
// added-ms, the median of the time to the first token less that of the direct
// one, and rate-%, the share of the direct token rate.
func BenchmarkStreams(b *testing.B) {
	const tokens = 100
	for _, engine := range dbtest.Engines {
		for _, n := range []int{1, 64} {
			b.Run(string(engine)+"/"+strconv.Itoa(n), func(b *testing.B) {
				model := httptest.NewServer(fake.Server(fake.Options{FirstToken: 20 * time.Millisecond, PerToken: 5 * time.Millisecond, Tokens: tokens}))
				guard := egress.New(egress.Options{})
				b.Cleanup(func() {
					guard.Close()
					model.CloseClientConnections()
					model.Close()
				})
				p, err := openai.New(openai.Config{BaseURL: model.URL + "/v1", Model: "fake", Client: guard.Operator(egress.Limits{})})
				if err != nil {
					b.Fatal(err)
				}
				h := newBench(b, dbtest.Open(b, engine), p)
				id := h.agent(func(*agent.Draft) {})
				direct := func() (time.Duration, time.Duration) {
					return clock(b, model.URL+"/v1/chat/completions", []byte(`{"model":"fake","stream":true,"messages":[{"role":"user","content":"Hi"}]}`), nil)
				}
				through := func() (time.Duration, time.Duration) {
					return clock(b, h.url+askPath(id)+"/stream", []byte(`{"user_query":"What do mallards eat?"}`), h)
				}
				many(n, through) // connections and statements are there
				many(n, direct)
				var first, firstDirect, rate, rateDirect []float64
				for b.Loop() {
					f, whole := many(n, direct)
					firstDirect, rateDirect = append(firstDirect, f...), append(rateDirect, whole...)
					f, whole = many(n, through)
					first, rate = append(first, f...), append(rate, whole...)
				}
				b.ReportMetric(median(first)-median(firstDirect), "added-ms")
				b.ReportMetric(100*median(rateDirect)/median(rate), "rate-%")
			})
		}
	}
}

// many runs f at once so many times and answers its times in milliseconds.
func many(n int, f func() (time.Duration, time.Duration)) (first, whole []float64) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			a, z := f()
			mu.Lock()
			defer mu.Unlock()
			first = append(first, float64(a.Microseconds())/1000)
			whole = append(whole, float64(z.Microseconds())/1000)
		})
	}
	all.Wait()
	return first, whole
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}

var benchClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}

// clock answers the time to the first token and the time from it to the end.
func clock(b *testing.B, url string, body []byte, h *bench) (first, rest time.Duration) {
	b.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Who", "ann")
	start := time.Now()
	res, err := benchClient.Do(req)
	if err != nil {
		b.Error(err)
		return 0, 0
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(res.Body)
		b.Errorf("%d %s", res.StatusCode, raw)
		return 0, 0
	}
	var begun, ended time.Time
	err = sse.Read(res.Body, func(e sse.Event) error {
		isToken := h != nil && e.Name == evToken || h == nil && bytes.Contains(e.Data, []byte(`"content":"`)) && !bytes.Contains(e.Data, []byte(`"content":""`))
		if isToken {
			ended = time.Now()
			if begun.IsZero() {
				begun = ended
			}
		}
		return nil
	})
	if err != nil {
		b.Error(err)
	}
	return begun.Sub(start), ended.Sub(begun)
}
