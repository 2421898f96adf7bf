package retrieval

import "encoding/binary"

// PieceIDs are the pieces of an encoded document, in order.
func PieceIDs(encoded []byte) ([]int64, error) {
	d, err := decode(encoded)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(d.pieces))
	for i, p := range d.pieces {
		ids[i] = p.id
	}
	return ids, nil
}

// Renumber gives the pieces of an encoded document the ids first, first+1, … in
// their order, for a document that goes to another database. Nothing else
// changes, so a corpus whose pieces keep their order ranks as before.
func Renumber(encoded []byte, first int64) ([]byte, error) {
	was, err := decode(encoded)
	if err != nil {
		return nil, err
	}
	d := decoder{b: encoded}
	d.version = d.uint()
	for range d.count(1) {
		d.bytes(d.count(1))
	}
	d.run(len(was.terms))
	pieces := d.count(4)
	out := make([]byte, 0, len(encoded)+4*pieces)
	out = append(out, encoded[:len(encoded)-len(d.b)]...)
	for i := range pieces {
		d.uint()
		rest := d.b
		d.run(len(was.terms))
		d.run(len(was.terms))
		if dims := d.count(2); dims > 0 {
			d.bytes(4 + 2*dims)
		}
		out = binary.AppendUvarint(out, uint64(first+int64(i)))
		out = append(out, rest[:len(rest)-len(d.b)]...)
	}
	return out, nil
}
