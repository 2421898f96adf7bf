package bert

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"atrium/internal/fail"
)

// What a model may be; more is refused before anything is allocated for it.
const (
	maxLayers    = 48
	maxHidden    = 2048
	maxInner     = 8192
	maxVocab     = 1 << 20
	maxPositions = 8192
	maxTokens    = 512
)

// Weights is the file of a folder that holds the numbers.
const Weights = "model.safetensors"

// MaxFile bounds any file of a model but the weights.
const MaxFile = 64 << 20

// Config is config.json, as far as it is used.
type Config struct {
	Type      string  `json:"model_type"`
	Act       string  `json:"hidden_act"`
	Positions string  `json:"position_embedding_type"`
	Hidden    int     `json:"hidden_size"`
	Inner     int     `json:"intermediate_size"`
	Heads     int     `json:"num_attention_heads"`
	Layers    int     `json:"num_hidden_layers"`
	MaxPos    int     `json:"max_position_embeddings"`
	Types     int     `json:"type_vocab_size"`
	Vocab     int     `json:"vocab_size"`
	Eps       float32 `json:"layer_norm_eps"`

	Architectures []string       `json:"architectures"`
	Labels        map[string]any `json:"id2label"`
}

// Classifies tells whether the model judges texts, as those that rerank do, and
// was not made for vectors.
func (c Config) Classifies() bool {
	return slices.Contains(c.Architectures, "BertForSequenceClassification")
}

func (c Config) check() error {
	bad := func(format string, args ...any) error { return fail.Invalid("config.json: "+format, args...) }
	switch {
	case c.Type != "bert":
		return bad("the model is of the kind %.40q; only \"bert\" can be computed here, as all-MiniLM-L6-v2 or ms-marco-MiniLM-L-6-v2", c.Type)
	case c.Act != "gelu":
		return bad("the activation %.40q is not known; only \"gelu\" is", c.Act)
	case c.Positions != "" && c.Positions != "absolute":
		return bad("positions are %.40q; only \"absolute\" ones are known", c.Positions)
	case c.Layers < 1 || c.Layers > maxLayers, c.Hidden < 1 || c.Hidden > maxHidden, c.Inner < 1 || c.Inner > maxInner,
		c.Vocab < 1 || c.Vocab > maxVocab, c.MaxPos < 3 || c.MaxPos > maxPositions, c.Types < 1 || c.Types > maxVocab, c.Heads < 1 || c.Heads > c.Hidden:
		return bad("a size is missing or beyond what can be computed here")
	case c.Hidden%c.Heads != 0 || c.Hidden/c.Heads%tile != 0 || c.Inner%tile != 0:
		return bad("%d numbers in %d heads and %d inside cannot be computed here; heads and inner layer have to be multiples of %d", c.Hidden, c.Heads, c.Inner, tile)
	case !(c.Eps >= 0 && c.Eps < 1):
		return bad("layer_norm_eps is out of range")
	}
	return nil
}

// Folder is a folder with a model, of which every read file counts for the sum.
type Folder struct {
	Config

	dir string
	sum hash.Hash
}

// Open reads what a folder says about its model. What is wrong with a folder is
// a *fail.Error with code invalid_input.
func Open(dir string) (*Folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, sum: sha256.New(), Config: Config{Types: 2, Eps: 1e-12, Act: "gelu"}}
	found, err := f.JSON("config.json", &f.Config)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fail.Invalid("there is no config.json; name the folder of a model as it is published")
	}
	return f, f.check()
}

// Model opens tokenizer and weights; the weights are loaded by the first text,
// for texts of at most so many tokens.
func (f *Folder) Model(tokens int) (*Model, error) {
	t, err := f.tokenizer(f.Vocab)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(f.dir, Weights)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fail.Invalid("there is no %s; fetch the weights in that format", Weights)
	}
	w, err := openSafetensors(path)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f.sum, io.NewSectionReader(w.file, 0, 1<<62)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	name := "local " + filepath.Base(f.dir) + " " + hex.EncodeToString(f.sum.Sum(nil)[:6])
	return &Model{config: f.Config, name: name, limit: min(tokens, f.Tokens()), tokenizer: t, file: w}, nil
}

// Tokens is the most of a text that can be computed.
func (f *Folder) Tokens() int { return min(f.MaxPos, maxTokens) }

