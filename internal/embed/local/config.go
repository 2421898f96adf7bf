package local

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	maxFile      = 64 << 20 // of any file but the weights
)

// config is config.json, as far as it is used.
type config struct {
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
}

func (c config) check() error {
	bad := func(format string, args ...any) error { return fail.Invalid("config.json: "+format, args...) }
	switch {
	case c.Type != "bert":
		return bad("the model is of the kind %.40q; only \"bert\" can be computed here, as all-MiniLM-L6-v2 or bge-small", c.Type)
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

// folder is a folder with a model, of which every read file counts for the hash.
type folder struct {
	dir string
	sum io.Writer
}

// read is a file's content, nil when it is not there.
func (f folder) read(name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(f.dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fail.Invalid("%s is larger than %d MiB; it does not belong to a model", name, maxFile>>20)
	}
	_, err = f.sum.Write(append([]byte(name+"\x00"), b...))
	return b, err
}

// json reads a file into v; it tells whether the file is there.
func (f folder) json(name string, v any) (bool, error) {
	b, err := f.read(name)
	if b == nil || err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fail.Invalid("%s is not the JSON it should be; fetch it again", name)
	}
	return true, nil
}

// settings is what the small files of a folder say.
type settings struct {
	config
	tokens        int // the most of a text
	firstToken    bool
	passagePrefix string
	queryPrefix   string
	tokenizer     *tokenizer
}

func (f folder) settings() (settings, error) {
	var s settings
	s.Types, s.Eps, s.Act = 2, 1e-12, "gelu"
	found, err := f.json("config.json", &s.config)
	if err != nil {
		return s, err
	}
	if !found {
		return s, fail.Invalid("there is no config.json; name the folder of a sentence-transformers model")
	}
	if err := s.check(); err != nil {
		return s, err
	}
	if err := f.modules(&s); err != nil {
		return s, err
	}
	var bert struct {
		MaxSeq int `json:"max_seq_length"`
	}
	if _, err := f.json("sentence_bert_config.json", &bert); err != nil {
		return s, err
	}
	s.tokens = min(s.MaxPos, maxTokens)
	if bert.MaxSeq > 2 {
		s.tokens = min(s.tokens, bert.MaxSeq)
	}
	var st struct {
		Prompts map[string]string `json:"prompts"`
	}
	if _, err := f.json("config_sentence_transformers.json", &st); err != nil {
		return s, err
	}
	s.queryPrefix = st.Prompts["query"]
	if s.passagePrefix = st.Prompts["document"]; s.passagePrefix == "" {
		s.passagePrefix = st.Prompts["passage"]
	}
	s.tokenizer, err = f.tokenizer(s.Vocab)
	return s, err
}

// modules reads what is done with the vectors of the tokens. Normalize needs no
// word: vectors are always brought to unit length.
func (f folder) modules(s *settings) error {
	var modules []struct {
		Type string `json:"type"`
		Path string `json:"path"`
	}
	if _, err := f.json("modules.json", &modules); err != nil {
		return err
	}
	pooling := "1_Pooling"
	for _, m := range modules {
		switch m.Type[strings.LastIndexByte(m.Type, '.')+1:] {
		case "Transformer":
			if m.Path != "" {
				return fail.Invalid("modules.json: the transformer stands in the folder %.60q; only models with it at the top can be read", m.Path)
			}
		case "Normalize":
		case "Pooling":
			if !filepath.IsLocal(m.Path) {
				return fail.Invalid("modules.json: %.60q is not a folder of the model", m.Path)
			}
			pooling = m.Path
		default:
			return fail.Invalid("modules.json: a module %.60q cannot be computed here; choose a model with pooling only, such as all-MiniLM-L6-v2", m.Type)
		}
	}
	var p struct {
		CLS     bool `json:"pooling_mode_cls_token"`
		Mean    bool `json:"pooling_mode_mean_tokens"`
		Max     bool `json:"pooling_mode_max_tokens"`
		Sqrt    bool `json:"pooling_mode_mean_sqrt_len_tokens"`
		Weights bool `json:"pooling_mode_weightedmean_tokens"`
		Last    bool `json:"pooling_mode_lasttoken"`
	}
	found, err := f.json(pooling+"/config.json", &p)
	if err != nil {
		return err
	}
	if found && (p.Max || p.Sqrt || p.Weights || p.Last || p.CLS == p.Mean) {
		return fail.Invalid("%s/config.json: the pooling is neither the mean of the tokens nor the first token, and nothing else can be computed here", pooling)
	}
	s.firstToken = p.CLS
	return nil
}

// tokenizer reads tokenizer.json, which says more, or vocab.txt.
func (f folder) tokenizer(vocab int) (*tokenizer, error) {
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
	found, err := f.json("tokenizer.json", &full)
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
func (f folder) vocabulary(t *tokenizer) error {
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
	if _, err := f.json("tokenizer_config.json", &c); err != nil {
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
