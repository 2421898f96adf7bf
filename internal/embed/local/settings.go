package local

import (
	"path/filepath"
	"strings"

	"atrium/internal/bert"
	"atrium/internal/fail"
)

// settings is what a folder says about the making of vectors.
type settings struct {
	tokens        int // the most of a text
	firstToken    bool
	reranks       bool // the model was made for that, not for vectors
	passagePrefix string
	queryPrefix   string
}

// read takes the files in the order that the model's name is a hash of.
func read(f *bert.Folder) (settings, error) {
	s := settings{reranks: f.Classifies()}
	if err := s.modules(f); err != nil {
		return s, err
	}
	var of struct {
		MaxSeq int `json:"max_seq_length"`
	}
	if _, err := f.JSON("sentence_bert_config.json", &of); err != nil {
		return s, err
	}
	s.tokens = f.Tokens()
	if of.MaxSeq > 2 {
		s.tokens = min(s.tokens, of.MaxSeq)
	}
	var st struct {
		Prompts map[string]string `json:"prompts"`
	}
	if _, err := f.JSON("config_sentence_transformers.json", &st); err != nil {
		return s, err
	}
	s.queryPrefix = st.Prompts["query"]
	if s.passagePrefix = st.Prompts["document"]; s.passagePrefix == "" {
		s.passagePrefix = st.Prompts["passage"]
	}
	return s, nil
}

// modules reads what is done with the vectors of the tokens. Normalize needs no
// word: vectors are always brought to unit length.
func (s *settings) modules(f *bert.Folder) error {
	var modules []struct {
		Type string `json:"type"`
		Path string `json:"path"`
	}
	if _, err := f.JSON("modules.json", &modules); err != nil {
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
	found, err := f.JSON(pooling+"/config.json", &p)
	if err != nil {
		return err
	}
	if found && (p.Max || p.Sqrt || p.Weights || p.Last || p.CLS == p.Mean) {
		return fail.Invalid("%s/config.json: the pooling is neither the mean of the tokens nor the first token, and nothing else can be computed here", pooling)
	}
	s.firstToken = p.CLS
	return nil
}
