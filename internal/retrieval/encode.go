package retrieval

import (
	"encoding/binary"
	"errors"
	"math"

	"atrium/internal/retrieval/analysis"
)

// The bytes of a document, all integers as uvarints:
//
//	version
//	terms: count, then length and bytes of each
//	title
//	pieces: count, then of each
//	  id, heading, text,
//	  dimensions (0: none), scale (float32), a component each (int16, little-endian)
//
// Title, heading and text are the numbers of their words in order, and those of
// the extra forms beside them, each list with its count. Version 1 had one list.
const (
	encodingVersion = 2
	firstEncoding   = 1
)

// maxTerms bounds what is indexed of one piece; a piece that split made has a few hundred.
const maxTerms = 1 << 16

var errEncoding = errors.New("retrieval: the bytes are not an encoded document of a known version")

// Encode makes the bytes of one document that Index.Put takes: its terms and,
// of pieces with a Vector, the vector in 16 bits a component (cosines stay true
// to 1e-4). Vectors that hold no direction or are not finite are left out.
func Encode(title string, pieces []Piece) []byte {
	e := encoder{numbers: map[string]uint64{}}
	body := e.terms(nil, title)
	body = binary.AppendUvarint(body, uint64(len(pieces)))
	for _, p := range pieces {
		body = binary.AppendUvarint(body, uint64(p.ID))
		body = e.terms(body, p.Heading)
		body = e.terms(body, p.Text)
		body = appendVector(body, p.Vector)
	}
	out := make([]byte, 0, len(body)+8*len(e.list)+8)
	out = binary.AppendUvarint(out, encodingVersion)
	out = binary.AppendUvarint(out, uint64(len(e.list)))
	for _, t := range e.list {
		out = binary.AppendUvarint(out, uint64(len(t)))
		out = append(out, t...)
	}
	return append(out, body...)
}

type encoder struct {
	numbers map[string]uint64
	list    []string
	words   []uint64
	extra   []uint64
}

func (e *encoder) terms(out []byte, text string) []byte {
	e.words, e.extra = e.words[:0], e.extra[:0]
	analysis.Terms(text, func(t analysis.Token) {
		if len(e.words)+len(e.extra) == maxTerms {
			return
		}
		n, ok := e.numbers[t.Term]
		if !ok {
			n = uint64(len(e.list))
			e.numbers[t.Term] = n
			e.list = append(e.list, t.Term)
		}
		if t.Extra {
			e.extra = append(e.extra, n)
		} else {
			e.words = append(e.words, n)
		}
	})
	for _, list := range [2][]uint64{e.words, e.extra} {
		out = binary.AppendUvarint(out, uint64(len(list)))
		for _, n := range list {
			out = binary.AppendUvarint(out, n)
		}
	}
	return out
}

func appendVector(out []byte, v []float32) []byte {
	scale, ok := vectorScale(v)
	if !ok {
		return binary.AppendUvarint(out, 0)
	}
	out = binary.AppendUvarint(out, uint64(len(v)))
	out = binary.LittleEndian.AppendUint32(out, math.Float32bits(scale))
	for _, x := range v {
		out = binary.LittleEndian.AppendUint16(out, uint16(quantise(x, scale)))
	}
	return out
}

// decoded is a document as Put needs it; numbers are indexes into terms.
type decoded struct {
	terms  []string
	title  run
	pieces []decodedPiece
}

// run is the words of a text in order, and the extra forms of some.
type run struct{ words, extra []uint32 }

type decodedPiece struct {
	id            int64
	heading, text run
	vector        []int16
	scale         float32
}

// decoder reads with one sticky error, so that the format reads as a list.
type decoder struct {
	b       []byte
	version uint64
	bad     bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many things follow that take at least size bytes each.
func (d *decoder) count(size int) int {
	v := d.uint()
	if d.bad || v > uint64(len(d.b)/size) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(v)
}

func (d *decoder) bytes(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) numbers(terms int) []uint32 {
	n := d.count(1)
	if n > maxTerms {
		d.bad = true
		return nil
	}
	out := make([]uint32, n)
	for i := range out {
		v := d.uint()
		if v >= uint64(terms) {
			d.bad = true
			return nil
		}
		out[i] = uint32(v)
	}
	return out
}

func (d *decoder) run(terms int) run {
	r := run{words: d.numbers(terms)}
	if d.version > firstEncoding {
		r.extra = d.numbers(terms)
	}
	return r
}

// EachVector calls f with the vector of each piece of an encoded document that has
// one, as Encode was given it.
func EachVector(encoded []byte, f func(pieceID int64, v []float32)) error {
	d, err := decode(encoded)
	if err != nil {
		return err
	}
	for _, p := range d.pieces {
		if len(p.vector) == 0 {
			continue
		}
		v := make([]float32, len(p.vector))
		for i, x := range p.vector {
			v[i] = float32(x) * p.scale
		}
		f(p.id, v)
	}
	return nil
}

func decode(b []byte) (*decoded, error) { return decodeFor(b, true) }

// decodeFor leaves the vectors out unless they are wanted.
func decodeFor(b []byte, vectors bool) (*decoded, error) {
	d := decoder{b: b}
	if d.version = d.uint(); d.bad || d.version < firstEncoding || d.version > encodingVersion {
		return nil, errEncoding
	}
	out := &decoded{terms: make([]string, d.count(1))}
	for i := range out.terms {
		out.terms[i] = string(d.bytes(d.count(1)))
	}
	out.title = d.run(len(out.terms))
	out.pieces = make([]decodedPiece, d.count(4))
	for i := range out.pieces {
		p := &out.pieces[i]
		p.id = int64(d.uint())
		p.heading = d.run(len(out.terms))
		p.text = d.run(len(out.terms))
		if dims := d.count(2); dims > 0 {
			raw := d.bytes(4 + 2*dims)
			if d.bad || dims > maxDimensions {
				return nil, errEncoding
			}
			p.scale = math.Float32frombits(binary.LittleEndian.Uint32(raw))
			if !(p.scale > 0) || math.IsInf(float64(p.scale), 0) {
				return nil, errEncoding
			}
			if vectors {
				raw = raw[4:]
				p.vector = make([]int16, dims)
				for j := range p.vector {
					p.vector[j] = int16(binary.LittleEndian.Uint16(raw[2*j:]))
				}
			}
		}
		if d.bad {
			return nil, errEncoding
		}
	}
	if d.bad || len(d.b) > 0 {
		return nil, errEncoding
	}
	return out, nil
}
