package bert

import (
	"math"
	"strconv"
)

// network is a BERT encoder, ready to compute.
type network struct {
	hidden, inner, heads int
	eps                  float32
	words                tensor    // read by the row, as texts need them
	positions            []float32 // with what a token of the first kind has
	second               []float32 // what one of the second kind has more; nil when there is none
	embedNorm            scaling
	layers               []layer
}

// scaling is the gain and shift of a normalization.
type scaling struct{ gamma, beta []float32 }

type layer struct {
	qkv, attended, up, down *matrix
	afterAttention, after   scaling
}

// build reads the weights and packs them. What is not needed for the first
// positions tokens is left out.
func build(s *safetensors, c Config, positions int) (*network, error) {
	prefix := s.prefix()
	var err error
	vector := func(name string, shape ...int) []float32 {
		if err != nil {
			return nil
		}
		var t tensor
		if t, err = s.get(prefix+name, shape...); err != nil {
			return nil
		}
		var v []float32
		v, err = t.all()
		return v
	}
	scale := func(name string) scaling {
		return scaling{vector(name+".LayerNorm.weight", c.Hidden), vector(name+".LayerNorm.bias", c.Hidden)}
	}
	n := &network{hidden: c.Hidden, inner: c.Inner, heads: c.Heads, eps: c.Eps}
	if n.words, err = s.get(prefix+"embeddings.word_embeddings.weight", c.Vocab, c.Hidden); err != nil {
		return nil, err
	}
	all := vector("embeddings.position_embeddings.weight", c.MaxPos, c.Hidden)
	kind := vector("embeddings.token_type_embeddings.weight", c.Types, c.Hidden)
	n.embedNorm = scale("embeddings")
	if err != nil {
		return nil, err
	}
	n.positions = make([]float32, positions*c.Hidden)
	for i := range n.positions {
		n.positions[i] = all[i] + kind[i%c.Hidden]
	}
	if c.Types > 1 {
		n.second = make([]float32, c.Hidden)
		for i := range n.second {
			n.second[i] = kind[c.Hidden+i] - kind[i]
		}
	}
	for i := range c.Layers {
		var l layer
		name := "encoder.layer." + strconv.Itoa(i) + "."
		dense := func(in, out int, scales []float32, parts ...string) *matrix {
			var weights, biases [][]float32
			for _, p := range parts {
				weights = append(weights, vector(name+p+".weight", out, in))
				biases = append(biases, vector(name+p+".bias", out))
			}
			if err != nil {
				return nil
			}
			return newMatrix(in, scales, weights, biases)
		}
		// The questions of attention are divided by √(size of a head) here, once.
		by := float32(1 / math.Sqrt(float64(c.Hidden/c.Heads)))
		l.qkv = dense(c.Hidden, c.Hidden, []float32{by, 1, 1}, "attention.self.query", "attention.self.key", "attention.self.value")
		l.attended = dense(c.Hidden, c.Hidden, []float32{1}, "attention.output.dense")
		l.afterAttention = scale(name + "attention.output")
		l.up = dense(c.Hidden, c.Inner, []float32{1}, "intermediate.dense")
		l.down = dense(c.Inner, c.Hidden, []float32{1}, "output.dense")
		l.after = scale(name + "output")
		if err != nil {
			return nil, err
		}
		n.layers = append(n.layers, l)
	}
	return n, nil
}

