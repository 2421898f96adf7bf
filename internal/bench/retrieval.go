package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"atrium/internal/retrieval"
	"atrium/internal/retrieval/eval"
)

const (
	dimensions   = 384
	piecesEach   = 4 // of a document
	pieceWords   = 120
	vocabularyOf = 200_000
	topics       = 2_000
	probes       = 200 // questions
	near         = 10  // of recall@10
)

// library makes documents that look like text to an index: words as rare as
// words are, vectors in clusters.
type library struct {
	r       *rand.Rand
	words   []string
	zipf    *rand.Zipf
	centres [][]float32
}

func newLibrary() *library {
	r := rand.New(rand.NewPCG(3, 4))
	l := &library{r: r, words: make([]string, vocabularyOf), zipf: rand.NewZipf(r, 1.1, 8, vocabularyOf-1)}
	for i := range l.words {
		l.words[i] = syllables(r)
	}
	for range topics {
		l.centres = append(l.centres, l.around(nil, 1))
	}
	return l
}

// around is a vector of unit length beside another one.
func (l *library) around(v []float32, spread float64) []float32 {
	out := make([]float32, dimensions)
	sum := 0.0
	for i := range out {
		x := l.r.NormFloat64() * spread / math.Sqrt(dimensions)
		if v != nil {
			x += float64(v[i])
		}
		out[i] = float32(x)
		sum += x * x
	}
	for i := range out {
		out[i] /= float32(math.Sqrt(sum))
	}
	return out
}

func (l *library) vector() []float32 { return l.around(l.centres[l.r.IntN(topics)], 1) }

func (l *library) text(n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(l.words[l.zipf.Uint64()])
		b.WriteByte(' ')
	}
	return b.String()
}

func (l *library) document(first int64) (string, []retrieval.Piece) {
	ps := make([]retrieval.Piece, piecesEach)
	for i := range ps {
		ps[i] = retrieval.Piece{ID: first + int64(i), Text: l.text(pieceWords), Vector: l.vector()}
	}
	return l.text(5), ps
}

// question is as long as people's are, of words that are not the commonest.
func (l *library) question() retrieval.Query {
	var b strings.Builder
	for range 8 {
		b.WriteString(l.words[20+l.zipf.Uint64()%(vocabularyOf-20)])
		b.WriteByte(' ')
	}
	return retrieval.Query{Text: b.String(), Vector: l.vector()}
}

