package pdf

import (
	"errors"
	"fmt"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"atrium/internal/extract/doc"
)

// mayCopy is the bit of the author's permissions that lets others take the text.
// pdftotext minds it, so the built-in reader does.
const mayCopy = 1 << 4

// file is an open PDF.
type file struct {
	in    *doc.Input
	x     *model.XRefTable
	fonts map[int]*font // by object number
	pages int
	seen  map[int]bool // nodes of the page tree
	err   error        // a limit that was hit while unpacking
}

// The library writes no folder of settings. It reads what says so without a
// lock, so it is said before anything runs.
func init() { api.DisableConfigDir() }

// builtin reads a file without help. Damaged pages are passed over.
func builtin(in *doc.Input) error {
	conf := model.NewDefaultConfiguration()
	conf.ValidationMode = model.ValidationRelaxed
	conf.Cmd = model.VALIDATE // of all commands the one that opens a file and asks for no more
	conf.UserPW, conf.OwnerPW = in.Password, in.Password
	ctx, err := pdfcpu.ReadWithContext(in.Ctx, in.Reader(), conf)
	if e := in.Stopped(); e != nil {
		return e
	}
	switch {
	case errors.Is(err, pdfcpu.ErrWrongPassword):
		return encrypted()
	case err != nil:
		return err
	case ctx.E != nil && in.Password == "" && ctx.E.P&mayCopy == 0:
		return doc.Fail(doc.Encrypted, "the author of the PDF does not allow its text to be copied; ask for a copy without this restriction")
	}
	f := &file{in: in, x: ctx.XRefTable, fonts: map[int]*font{}, seen: map[int]bool{}}
	root, err := f.x.Catalog()
	if err != nil {
		return err
	}
	if title := f.title(); title != "" {
		in.Out.SetTitle(title)
	}
	return f.walk(root["Pages"], types.Dict{}, 0)
}

func (f *file) title() string {
	if f.x.Info == nil {
		return ""
	}
	d := f.dict(*f.x.Info)
	s, err := f.x.DereferenceText(d["Title"])
	if err != nil {
		return ""
	}
	return s
}

// maxTree bounds the depth of the page tree.
const maxTree = 64

// walk reads the pages below a node; resources are inherited.
func (f *file) walk(node types.Object, inherited types.Dict, depth int) error {
	if ref, ok := node.(types.IndirectRef); ok {
		n := ref.ObjectNumber.Value()
		if f.seen[n] {
			return nil
		}
		f.seen[n] = true
	}
	d := f.dict(node)
	if d == nil || depth > maxTree {
		return nil
	}
	if r := f.dict(d["Resources"]); r != nil {
		inherited = r
	}
	kids, isTree := f.object(d["Kids"]).(types.Array)
	if isTree {
		for _, k := range kids {
			if err := f.walk(k, inherited, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	f.pages++
	f.in.Out.Page(f.pages)
	if err := f.in.Stopped(); err != nil {
		return err
	}
	f.page(d, inherited)
	if f.err != nil {
		return f.err
	}
	return f.in.Stopped()
}

// page reads one page; a page that breaks the reader is passed over.
func (f *file) page(d, resources types.Dict) {
	defer func() {
		if r := recover(); r != nil {
			f.in.Out.Warn(fmt.Sprintf("page %d is damaged; a part of its text may be missing", f.pages))
		}
	}()
	p := &interpreter{f: f}
	p.run(f.contents(d["Contents"]), resources, identity, 0)
	for _, b := range layout(p.glyphs) {
		if b.row != nil {
			f.in.Out.Row(b.row)
			continue
		}
		f.in.Out.Add(doc.Paragraph, b.text)
	}
}

// contents joins the streams of a page.
func (f *file) contents(o types.Object) []byte {
	if a, ok := f.object(o).(types.Array); ok {
		var all []byte
		for _, e := range a {
			all = append(append(all, f.stream(e)...), '\n')
			if len(all) > maxContent {
				break
			}
		}
		return all
	}
	return f.stream(o)
}

const maxContent = 64 << 20

// object resolves references; damage makes nil.
func (f *file) object(o types.Object) types.Object {
	if o == nil {
		return nil
	}
	v, err := f.x.Dereference(o)
	if err != nil {
		return nil
	}
	return v
}

func (f *file) dict(o types.Object) types.Dict {
	switch d := f.object(o).(type) {
	case types.Dict:
		return d
	case types.StreamDict:
		return d.Dict
	case *types.StreamDict:
		return d.Dict
	}
	return nil
}

// stream decodes a stream, or what can be decoded of it.
func (f *file) stream(o types.Object) []byte {
	sd, _, err := f.x.DereferenceStreamDict(o)
	if err != nil || sd == nil {
		return nil
	}
	had := sd.Content != nil
	if err := sd.Decode(); err != nil && len(sd.Content) == 0 {
		return nil
	}
	b := sd.Content
	if !had {
		if err := f.in.Budget.Spend(int64(len(b))); err != nil {
			f.err = err
			return nil
		}
	}
	return b[:min(len(b), maxContent)]
}

func number(o types.Object) (float64, bool) {
	switch n := o.(type) {
	case types.Integer:
		return float64(n), true
	case types.Float:
		return float64(n), true
	}
	return 0, false
}

func (f *file) num(o types.Object) float64 {
	n, _ := number(f.object(o))
	return n
}

func (f *file) name(o types.Object) string {
	if n, ok := f.object(o).(types.Name); ok {
		return string(n)
	}
	return ""
}
