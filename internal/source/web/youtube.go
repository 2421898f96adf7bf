package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"atrium/internal/fail"
	"atrium/internal/source"
)

// Video is the transcript of a video on YouTube, a source of one item: the text
// that its watch page names as captions, with a mark of the time at each
// paragraph. Captions made by people are preferred to made ones.
type Video struct {
	Address string
	web     *Web
}

// Video makes a source of a video.
func (w *Web) Video(address string) *Video { return &Video{Address: address, web: w} }

var videoID = regexp.MustCompile(`^[A-Za-z0-9_-]{6,20}$`)

// VideoID reads the id of a video from any of the addresses it has; empty when
// it is none.
func VideoID(address string) string {
	u := parse(address)
	if u == nil {
		return ""
	}
	id := ""
	first, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(u.Hostname(), "www."), "m."), "music.") {
	case "youtu.be":
		id = first
	case "youtube.com", "youtube-nocookie.com":
		switch first {
		case "watch":
			id = u.Query().Get("v")
		case "shorts", "embed", "live", "v":
			id, _, _ = strings.Cut(rest, "/")
		}
	}
	if !videoID.MatchString(id) {
		return ""
	}
	return id
}

// Start names the video.
func (v *Video) Start(context.Context) ([]source.Item, error) {
	id := VideoID(v.Address)
	if id == "" {
		return nil, fail.Invalid("the address %q is no video on YouTube; give the address of its watch page", v.Address)
	}
	return []source.Item{{Key: id}}, nil
}

// player is what a watch page tells its player.
type player struct {
	Playability struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
	} `json:"playabilityStatus"`
	Captions struct {
		List struct {
			Tracks []track `json:"captionTracks"`
		} `json:"playerCaptionsTracklistRenderer"`
	} `json:"captions"`
	Details struct {
		Title  string `json:"title"`
		Author string `json:"author"`
	} `json:"videoDetails"`
}

type track struct {
	BaseURL  string `json:"baseUrl"`
	Language string `json:"languageCode"`
	Kind     string `json:"kind"` // asr when it was made by a machine
}

// Visit gets the transcript. A watch page knows no conditions, so that an
// unchanged transcript is found by its content.
func (v *Video) Visit(ctx context.Context, it source.Item, _ source.Mark) (source.Visit, error) {
	if !videoID.MatchString(it.Key) {
		return source.Visit{Outcome: source.Gone, Reason: "there is no such video"}, nil
	}
	at := parse(v.web.YouTube + "/watch?v=" + url.QueryEscape(it.Key) + "&hl=en")
	page, found, err := v.web.read(ctx, at, http.Header{"Cookie": {"SOCS=CAI"}, "Accept-Language": {"en"}})
	if err != nil {
		return source.Visit{}, err
	}
	if !found {
		return source.Visit{Outcome: source.Gone, Reason: "YouTube has no such video"}, nil
	}
	p, err := readPlayer(page)
	if err != nil {
		return source.Visit{}, err
	}
	switch p.Playability.Status {
	case "", "OK":
	case "ERROR":
		return source.Visit{Outcome: source.Gone, Reason: "YouTube says: " + cmp.Or(p.Playability.Reason, "this video is not available")}, nil
	default:
		return source.Visit{}, fail.Conflict("YouTube does not show this video: %s", cmp.Or(p.Playability.Reason, p.Playability.Status))
	}
	text, err := v.transcript(ctx, at, p)
	if err != nil {
		return source.Visit{}, err
	}
	return source.Visit{Outcome: source.Fetched, Content: source.Content{
		Name: "transcript.md", MediaType: "text/markdown; charset=utf-8", Body: io.NopCloser(strings.NewReader(text)),
	}}, nil
}

// read gets a page whole.
func (w *Web) read(ctx context.Context, u *url.URL, header http.Header) ([]byte, bool, error) {
	res, err := w.get(ctx, w.host(u), u, header)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, false, nil
	}
	text, err := readPage(res.Body)
	return text, err == nil, err
}

// readPlayer finds the player's answer in a watch page.
func readPlayer(page []byte) (player, error) {
	var p player
	for rest := page; ; {
		at := bytes.Index(rest, []byte("ytInitialPlayerResponse"))
		if at < 0 {
			return p, fail.Conflict("the watch page is not as expected; upload the transcript as a text instead")
		}
		rest = rest[at+len("ytInitialPlayerResponse"):]
		after := bytes.TrimLeft(rest, "\"'] \t\r\n")
		if !bytes.HasPrefix(after, []byte("=")) {
			continue
		}
		after = bytes.TrimLeft(after[1:], " \t\r\n")
		if json.NewDecoder(bytes.NewReader(after)).Decode(&p) == nil && (p.Details.Title != "" || p.Playability.Status != "") {
			return p, nil
		}
	}
}

