package legacy

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"atrium/internal/extract/archive"
	"atrium/internal/extract/charset"
	"atrium/internal/extract/doc"
	"atrium/internal/extract/html"
	"atrium/internal/extract/plain"
)

const (
	maxProperty    = 64 << 20
	maxAttachments = 1000
)

// message is what an Outlook message holds: properties by their number, and the
// attachments in order.
type message struct {
	properties  map[string][]byte // by the eight digits of number and type
	times       map[uint16]time.Time
	attachments []map[string][]byte
}

// Message reads an .msg file: who wrote it to whom, when and about what, its text,
// and its attachments by name and, where their format is read, by content.
func Message(in *doc.Input) error {
	m, err := loadMessage(in)
	if err != nil {
		return err
	}
	var lines []string
	from := m.text(m.properties, "0C1A")
	for _, id := range []string{"5D01", "0C1F"} {
		if address := m.text(m.properties, id); strings.Contains(address, "@") && !strings.Contains(from, address) {
			from = strings.TrimSpace(from + " <" + address + ">")
			break
		}
	}
	when := ""
	for _, id := range []uint16{0x0039, 0x0E06} {
		if t, ok := m.times[id]; ok && when == "" {
			when = t.UTC().Format(time.RFC1123)
		}
	}
	subject := m.text(m.properties, "0037")
	for _, h := range []struct{ key, value string }{
		{"Subject", subject}, {"From", from}, {"To", m.text(m.properties, "0E04")}, {"Cc", m.text(m.properties, "0E03")}, {"Date", when},
	} {
		if v := doc.Squeeze(h.value); v != "" {
			lines = append(lines, h.key+": "+v)
		}
	}
	in.Out.SetTitle(subject)
	in.Out.Add(doc.Paragraph, strings.Join(lines, "\n"))
	if err := m.body(in); err != nil {
		return err
	}
	for _, a := range m.attachments {
		if err := m.attachment(in, a); err != nil {
			return err
		}
	}
	return in.Stopped()
}

func (m *message) body(in *doc.Input) error {
	if text := m.text(m.properties, "1000"); strings.TrimSpace(text) != "" {
		return plain.Paragraphs(in, strings.ReplaceAll(text, "\r\n", "\n"))
	}
	if page, ok := m.properties["10130102"]; ok {
		text, _ := charset.Decode(page, "")
		return html.Text(in, text)
	}
	if page := m.text(m.properties, "1013"); page != "" {
		return html.Text(in, page)
	}
	if _, ok := m.properties["10090102"]; ok {
		in.Out.Warn("the text of the message is stored as packed RTF, which is not read; save the message as .eml")
	}
	return nil
}

func (m *message) attachment(in *doc.Input, a map[string][]byte) error {
	name := m.text(a, "3707")
	if name == "" {
		name = m.text(a, "3704")
	}
	if name == "" {
		name = "attachment"
	}
	in.Out.Reset()
	in.Out.Add(doc.Paragraph, "[attachment] "+name)
	content := a["37010102"]
	if len(content) == 0 {
		return in.Out.Err()
	}
	if err := in.Budget.Entries(1); err != nil {
		return err
	}
	if err := archive.Entry(in, name, content); err != nil && doc.Fatal(err) {
		return err
	}
	return in.Out.Err()
}

// text is a property in UTF-16 or in bytes.
func (m *message) text(of map[string][]byte, id string) string {
	if b, ok := of[id+"001F"]; ok {
		return strings.TrimRight(wide(b), "\x00")
	}
	if b, ok := of[id+"001E"]; ok {
		text, _ := charset.Decode(b, "")
		return strings.TrimRight(text, "\x00")
	}
	return ""
}

func wide(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

func narrow(b []byte) string {
	text, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return string(b)
	}
	return string(text)
}

func loadMessage(in *doc.Input) (*message, error) {
	r, err := open(in)
	if err != nil {
		return nil, messageDamaged()
	}
	m := &message{properties: map[string][]byte{}, times: map[uint16]time.Time{}}
	at := map[string]int{}
	for range 10_000 {
		e, err := r.Next()
		if err != nil {
			break
		}
		into := m.properties
		switch {
		case len(e.Path) == 0 && e.Name == "__properties_version1.0":
			b, err := io.ReadAll(io.LimitReader(r, maxProperty))
			if err != nil && len(b) == 0 {
				return nil, messageDamaged()
			}
			m.readTimes(b)
			continue
		case len(e.Path) == 1 && strings.HasPrefix(e.Path[0], "__attach"):
			i, ok := at[e.Path[0]]
			if !ok {
				if i = len(m.attachments); i == maxAttachments {
					return nil, doc.Fail(doc.TooLarge, "the message has more than %d attachments; save them and add them", maxAttachments)
				}
				at[e.Path[0]] = i
				m.attachments = append(m.attachments, map[string][]byte{})
			}
			into = m.attachments[i]
		case len(e.Path) != 0:
			continue
		}
		id, ok := strings.CutPrefix(e.Name, "__substg1.0_")
		if !ok || len(id) != 8 {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(r, maxProperty))
		if err != nil && len(b) == 0 {
			return nil, messageDamaged()
		}
		if err := in.Budget.Spend(int64(len(b))); err != nil {
			return nil, err
		}
		into[strings.ToUpper(id)] = b
	}
	return m, nil //nolint:nilerr // the end, or damage: what stands before it is shown
}

// readTimes reads the moments among the properties of a fixed size.
func (m *message) readTimes(b []byte) {
	const head, each, moment = 32, 16, 0x0040
	for i := head; i+each <= len(b); i += each {
		if u16(b, i) != moment {
			continue
		}
		// In tenths of microseconds since 1601.
		ticks := binary.LittleEndian.Uint64(b[i+8:])
		if s := int64(ticks/10_000_000) - 11_644_473_600; ticks < 1<<62 && s > 0 {
			m.times[u16(b, i+2)] = time.Unix(s, 0)
		}
	}
}

func messageDamaged() error {
	return doc.Fail(doc.Damaged, "the Outlook message is damaged; save it again, best as .eml")
}

// stream reads one stream of a compound file by its name, at its root.
func stream(in *doc.Input, names ...string) ([]byte, error) {
	r, err := open(in)
	if err != nil {
		return nil, err
	}
	for range 10_000 {
		e, err := r.Next()
		if err != nil {
			break
		}
		for _, n := range names {
			if len(e.Path) == 0 && e.Name == n {
				b, err := io.ReadAll(io.LimitReader(r, maxStream))
				if err != nil && len(b) == 0 {
					return nil, fmt.Errorf("stream %s: %w", n, err)
				}
				return b, nil
			}
		}
	}
	return nil, damaged()
}
