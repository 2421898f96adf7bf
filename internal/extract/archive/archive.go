// Package archive reads the documents inside ZIP and gzip files. Nothing is
// unpacked to the disk.
package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"

	"atrium/internal/extract/doc"
	"atrium/internal/extract/pack"
)

// maxEntry bounds one file inside an archive, which is held in memory.
const maxEntry = 100 << 20

func tooDeep(in *doc.Input) error {
	if d := in.Budget.Limits().Depth; in.Depth >= d {
		return doc.Fail(doc.TooLarge, "the archive holds archives nested more than %d deep; unpack it and add the documents", d)
	}
	return nil
}

// Zip reads each file of an archive below a heading of its name. Files that
// cannot be read are named in warnings; when none can, the first one's failure
// is the archive's.
func Zip(in *doc.Input) error {
	if err := tooDeep(in); err != nil {
		return err
	}
	z, err := pack.Open(in)
	if err != nil {
		return err
	}
	files := z.Files()
	sort.SliceStable(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	var first error
	for _, f := range files {
		if pack.Escapes(f.Name) {
			return doc.Fail(doc.Damaged, "the archive holds the name %q, which points outside of it, as only files made to do harm do; pack it again", f.Name)
		}
	}
	for _, f := range files {
		if f.FileInfo().IsDir() || hidden(f.Name) {
			continue
		}
		if !f.Mode().IsRegular() {
			in.Out.Warn(fmt.Sprintf("%q is a link and was left out", pack.Name(f.Name)))
			continue
		}
		err := func() error {
			r, err := z.OpenFile(f)
			if err != nil {
				return err
			}
			defer func() { _ = r.Close() }()
			b, err := pack.ReadAll(r, maxEntry)
			if err != nil {
				return doc.AsError(err, "packed file")
			}
			return Entry(in, pack.Name(f.Name), b)
		}()
		if err != nil && doc.Fatal(err) {
			return err
		}
		if err != nil && first == nil {
			first = err
		}
	}
	if in.Out.Len() == 0 && first != nil {
		return first
	}
	return in.Stopped()
}

// Entry reads a file inside a container below a heading of its name. A failure
// of this file alone becomes a warning, and is answered too.
func Entry(in *doc.Input, name string, b []byte) error {
	probe := in.Out.Len()
	in.Out.Enter(name)
	err := in.Read(in.Nested(bytes.NewReader(b), int64(len(b)), name))
	in.Out.Leave()
	if err == nil {
		return in.Stopped()
	}
	if doc.Fatal(err) {
		return err
	}
	if in.Out.Len() == probe+1 {
		in.Out.Drop() // a heading with nothing below it
	}
	if e, ok := errors.AsType[*doc.Error](err); ok {
		in.Out.Warn(fmt.Sprintf("%q was left out: %s", name, e.Message))
	}
	return err
}

// hidden tells what file managers put into archives beside the documents.
func hidden(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(name, "__MACOSX/") || strings.HasPrefix(base, "._") || base == ".DS_Store" ||
		strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

// Gzip reads the one file inside a gzip file.
func Gzip(in *doc.Input) error {
	if err := tooDeep(in); err != nil {
		return err
	}
	z, err := gzip.NewReader(in.Reader())
	if err != nil {
		return err
	}
	z.Multistream(true)
	b, err := pack.ReadAll(in.Budget.Reader(z), maxEntry)
	if err != nil && len(b) == 0 {
		return doc.AsError(err, "gzip file")
	}
	if err != nil {
		if doc.Fatal(err) {
			return err
		}
		in.Out.Warn("the gzip file is damaged; what follows the damage is missing")
	}
	name := strings.TrimSuffix(path.Base(in.Name), ".gz")
	if z.Name != "" {
		name = path.Base(pack.Name(z.Name))
	}
	return in.Read(in.Nested(bytes.NewReader(b), int64(len(b)), name))
}
