package extract

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"atrium/internal/extract/doc"
)

// A pool and its workers talk in frames over a socket: four bytes of length,
// most significant first, and that many bytes of JSON. The file itself comes as
// an open descriptor beside a request, so that a worker needs no path.

// maxFrame bounds a frame, since a worker may have been taken over.
const maxFrame = 16 << 20

// request asks for a file; its descriptor comes with the frame's first byte.
type request struct {
	Name      string        `json:"name"`
	MediaType string        `json:"media_type"`
	Mode      Mode          `json:"mode"`
	Password  string        `json:"password,omitempty"`
	Languages []string      `json:"languages,omitempty"`
	Helpers   bool          `json:"helpers"`
	Time      time.Duration `json:"time"`
	Limits    Limits        `json:"limits"`
}

// answer is what a worker sends: once Ready, and for each request any number of
// batches of blocks and then Done or Error.
type answer struct {
	Ready    *Protections `json:"ready,omitempty"`
	Headings [][]string   `json:"headings,omitempty"` // paths that are new in this batch
	Blocks   []wireBlock  `json:"blocks,omitempty"`
	Done     *Document    `json:"done,omitempty"` // without its blocks
	Error    *Error       `json:"error,omitempty"`
}

// wireBlock is a Block whose heading path is a number: paths repeat.
type wireBlock struct {
	Kind    Kind   `json:"k"`
	Text    string `json:"t"`
	Page    int    `json:"p,omitempty"`
	Heading int    `json:"h,omitempty"` // 1 for the first path that was sent; 0 for none
}

func writeFrame(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > maxFrame {
		return fmt.Errorf("frame of %d bytes", len(b))
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(make([]byte, 0, len(b)+4), uint32(len(b))), b...))
	return err
}

func readFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	return readBody(r, head, v)
}

func readBody(r io.Reader, head [4]byte, v any) error {
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("frame of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

const batchBytes = 1 << 20

// sendDocument sends a document in batches.
func sendDocument(w io.Writer, d Document) error {
	var a answer
	size, paths := 0, 0
	var last []string
	for _, b := range d.Blocks {
		if len(b.Heading) > 0 && !samePath(last, b.Heading) {
			a.Headings = append(a.Headings, b.Heading)
			paths++
			for _, h := range b.Heading {
				size += len(h) + 8
			}
		}
		last = b.Heading
		wb := wireBlock{Kind: b.Kind, Text: b.Text, Page: b.Page}
		if len(b.Heading) > 0 {
			wb.Heading = paths
		}
		a.Blocks = append(a.Blocks, wb)
		if size += len(b.Text) + 64; size > batchBytes {
			if err := writeFrame(w, a); err != nil {
				return err
			}
			a, size = answer{}, 0
		}
	}
	d.Blocks = nil
	a.Done = &d
	return writeFrame(w, a)
}

// samePath compares by identity: the readers share a path between blocks.
func samePath(a, b []string) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// collector puts batches together and refuses what no honest worker sends.
type collector struct {
	limits Limits
	paths  [][]string
	blocks []Block
	text   int64
}

func (c *collector) add(a answer) error {
	for _, p := range a.Headings {
		for _, h := range p {
			c.text += int64(len(h))
		}
		c.paths = append(c.paths, p)
	}
	for _, b := range a.Blocks {
		switch b.Kind {
		case Paragraph, Heading, ListItem, TableRow, Code:
		default:
			return fmt.Errorf("a block of the kind %q", b.Kind)
		}
		if b.Heading < 0 || b.Heading > len(c.paths) || b.Page < 0 {
			return fmt.Errorf("a block with heading %d and page %d", b.Heading, b.Page)
		}
		o := Block{Kind: b.Kind, Text: b.Text, Page: b.Page}
		if b.Heading > 0 {
			o.Heading = c.paths[b.Heading-1]
		}
		c.text += int64(len(b.Text))
		c.blocks = append(c.blocks, o)
	}
	// Heading paths are sent once each and do not count as text for the reader.
	if len(c.blocks) > c.limits.Blocks || len(c.paths) > c.limits.Blocks || c.text > 4*c.limits.Text {
		return doc.Fail(TooLarge, "the document holds too much text; split it and add the parts")
	}
	return nil
}
