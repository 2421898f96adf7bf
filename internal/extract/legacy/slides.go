package legacy

import (
	"strings"

	"atrium/internal/extract/doc"
)

// The records of a presentation of before 2007 that hold its text.
const (
	recSlides     = 0x0FF0 // a list of slides with their texts; instance 0 is the slides, 2 their notes
	recSlide      = 0x03F3 // begins the texts of a slide
	recTextHead   = 0x0F9F // says what the next text is
	recTextWide   = 0x0FA0
	recTextNarrow = 0x0FA8
	deepest       = 16
)

// slides is a presentation while it is read.
type slides struct {
	in     *doc.Input
	page   int
	notes  bool
	title  bool // the next text is one
	inList bool
	loose  []string // texts that stand outside of the lists, on the slides themselves
}

// Slides reads a .ppt file: titles, texts and notes.
func Slides(in *doc.Input) error {
	b, err := stream(in, "PowerPoint Document")
	if err != nil {
		return doc.Fail(doc.Damaged, "the presentation is damaged; save it again, best as .pptx")
	}
	s := &slides{in: in}
	s.walk(b, 0)
	if len(s.loose) > 0 {
		in.Out.Reset()
		for _, t := range s.loose {
			in.Out.Add(doc.Paragraph, t)
		}
	}
	return in.Stopped()
}

func (s *slides) walk(b []byte, depth int) {
	for len(b) >= 8 && s.in.Stopped() == nil {
		head, kind, size := u16(b, 0), u16(b, 2), u32(b, 4)
		if uint64(size) > uint64(len(b)-8) {
			size = uint32(len(b) - 8)
		}
		body := b[8 : 8+size]
		b = b[8+size:]
		switch {
		case kind == recSlides:
			outer := s.inList
			s.inList, s.notes = head>>4 == 0 || head>>4 == 2, head>>4 == 2
			s.walk(body, depth+1)
			s.inList = outer
		case head&0xF == 0xF && depth < deepest:
			s.walk(body, depth+1)
		case kind == recSlide && s.inList && !s.notes:
			s.page++
			s.in.Out.Page(s.page)
		case kind == recTextHead && len(body) >= 4:
			s.title = u32(body, 0) == 0 || u32(body, 0) == 6
		case kind == recTextWide:
			s.text(wide(body))
		case kind == recTextNarrow:
			s.text(narrow(body))
		}
	}
}

func (s *slides) text(t string) {
	t = strings.TrimSpace(strings.NewReplacer("\r", "\n", "\v", "\n").Replace(t))
	switch {
	case t == "" || t == "*":
	case !s.inList:
		if len(s.loose) < 10_000 {
			s.loose = append(s.loose, t)
		}
	case s.notes:
		s.in.Out.Add(doc.Paragraph, "Notes: "+t)
	case s.title:
		s.in.Out.Heading(1, t)
	default:
		for line := range strings.SplitSeq(t, "\n") {
			s.in.Out.Add(doc.ListItem, line)
		}
	}
}
