// Package pack opens what many formats are built from: ZIP files and XML, both
// within the limits of the file being read.
package pack

import (
	"archive/zip"
	"errors"
	"io"
	"path"
	"strings"

	"atrium/internal/extract/doc"
)

// Zip is an open ZIP file.
type Zip struct {
	in    *doc.Input
	files []*zip.File
	names map[string]*zip.File
}

// flagEncrypted is bit 0 of an entry's flags.
const flagEncrypted = 1

// Open reads the directory of a ZIP file, whose entries count against the limit.
func Open(in *doc.Input) (*Zip, error) {
	z, err := List(in)
	if err != nil {
		return nil, err
	}
	if err := in.Budget.Entries(len(z.files)); err != nil {
		return nil, err
	}
	return z, nil
}

// List is Open for a look at the names only, which costs nothing of the budget.
func List(in *doc.Input) (*Zip, error) {
	r, err := zip.NewReader(in.File, in.Size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, doc.Fail(doc.Damaged, "the file is packed as ZIP, but its directory is damaged; pack or save it again")
	}
	z := &Zip{in: in, names: make(map[string]*zip.File, len(r.File))}
	for _, f := range r.File {
		z.files = append(z.files, f)
		key := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))
		if _, ok := z.names[key]; !ok {
			z.names[key] = f
		}
	}
	return z, nil
}

// Files are the entries in the order of the directory.
func (z *Zip) Files() []*zip.File { return z.files }

// Has tells whether there is an entry of this name; case does not matter.
func (z *Zip) Has(name string) bool { return z.names[strings.ToLower(name)] != nil }

// Open opens an entry by name, or answers nil when there is none.
func (z *Zip) Open(name string) (io.ReadCloser, error) {
	f := z.names[strings.ToLower(strings.TrimPrefix(name, "/"))]
	if f == nil {
		return nil, nil
	}
	return z.OpenFile(f)
}

// OpenFile opens an entry; what is read counts against the budget.
func (z *Zip) OpenFile(f *zip.File) (io.ReadCloser, error) {
	if f.Flags&flagEncrypted != 0 {
		return nil, doc.Fail(doc.Encrypted, "%q is protected by a password; remove the protection and add it again", Name(f.Name))
	}
	r, err := f.Open()
	if err != nil {
		return nil, doc.Fail(doc.Damaged, "%q inside the file cannot be unpacked; pack or save it again", Name(f.Name))
	}
	return &entry{z.in.Budget.Reader(r), r}, nil
}

type entry struct {
	io.Reader
	io.Closer
}

// Bytes reads an entry whole, of at most limit bytes. It answers nil when there
// is none.
func (z *Zip) Bytes(name string, limit int64) ([]byte, error) {
	r, err := z.Open(name)
	if r == nil || err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return ReadAll(r, limit)
}

// ReadAll reads r, of at most limit bytes.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return b, err
	}
	if int64(len(b)) > limit {
		return nil, doc.Fail(doc.TooLarge, "a part of the file is larger than %d MB; split it", limit>>20)
	}
	return b, nil
}

// XML reads an entry as XML. The caller closes what it gets; XML is nil when
// there is no such entry.
func (z *Zip) XML(name string) (*XML, io.Closer, error) {
	r, err := z.Open(name)
	if r == nil || err != nil {
		return nil, nil, err
	}
	return NewXML(z.in, r), r, nil
}

// Name makes the name of an entry fit to be shown: no folders above, no control
// characters.
func Name(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F {
			return -1
		}
		return r
	}, strings.ReplaceAll(s, `\`, "/"))
	s = strings.TrimPrefix(path.Clean("/"+s), "/")
	if s == "" {
		return "unnamed"
	}
	return s
}

// Escapes tells whether an entry's name points outside of the archive.
func Escapes(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	if strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}
