package corpus

import (
	"context"
	"io"
	"strconv"
	"strings"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/blob"
	"atrium/internal/document"
	"atrium/internal/fail"
)

// fields describe the form of an upload.
type fields struct {
	ContentType string `form:"content_type" enum:"file,weblink,text" doc:"What source is; file when it is a file part."`
	Source      []byte `form:"source" required:"true" doc:"One or more file parts, or the address, or the text."`
	UserID      string `form:"user_id" doc:"Accepted and ignored: the document is made by the caller."`
	UploadFrom  string `form:"upload_from" doc:"Accepted and ignored, such as web."`
	WeblinkType string `form:"weblink_type" enum:"page,sitemap,site,youtube" doc:"What an address is: one page (when not given), a sitemap, a whole site within the limits, or a video's transcript."`
	MaxDepth    string `form:"max_depth" doc:"Of a site: links from the start, 1 to 10; 3 when not given."`
	MaxPages    string `form:"max_pages" doc:"Of a site or sitemap: 1 to 5000; 200 when not given."`
	Include     string `form:"include" doc:"Of a site or sitemap: paths to take, separated by commas or lines, as in /docs/*."`
	Exclude     string `form:"exclude" doc:"Paths to leave out."`
	Tags        string `form:"tags" doc:"Separated by commas."`
	Attachment  bool   `form:"attachment" doc:"Whether it comes along with a question; it is read before others then."`
}

// Uploaded is the answer to an upload: the first document's fields, and all of them.
type Uploaded struct {
	document.Document
	IsDuplicate bool                `json:"is_duplicate" doc:"Whether the corpus had exactly this already; nothing is read again then."`
	Documents   []document.Document `json:"documents" nullable:"false" doc:"A document for each file part; none of a site or sitemap."`
	Found       *Source             `json:"weblink_source" doc:"The source that was made of a site or sitemap, whose documents come as they are found; the other fields are empty then, but for source, access_url and step. Null otherwise."`
}

// blobs keeps files; blob.Store does.
type blobs interface {
	Put(ctx context.Context, orgID int64, r io.Reader, limit int64) (blob.Blob, error)
	Delete(orgID int64, key string) error
}

// Upload stores what a form brings and queues its reading. It is acknowledged
// when bytes, document and job are on the disk.
func (s *Corpora) Upload(ctx context.Context, sc authz.Scope, corpusID int64, form *api.Form) (Uploaded, error) {
	if err := document.MayOn(ctx, s.db, sc, corpusID, authz.Edit); err != nil {
		return Uploaded{}, err
	}
	drafts, err := s.receive(ctx, sc, form)
	if kind := form.Values["weblink_type"]; err == nil && len(drafts) == 0 && form.Values["content_type"] == document.Weblink && (kind == Site || kind == Sitemap) {
		return s.uploadSource(ctx, sc, corpusID, form)
	}
	if err == nil {
		drafts, err = complete(form, drafts)
	}
	if err != nil {
		for _, d := range drafts {
			if d.Blob.Key != "" {
				_ = s.blobs.Delete(sc.Org(), d.Blob.Key) // what stays is swept
			}
		}
		return Uploaded{}, err
	}
	added, err := s.documents.AddAll(ctx, sc, corpusID, drafts)
	if err != nil {
		return Uploaded{}, err
	}
	out := Uploaded{Document: added[0].Document, IsDuplicate: true, Documents: make([]document.Document, len(added))}
	for i, a := range added {
		out.Documents[i] = a.Document
		out.IsDuplicate = out.IsDuplicate && a.Known
	}
	return out, nil
}

// uploadSource makes a source of a form.
func (s *Corpora) uploadSource(ctx context.Context, sc authz.Scope, corpusID int64, form *api.Form) (Uploaded, error) {
	d := SourceDraft{Kind: form.Values["weblink_type"], Address: form.Values["source"], Include: parted(form.Values["include"]), Exclude: parted(form.Values["exclude"])}
	var err error
	for field, to := range map[string]*int{"max_depth": &d.MaxDepth, "max_pages": &d.MaxPages} {
		if v := strings.TrimSpace(form.Values[field]); v != "" {
			if *to, err = strconv.Atoi(v); err != nil || *to < 1 {
				return Uploaded{}, fail.InvalidField(field, "%s: expected a number from 1 on", field)
			}
		}
	}
	if d.Tags, err = document.Tags(form.Values["tags"]); err != nil {
		return Uploaded{}, err
	}
	src, err := s.AddSource(ctx, sc, corpusID, d)
	if e := fail.As(err); err != nil && len(e.Fields) > 0 && e.Fields[0].Field == "address" {
		return Uploaded{}, fail.InvalidField("source", "source: %s", strings.TrimPrefix(e.Message, "address: "))
	}
	if err != nil {
		return Uploaded{}, err
	}
	return Uploaded{Found: &src, Documents: []document.Document{}, Document: document.Document{
		CorpusID: corpusID, SourceID: &src.ID, Name: src.Address, ContentType: document.Weblink, Source: src.Address, AccessURL: src.Address,
		Step: document.Pending, Warnings: []string{}, Tags: src.Tags, CreatedBy: src.CreatedBy, CreatedOn: src.CreatedOn, ModifiedBy: src.ModifiedBy, ModifiedOn: src.ModifiedOn,
	}}, nil
}

// parted are the parts of a field that are separated by commas or lines.
func parted(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' })
}

// receive stores the file parts as they come. On an error it answers those that
// were stored.
func (s *Corpora) receive(ctx context.Context, sc authz.Scope, form *api.Form) ([]document.Draft, error) {
	var drafts []document.Draft
	err := form.Each(func(f api.File) error {
		b, err := s.blobs.Put(ctx, sc.Org(), f.Body, s.maxUpload)
		if fail.Is(err, fail.CodeTooLarge) {
			return fail.TooLarge("the file %s is larger than %d MiB; split it", f.Name, s.maxUpload>>20).Because(err)
		}
		if err != nil {
			return err
		}
		drafts = append(drafts, document.Draft{ContentType: document.File, Name: f.Name, MediaType: f.MediaType, Blob: b})
		return nil
	})
	return drafts, err
}

// complete makes the drafts of a form whose files were received.
func complete(form *api.Form, drafts []document.Draft) ([]document.Draft, error) {
	kind, source := form.Values["content_type"], form.Values["source"]
	switch {
	case kind != "" && kind != document.File && kind != document.Weblink && kind != document.Text:
		return drafts, fail.InvalidField("content_type", "content_type: expected file, weblink or text")
	case len(drafts) > 0: // a file is a file, whichever of them it says
	case kind == document.File:
		return drafts, fail.InvalidField("source", "source: send the file as a multipart part with a file name")
	case kind == "":
		return drafts, fail.InvalidField("content_type", "content_type: say whether source is a file, a weblink or a text")
	case strings.TrimSpace(source) == "":
		return drafts, fail.InvalidField("source", "source: is missing; send a file, an address or a text")
	default:
		drafts = []document.Draft{{ContentType: kind, Source: source, WeblinkType: form.Values["weblink_type"]}}
	}
	tags, err := document.Tags(form.Values["tags"])
	if err != nil {
		return drafts, err
	}
	attachment := false
	if v := form.Values["attachment"]; v != "" {
		if attachment = v == "true"; !attachment && v != "false" {
			return drafts, fail.InvalidField("attachment", "attachment: expected true or false")
		}
	}
	for i := range drafts {
		drafts[i].Tags, drafts[i].IsAttachment = tags, attachment
	}
	return drafts, nil
}