// line is a caption and when it is said.
type line struct {
	at   time.Duration
	text string
}

func (v *Video) transcript(ctx context.Context, at *url.URL, p player) (string, error) {
	tracks := p.Captions.List.Tracks
	if len(tracks) == 0 {
		return "", fail.Conflict("the video has no captions, so that there is no transcript; upload one as a text")
	}
	made := func(t track) int {
		if t.Kind == "asr" {
			return 1
		}
		return 0
	}
	spoken := "" // the machine hears the language that is spoken
	for _, t := range tracks {
		if made(t) == 1 {
			spoken = t.Language
		}
	}
	other := func(t track) int {
		if spoken != "" && t.Language != spoken {
			return 1
		}
		return 0
	}
	best := slices.MinFunc(tracks, func(a, b track) int { return cmp.Or(other(a)-other(b), made(a)-made(b)) })
	u := resolve(at, best.BaseURL)
	if u == nil || site(u) != site(at) {
		return "", fail.Conflict("the video's captions are at an address that is not YouTube's; upload the transcript as a text instead")
	}
	q := u.Query()
	q.Set("fmt", "json3")
	u.RawQuery = q.Encode()
	raw, found, err := v.web.read(ctx, u, nil)
	if err != nil {
		return "", err
	}
	lines := captions(raw)
	if !found || len(lines) == 0 {
		return "", fail.Unavailable("YouTube did not hand out the captions; try again later, or upload the transcript as a text")
	}
	return write(p, lines), nil
}

// captions reads timed text as JSON, or in one of its two kinds of XML.
func captions(raw []byte) []line {
	var timed struct {
		Events []struct {
			Start    int64 `json:"tStartMs"`
			Segments []struct {
				Text string `json:"utf8"`
			} `json:"segs"`
		} `json:"events"`
	}
	var out []line
	add := func(at time.Duration, text string) {
		if text = strings.Join(strings.Fields(text), " "); text != "" {
			out = append(out, line{at, text})
		}
	}
	if json.Unmarshal(raw, &timed) == nil {
		for _, e := range timed.Events {
			var b strings.Builder
			for _, s := range e.Segments {
				b.WriteString(s.Text)
			}
			add(time.Duration(e.Start)*time.Millisecond, b.String())
		}
		return out
	}
	var at time.Duration
	var b strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		t, err := d.Token()
		if err != nil {
			return out
		}
		switch t := t.(type) {
		case xml.StartElement:
			for _, a := range t.Attr {
				n, err := strconv.ParseFloat(a.Value, 64)
				switch {
				case err != nil || n < 0 || n > 1e9:
				case t.Name.Local == "text" && a.Name.Local == "start":
					at = time.Duration(n * float64(time.Second))
				case t.Name.Local == "p" && a.Name.Local == "t":
					at = time.Duration(n * float64(time.Millisecond))
				}
			}
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			if t.Name.Local == "text" || t.Name.Local == "p" {
				add(at, html.UnescapeString(b.String())) // it is escaped twice
				b.Reset()
			}
		}
	}
}

const (
	paragraph = 45 * time.Second // at least, of what stands in one
	longest   = 1_200            // bytes after which a paragraph ends in any case
)

// write makes a text of a transcript: paragraphs at the ends of sentences, each
// with the time it begins at.
func write(p player, lines []line) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", strings.Join(strings.Fields(cmp.Or(p.Details.Title, "Video")), " "))
	if a := strings.Join(strings.Fields(p.Details.Author), " "); a != "" {
		fmt.Fprintf(&b, "Transcript of a video by %s.\n\n", a)
	}
	var begun time.Duration
	size := 0
	for i, l := range lines {
		if size == 0 {
			begun = l.at
			s := int(l.at.Seconds())
			fmt.Fprintf(&b, "[%d:%02d:%02d]", s/3600, s/60%60, s%60)
		}
		b.WriteString(" " + l.text)
		size += len(l.text)
		ends := l.at-begun >= paragraph && strings.ContainsAny(l.text[len(l.text)-1:], ".?!")
		if ends || size >= longest || i == len(lines)-1 {
			b.WriteString("\n\n")
			size = 0
		}
	}
	return b.String()
}
