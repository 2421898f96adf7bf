package document

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"atrium/internal/egress"
	"atrium/internal/extract"
	"atrium/internal/fail"
	"atrium/internal/source"
	"atrium/internal/source/web"
)

const fetchTimeout = time.Minute

// open fetches an address, then turns the source into blocks.
func (s *Documents) open(ctx context.Context, r *reading, current bool) error {
	if r.ContentType == Text {
		r.doc = plainBlocks(r.Source)
		return nil
	}
	if r.ContentType == File && r.BlobKey == "" && r.Version > 0 {
		r.counts.Add(r.Redactions)
		if err := s.fromText(ctx, r); err != nil {
			return err
		}
		return r.hide(ctx)
	}
	name, claimed := r.Name, r.MediaType
	if r.ContentType == Weblink {
		var err error
		switch {
		case r.task.Stored:
			if u, err := url.Parse(r.Source); err == nil {
				name = path.Base("/" + u.Path)
			}
		default:
			if name, claimed, err = s.download(ctx, r, current); err != nil || r.unchanged {
				return err
			}
		}
	}
	at, done, err := s.Blobs.Local(ctx, r.OrgID, r.BlobKey)
	if err != nil {
		return err
	}
	defer done()
	r.doc, err = s.Extract.Extract(ctx, extract.Request{Path: at, Name: name, MediaType: claimed, Mode: extract.Mode(modes[r.ModeID])})
	if err != nil {
		if r.fetched {
			s.discard(r.OrgID, r.BlobKey)
		}
		return err
	}
	if r.doc.MediaType != "" {
		r.MediaType = r.doc.MediaType
	}
	if err := r.hide(ctx); err != nil {
		return err
	}
	if title := strings.Join(strings.Fields(r.doc.Title), " "); r.ContentType == Weblink && title != "" && r.Name == addressName(r.Source) {
		r.Name = clip(title, maxName)
	}
	return nil
}

// download stores what an address holds now. A page that says it has not
// changed since a good reading leaves everything as it is.
func (s *Documents) download(ctx context.Context, r *reading, current bool) (name, mediaType string, err error) {
	var since egress.Conditions
	if current {
		since = egress.Conditions{ETag: r.ETag, LastModified: r.LastModified}
	}
	res, err := s.ask(ctx, r, since)
	if fail.Is(err, fail.CodeNotFound) && r.Version > 0 {
		// What is no longer there stays as it was read, and says so.
		r.unchanged, r.checked = true, Removed
		return "", "", nil
	}
	if err != nil {
		return "", "", fetching(ctx, err)
	}
	defer res.Body.Close()
	if res.Status == http.StatusNotModified {
		r.unchanged, r.checked = true, NotModified
		return "", "", nil
	}
	r.checked = Changed
	b, err := s.Blobs.Put(ctx, r.OrgID, &body{res.Body, r.Source}, s.MaxBytes)
	if err != nil {
		return "", "", err
	}
	r.fetched, r.BlobKey = true, b.Key
	r.Size, r.SHA256, r.MediaType = b.Size, b.SHA256, res.ContentType
	r.ETag, r.LastModified = clip(res.ETag, maxETag), clip(res.LastModified, maxDate)
	if b.Size == 0 {
		s.discard(r.OrgID, b.Key)
		return "", "", &extract.Error{Reason: extract.Empty, Message: "the address answered with nothing; check it in a browser"}
	}
	mediaType = res.ContentType
	if mediaType != "" && res.Charset != "" {
		mediaType += "; charset=" + res.Charset
	}
	return res.Filename, mediaType, nil
}

// ask gets what an address holds: the document, or what is said in a video.
func (s *Documents) ask(ctx context.Context, r *reading, since egress.Conditions) (egress.Response, error) {
	if r.WeblinkType != YouTube {
		return s.fetch.Fetch(ctx, r.Source, since, egress.Limits{Timeout: fetchTimeout, MaxBytes: s.MaxBytes})
	}
	v, err := s.Web.Video(r.Source).Visit(ctx, source.Item{Key: web.VideoID(r.Source)}, source.Mark{})
	switch {
	case err != nil:
		return egress.Response{}, err
	case v.Outcome != source.Fetched:
		return egress.Response{}, fail.NotFound("%s", v.Reason)
	}
	kind, _, _ := strings.Cut(v.Content.MediaType, ";")
	return egress.Response{Status: http.StatusOK, ContentType: kind, Charset: "utf-8", Filename: v.Content.Name, Body: v.Content.Body}, nil
}

func fetching(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return &fetchError{err}
}

// body tells failures of the network from those of our own disk.
type body struct {
	r       io.Reader
	address string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		host, _, _ := strings.Cut(addressName(b.address), "/")
		err = &fetchError{egress.Explain(err, host)}
	}
	return n, err
}

// plainBlocks reads a pasted text: paragraphs are parted by blank lines, and a
// line of Markdown's # is a heading.
func plainBlocks(text string) extract.Document {
	doc := extract.Document{MediaType: "text/plain"}
	var above []string
	var para []string
	flush := func() {
		if len(para) > 0 {
			doc.Blocks = append(doc.Blocks, extract.Block{Kind: extract.Paragraph, Text: strings.Join(para, "\n"), Heading: above})
			para = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n \t")
		level := len(line) - len(strings.TrimLeft(line, "#"))
		switch {
		case strings.TrimSpace(line) == "":
			flush()
		case level > 0 && level <= 6 && strings.HasPrefix(line[level:], " "):
			flush()
			title := strings.TrimSpace(line[level:])
			outer := above[:min(level-1, len(above)):min(level-1, len(above))]
			doc.Blocks = append(doc.Blocks, extract.Block{Kind: extract.Heading, Text: line, Heading: outer})
			above = append(outer, title)
		default:
			para = append(para, line)
		}
	}
	flush()
	return doc
}