// read is a file's content, nil when it is not there.
func (f *Folder) read(name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(f.dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxFile {
		return nil, fail.Invalid("%s is larger than %d MiB; it does not belong to a model", name, MaxFile>>20)
	}
	_, err = f.sum.Write(append([]byte(name+"\x00"), b...))
	return b, err
}

// JSON reads a file into v; it tells whether the file is there.
func (f *Folder) JSON(name string, v any) (bool, error) {
	b, err := f.read(name)
	if b == nil || err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fail.Invalid("%s is not the JSON it should be; fetch it again", name)
	}
	return true, nil
}

// tokenizer reads tokenizer.json, which says more, or vocab.txt.
func (f *Folder) tokenizer(vocab int) (*tokenizer, error) {
	t := &tokenizer{lower: true, strip: true, splitIdeographs: true, continuingPrefix: "##", maxWord: 100}
	var full struct {
		Normalizer *struct {
			Type   string `json:"type"`
			CJK    bool   `json:"handle_chinese_chars"`
			Strip  *bool  `json:"strip_accents"`
			Lower  bool   `json:"lowercase"`
			Normal bool   `json:"clean_text"`
		} `json:"normalizer"`
		Model struct {
			Type   string           `json:"type"`
			Prefix string           `json:"continuing_subword_prefix"`
			Max    int              `json:"max_input_chars_per_word"`
			Vocab  map[string]int32 `json:"vocab"`
		} `json:"model"`
	}
	found, err := f.JSON("tokenizer.json", &full)
	if err != nil {
		return nil, err
	}
	if found {
		if (full.Model.Type != "WordPiece" && full.Model.Type != "") || full.Normalizer == nil || full.Normalizer.Type != "BertNormalizer" {
			return nil, fail.Invalid("tokenizer.json: only WordPiece with BERT's normalizer is known, not %.40q", full.Model.Type)
		}
		t.ids = full.Model.Vocab
		t.lower, t.splitIdeographs = full.Normalizer.Lower, full.Normalizer.CJK
		if t.strip = t.lower; full.Normalizer.Strip != nil {
			t.strip = *full.Normalizer.Strip
		}
		if full.Model.Prefix != "" {
			t.continuingPrefix = full.Model.Prefix
		}
		if full.Model.Max > 0 && full.Model.Max <= 1000 {
			t.maxWord = full.Model.Max
		}
	} else if err := f.vocabulary(t); err != nil {
		return nil, err
	}
	for piece, id := range t.ids {
		if id < 0 || int(id) >= vocab {
			return nil, fail.Invalid("the vocabulary has the id %d where config.json has %d words; files of two models are mixed", id, vocab)
		}
		t.longest = max(t.longest, len(piece))
	}
	t.longest = min(t.longest, 200)
	for name, id := range map[string]*int32{"[CLS]": &t.cls, "[SEP]": &t.sep, "[UNK]": &t.unk} {
		var ok bool
		if *id, ok = t.ids[name]; !ok {
			return nil, fail.Invalid("the vocabulary has no %s; it is not one of a BERT model", name)
		}
	}
	return t, nil
}

// vocabulary reads vocab.txt, a piece a line.
func (f *Folder) vocabulary(t *tokenizer) error {
	b, err := f.read("vocab.txt")
	if err != nil {
		return err
	}
	if b == nil {
		return fail.Invalid("there is no tokenizer.json and no vocab.txt; fetch one of them")
	}
	var c struct {
		Lower *bool `json:"do_lower_case"`
		Strip *bool `json:"strip_accents"`
		CJK   *bool `json:"tokenize_chinese_chars"`
	}
	if _, err := f.JSON("tokenizer_config.json", &c); err != nil {
		return err
	}
	if c.Lower != nil {
		t.lower, t.strip = *c.Lower, *c.Lower
	}
	if c.Strip != nil {
		t.strip = *c.Strip
	}
	if c.CJK != nil {
		t.splitIdeographs = *c.CJK
	}
	t.ids = map[string]int32{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for i := int32(0); lines.Scan(); i++ {
		if i >= maxVocab {
			return fail.Invalid("vocab.txt has more than %d lines", maxVocab)
		}
		t.ids[strings.TrimRight(lines.Text(), "\r")] = i
	}
	if err := lines.Err(); err != nil {
		return fail.Invalid("vocab.txt is not a list of words; fetch it again")
	}
	return nil
}