// searching measures the index alone at a number of pieces, beside a plain scan
// of the same vectors and plain BM25 over the same texts.
func searching(n int, goals bool) func(context.Context, Options) ([]Row, error) {
	return func(ctx context.Context, o Options) ([]Row, error) {
		l := newLibrary()
		fmt.Fprintf(o.Log, "  indexing %d pieces …\n", n)
		before := held()
		dir, err := os.MkdirTemp("", "atrium-bench-")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		x := retrieval.NewIndex()
		var unspilled error
		x.Spill(dir, func(err error) { unspilled = err })
		began := time.Now()
		var vectors []float32 // kept outside of the index, for the yardstick
		plain := eval.PlainBM25()
		for d := range n / piecesEach {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			title, ps := l.document(int64(d * piecesEach))
			if err := x.Put(int64(d), retrieval.Encode(title, ps)); err != nil {
				return nil, err
			}
			if !goals {
				continue
			}
			docs := make([]eval.Doc, len(ps))
			for i, p := range ps {
				vectors = append(vectors, p.Vector...)
				docs[i] = eval.Doc{ID: fmt.Sprint(p.ID), Title: title, Text: p.Text}
			}
			if err := plain.Ingest(ctx, docs); err != nil {
				return nil, err
			}
		}
		built := time.Since(began)
		if unspilled != nil {
			return nil, unspilled
		}
		name := fmt.Sprintf("retrieval, %d pieces: ", n)
		goal := func(s string) string {
			if goals {
				return s
			}
			return ""
		}
		rows := []Row{{name + "indexed", fmt.Sprintf("%.0f pieces/s", float64(n)/built.Seconds()), "", "made and read by the yardstick too"}}
		questions := make([]retrieval.Query, probes)
		for i := range questions {
			questions[i] = l.question()
		}
		lexical, vector, fused := make([]retrieval.Query, probes), make([]retrieval.Query, probes), questions
		for i, q := range questions {
			lexical[i], vector[i] = retrieval.Query{Text: q.Text}, retrieval.Query{Vector: q.Vector}
		}
		yard := map[string]string{}
		recall := 0.0
		if goals {
			var scans, bms []time.Duration
			for i, q := range vector {
				t := time.Now()
				want := scan(vectors, q.Vector)
				scans = append(scans, time.Since(t))
				hits, err := retrieval.Search(ctx, []*retrieval.Index{x}, q)
				if err != nil {
					return nil, err
				}
				for _, h := range hits {
					if slices.Contains(want, h.PieceID) {
						recall++
					}
				}
				t = time.Now()
				if _, err := plain.Search(ctx, lexical[i].Text, near); err != nil {
					return nil, err
				}
				bms = append(bms, time.Since(t))
			}
			recall /= near * probes
			yard["vector"] = fmt.Sprintf("plain scan of the vectors in 32 bits %s", ms(median(scans)))
			yard["lexical"] = fmt.Sprintf("plain BM25 %s", ms(median(bms)))
		}
		for _, side := range []struct {
			name, goal string
			queries    []retrieval.Query
		}{{"lexical", "≤ 15 ms", lexical}, {"vector", "≤ 15 ms", vector}, {"fused", "≤ 25 ms", fused}} {
			took, err := times(ctx, x, side.queries)
			if err != nil {
				return nil, err
			}
			rows = append(rows, Row{name + side.name + ", median", ms(median(took)), goal(side.goal), cmp.Or(yard[side.name], "99th percentile "+ms(slices.Max(took[:len(took)*99/100])))})
		}
		memory := float64(held()-before) / (1 << 20)
		kept := x.Stats()
		rows = append(rows, Row{name + "memory", fmt.Sprintf("%.0f MiB", memory), map[bool]string{true: "≤ 300 MB", false: "≤ 1 GB"}[goals],
			fmt.Sprintf("by its own count %d MiB, and %d MiB in files; the vectors in 32 bits %d MiB", kept.Bytes>>20, kept.Files>>20, 4*dimensions*n>>20)})
		busy, put, err := whileIndexing(ctx, l, x, n, fused)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{name + "fused while indexing, 99th percentile", ms(busy[len(busy)*99/100]), goal("≤ 100 ms"),
			fmt.Sprintf("median %s; %.0f pieces/s came in", ms(median(busy)), put)})
		if goals {
			rows = append(rows, Row{name + "vector recall@10", fmt.Sprintf("%.4f", recall), "≥ .99", "the plain scan is exact"})
		}
		return rows, nil
	}
}

// held is the memory in use once garbage is gone.
func held() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// scan is the exact nearest by the plainest means.
func scan(vectors, q []float32) []int64 {
	type hit struct {
		id  int64
		cos float32
	}
	var best []hit
	for at := 0; at < len(vectors); at += dimensions {
		var sum float32
		for i, v := range vectors[at : at+dimensions] {
			sum += v * q[i]
		}
		if len(best) < near || sum > best[len(best)-1].cos {
			best = append(best, hit{int64(at / dimensions), sum})
			slices.SortFunc(best, func(a, b hit) int { return cmp.Compare(b.cos, a.cos) })
			best = best[:min(len(best), near)]
		}
	}
	out := make([]int64, len(best))
	for i, h := range best {
		out[i] = h.id
	}
	return out
}

// times are sorted.
func times(ctx context.Context, x *retrieval.Index, queries []retrieval.Query) ([]time.Duration, error) {
	out := make([]time.Duration, 0, len(queries))
	for _, q := range queries {
		t := time.Now()
		if _, err := retrieval.Search(ctx, []*retrieval.Index{x}, q); err != nil {
			return nil, err
		}
		out = append(out, time.Since(t))
	}
	slices.Sort(out)
	return out, nil
}

// whileIndexing asks while documents come in as fast as one processor makes them.
func whileIndexing(ctx context.Context, l *library, x *retrieval.Index, n int, queries []retrieval.Query) ([]time.Duration, float64, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var failed error
	count := 0
	began := time.Now()
	wg.Go(func() {
		for d := n / piecesEach; ctx.Err() == nil; d++ {
			title, ps := l.document(int64(d * piecesEach))
			if failed = x.Put(int64(d), retrieval.Encode(title, ps)); failed != nil {
				return
			}
			count += piecesEach
		}
	})
	took, err := times(ctx, x, slices.Repeat(queries, 3))
	rate := time.Since(began).Seconds()
	stop()
	wg.Wait()
	return took, float64(count) / rate, errors.Join(err, failed)
}
