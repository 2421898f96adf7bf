package corpus

import (
	"context"
	"fmt"
	"strings"

	"atrium/internal/audit"
	"atrium/internal/authz"
	"atrium/internal/document"
	"atrium/internal/fail"
)

// Texts are short documents that are added together: all of them or none.
type Texts struct {
	Texts []TextDraft `json:"texts" minItems:"1" maxItems:"500" doc:"Each becomes a document."`
}

// TextDraft is one of them.
type TextDraft struct {
	Name string   `json:"name,omitempty" doc:"Its first line when not given."`
	Text string   `json:"text" doc:"The document."`
	Tags []string `json:"tags,omitempty" nullable:"false" doc:"At most 50."`
}

// AddedTexts tells what became of each text, in their order.
type AddedTexts struct {
	Documents []AddedText `json:"documents" nullable:"false"`
}

// AddedText is the document that a text became, or that it was already.
type AddedText struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Step        string `json:"step" doc:"Of its reading; completed when it had been read before."`
	IsDuplicate bool   `json:"is_duplicate" doc:"Whether the corpus had exactly this already; nothing is read again then."`
}

// AddTexts stores the texts and queues their reading, in one transaction.
func (s *Corpora) AddTexts(ctx context.Context, sc authz.Scope, corpusID int64, in Texts) (AddedTexts, error) {
	audit.Tell(ctx, "body", map[string]int{"texts": len(in.Texts)}) // what they say stands in the documents
	drafts := make([]document.Draft, len(in.Texts))
	for i, t := range in.Texts {
		if strings.TrimSpace(t.Text) == "" {
			field := fmt.Sprintf("texts[%d].text", i)
			return AddedTexts{}, fail.InvalidField(field, "%s: the text is empty", field)
		}
		tags, err := document.CleanTags(t.Tags)
		if err != nil {
			return AddedTexts{}, fail.InvalidField(fmt.Sprintf("texts[%d].tags", i), "texts[%d].%s", i, fail.As(err).Message)
		}
		drafts[i] = document.Draft{ContentType: document.Text, Name: t.Name, Source: t.Text, Tags: tags}
	}
	added, err := s.documents.AddAll(ctx, sc, corpusID, drafts)
	if err != nil {
		return AddedTexts{}, err
	}
	out := AddedTexts{Documents: make([]AddedText, len(added))}
	for i, a := range added {
		out.Documents[i] = AddedText{ID: a.ID, Name: a.Name, Step: a.Step, IsDuplicate: a.Known}
	}
	return out, nil
}