// workspace is the memory of one computation, for batches of so many tokens.
type workspace struct {
	size                                     int // tokens
	x, wide, y, keys, values, scores, panels []float32
	row                                      []byte
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

func (n *network) workspace(size int) *workspace {
	r := roundUp(size, rows)
	t := roundUp(size, tile)
	head := n.hidden / n.heads
	return &workspace{
		size: size, x: make([]float32, r*n.hidden), y: make([]float32, (r+rows)*n.hidden),
		wide: make([]float32, (r+rows)*max(3*n.hidden, n.inner)),
		keys: make([]float32, t*head), values: make([]float32, t*head), scores: make([]float32, r*t),
		panels: make([]float32, 2*depth*panel), row: make([]byte, 4*n.hidden),
	}
}

// forward computes texts behind each other and calls take for each with its rows, a
// token each. between is called after every larger step and ends it with its error.
func (n *network) forward(w *workspace, texts []Text, take func(i int, rows []float32) error, between func() error) error {
	total := 0
	for _, t := range texts {
		for pos, id := range t.IDs {
			row := w.x[total*n.hidden : (total+1)*n.hidden]
			if err := n.words.read(row, int(id)*n.hidden, w.row); err != nil {
				return err
			}
			if pos >= t.First {
				for i, x := range n.second {
					row[i] += x
				}
			}
			addNorm(row, n.positions[pos*n.hidden:(pos+1)*n.hidden], n.embedNorm.gamma, n.embedNorm.beta, n.eps)
			total++
		}
	}
	for i := range n.layers {
		l := &n.layers[i]
		l.qkv.mul(w.wide, w.x, total, w.panels)
		if err := between(); err != nil {
			return err
		}
		at := 0
		for _, t := range texts {
			n.attend(w, at, len(t.IDs))
			at += len(t.IDs)
		}
		if err := between(); err != nil {
			return err
		}
		// The attended rows stand in y; the product of them goes where the questions stood.
		l.attended.mul(w.wide, w.y, total, w.panels)
		n.addNorms(w.x, w.wide, total, l.afterAttention)
		if err := between(); err != nil {
			return err
		}
		l.up.mul(w.wide, w.x, total, w.panels)
		gelu(w.wide[:total*n.inner])
		if err := between(); err != nil {
			return err
		}
		l.down.mul(w.y, w.wide, total, w.panels)
		n.addNorms(w.x, w.y, total, l.after)
		if err := between(); err != nil {
			return err
		}
	}
	at := 0
	for i, t := range texts {
		to := at + len(t.IDs)*n.hidden
		if err := take(i, w.x[at:to]); err != nil {
			return err
		}
		at = to
	}
	return nil
}

func (n *network) addNorms(x, y []float32, total int, s scaling) {
	for i := range total {
		from, to := i*n.hidden, (i+1)*n.hidden
		addNorm(x[from:to], y[from:to], s.gamma, s.beta, n.eps)
	}
}

// attend lets the tokens of one text, which stand from at on, look at each other.
func (n *network) attend(w *workspace, at, count int) {
	head, stride := n.hidden/n.heads, 3*n.hidden
	t := roundUp(count, tile)
	zero := make([]float32, tile)
	for h := range n.heads {
		q := w.wide[at*stride+h*head:]
		k, v := q[n.hidden:], q[2*n.hidden:]
		// Keys lie in panels of 16 tokens, values of 16 numbers.
		clear(w.keys[:t*head])
		for i := range count {
			p := w.keys[i/panel*panel*head+i%panel:]
			for j, x := range k[i*stride : i*stride+head] {
				p[j*panel] = x
			}
			for j := 0; j < head; j += panel {
				copy(w.values[j*count+i*panel:], v[i*stride+j:i*stride+j+panel])
			}
		}
		for j := 0; j < t; j += tile {
			product(count, q, stride, w.keys[j*head:], w.keys[(j+panel)*head:], head, zero, 0, w.scores[j:], t)
		}
		full := roundUp(count, 8)
		for i := range count {
			row := w.scores[i*t : i*t+full]
			for j := count; j < full; j++ {
				row[j] = -1e30
			}
			softmax(row)
		}
		for j := 0; j < head; j += tile {
			product(count, w.scores, t, w.values[j*count:], w.values[(j+panel)*count:], count, zero, 0, w.y[at*n.hidden+h*head+j:], n.hidden)
		}
	}
}
