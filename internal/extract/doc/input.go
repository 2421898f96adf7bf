package doc

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// Limits bound what one file may cost. Sizes are bytes.
type Limits struct {
	Bytes    int64         `json:"bytes"`    // of the file
	Inflated int64         `json:"inflated"` // all that is unpacked from it, at every depth
	Ratio    int64         `json:"ratio"`    // unpacked to packed, once 64 MiB are unpacked
	Entries  int           `json:"entries"`  // files in archives, at every depth
	Depth    int           `json:"depth"`    // archives in archives
	Pages    int           `json:"pages"`
	Blocks   int           `json:"blocks"`
	Text     int64         `json:"text"` // UTF-8 bytes of all blocks
	Time     time.Duration `json:"time"`
	Memory   int64         `json:"memory"` // of the worker and its helpers together
}

// DefaultLimits are generous for documents that people write and tight for
// files made to do harm.
func DefaultLimits() Limits {
	return Limits{
		Bytes:    256 << 20,
		Inflated: 1 << 30,
		Ratio:    100,
		Entries:  5000,
		Depth:    2,
		Pages:    20_000,
		Blocks:   500_000,
		Text:     50 << 20,
		Time:     30 * time.Second,
		Memory:   512 << 20,
	}
}

// OrDefault fills the fields that are zero or less.
func (l Limits) OrDefault() Limits {
	d := DefaultLimits()
	l.Bytes, l.Inflated, l.Ratio = or(l.Bytes, d.Bytes), or(l.Inflated, d.Inflated), or(l.Ratio, d.Ratio)
	l.Entries, l.Depth, l.Pages = or(l.Entries, d.Entries), or(l.Depth, d.Depth), or(l.Pages, d.Pages)
	l.Blocks, l.Text, l.Time = or(l.Blocks, d.Blocks), or(l.Text, d.Text), or(l.Time, d.Time)
	l.Memory = or(l.Memory, d.Memory)
	return l
}

func or[T int | int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// Input is one file to read, and where its text goes.
type Input struct {
	Ctx       context.Context
	File      io.ReaderAt
	Size      int64
	Name      string // a hint only
	MediaType string // as found by content
	Mode      Mode
	Password  string   // of the file itself; empty when none was given
	Languages []string // in which pictures of text are read; empty: those that are installed
	Depth     int      // 0 for the file itself, 1 for a file inside it, …
	Out       *Builder
	Budget    *Budget
	// Read reads a file that was found inside this one into the same Builder.
	Read func(*Input) error
	// Helper runs one of the programs that are allowed beside the worker, or is
	// nil when none is. It answers ErrNoHelper when the program is not installed.
	Helper func(ctx context.Context, stdin io.Reader, name string, args ...string) ([]byte, error)
}

// ErrNoHelper means that a program which would do this better is not installed.
var ErrNoHelper = fmt.Errorf("the program is not installed")

// Nested is the input for a file inside this one.
func (in *Input) Nested(file io.ReaderAt, size int64, name string) *Input {
	c := *in
	c.File, c.Size, c.Name, c.MediaType, c.Password, c.Depth = file, size, name, "", "", in.Depth+1
	return &c
}

// All reads the whole file, of which at most limit bytes may be there.
func (in *Input) All(limit int64) ([]byte, error) {
	if in.Size > limit {
		return nil, Fail(TooLarge, "the file is larger than the %d MB that can be read of its kind; split it", limit>>20)
	}
	buf := make([]byte, in.Size)
	n, err := in.File.ReadAt(buf, 0)
	if int64(n) == in.Size {
		return buf, nil
	}
	if err == io.EOF {
		return buf[:n], nil
	}
	return nil, err
}

// Reader reads the file from its start.
func (in *Input) Reader() *io.SectionReader { return io.NewSectionReader(in.File, 0, in.Size) }

// Stdin is the file for a program's standard input: itself when it is one, so that
// nobody has to copy it.
func (in *Input) Stdin() io.Reader {
	if f, ok := in.File.(*os.File); ok {
		if _, err := f.Seek(0, io.SeekStart); err == nil {
			return f
		}
	}
	return in.Reader()
}

// Stopped answers the error that ends the reading now, or nil: the time is
// over or a limit is hit.
func (in *Input) Stopped() error {
	if in.Ctx.Err() != nil {
		return Fail(TimedOut, "reading took too long; split the file or save it in a simpler format")
	}
	return in.Out.Err()
}

// Budget counts what a file unpacks to, over all its depths.
type Budget struct {
	limits   Limits
	packed   int64
	inflated int64
	entries  int
}

// NewBudget is the budget of a file of this size.
func NewBudget(l Limits, size int64) *Budget { return &Budget{limits: l, packed: size} }

// Limits are the limits that the budget enforces.
func (b *Budget) Limits() Limits { return b.limits }

// Entries counts n more files inside archives.
func (b *Budget) Entries(n int) error {
	if b.entries += n; b.entries > b.limits.Entries {
		return Fail(TooLarge, "the archive holds more than %d files; split it", b.limits.Entries)
	}
	return nil
}

const freeInflation = 64 << 20

// Spend counts n more unpacked bytes.
func (b *Budget) Spend(n int64) error {
	b.inflated += n
	if b.inflated > b.limits.Inflated {
		return Fail(TooLarge, "the file unpacks to more than %d MB; split it", b.limits.Inflated>>20)
	}
	if b.inflated > freeInflation && b.inflated > b.limits.Ratio*b.packed {
		return Fail(TooLarge, "the file unpacks to more than %d times its size, which only files made to do harm do; save it again", b.limits.Ratio)
	}
	return nil
}

// Reader counts what is read from r.
func (b *Budget) Reader(r io.Reader) io.Reader { return &counted{r, b} }

type counted struct {
	r io.Reader
	b *Budget
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if e := c.b.Spend(int64(n)); e != nil {
		return 0, e
	}
	return n, err
}
