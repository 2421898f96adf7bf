package bench

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"atrium/internal/pii"
)

// piiLabels are the labels of the set by our types. Others of the set, such as
// companies, are none of ours.
var piiLabels = map[string]pii.Type{
	"PERSON": pii.Person, "ADDRESS": pii.Address, "LOCATION": pii.Location, "EMAIL_ADDRESS": pii.Email, "PHONE_NUMBER": pii.Phone,
	"CREDIT_CARD": pii.CreditCard, "IBAN_CODE": pii.BankAccount, "US_SSN": pii.NationalID, "IP_ADDRESS": pii.IPAddress,
	"DOMAIN_NAME": pii.URL, "US_DRIVER_LICENSE": pii.DriverLicense, "DATE_TIME": pii.DateOfBirth,
}

// piiStructured are the types that the goal is for.
var piiStructured = []pii.Type{
	pii.CreditCard, pii.BankAccount, pii.NationalID, pii.DriverLicense, pii.Email, pii.Phone, pii.IPAddress, pii.URL,
}

type piiText struct {
	Text  string `json:"text"`
	Spans []struct {
		Start int    `json:"start"`
		End   int    `json:"end"`
		Type  string `json:"type"`
	} `json:"spans"`
}

// piiScore counts for a type. A labelled span is found when at least half of it
// is covered by what we say is of its type, and what we say is right when at
// least half of it is labelled so.
type piiScore struct{ labelled, found, said, right int }

func (s *piiScore) add(o piiScore) {
	s.labelled, s.found, s.said, s.right = s.labelled+o.labelled, s.found+o.found, s.said+o.said, s.right+o.right
}

func (s *piiScore) row(what, goal, more string) Row {
	return Row{"pii " + what, fmt.Sprintf("recall %s, precision %s", percent(ratio(s.found, s.labelled)), percent(ratio(s.right, s.said))), goal,
		fmt.Sprintf("%d of %d labelled, %d of %d said%s", s.found, s.labelled, s.right, s.said, more)}
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// personalData measures what is found of labelled personal data.
func personalData(ctx context.Context, o Options) ([]Row, error) {
	texts, err := piiTexts(filepath.Join(o.Data, "pii", "sample.jsonl.gz"))
	if err != nil {
		return nil, err
	}
	scores := map[pii.Type]*piiScore{}
	for _, t := range pii.All {
		scores[t] = &piiScore{}
	}
	var spent time.Duration
	size := 0
	for _, t := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		begin := time.Now()
		spans := pii.Find(t.Text, pii.All)
		spent += time.Since(begin)
		size += len(t.Text)
		score(t, spans, scores)
	}
	var all piiScore
	for _, t := range piiStructured {
		all.add(*scores[t])
	}
	rows := []Row{all.row("structured", "recall ≥ 90 %, precision ≥ 85 %", fmt.Sprintf("; %.1f MB/s", float64(size)/1e6/spent.Seconds()))}
	for _, t := range piiStructured {
		rows = append(rows, scores[t].row(string(t), "", ""))
	}
	for _, t := range []pii.Type{pii.Person, pii.Address, pii.Location} {
		rows = append(rows, scores[t].row(string(t), "as it is", ""))
	}
	return append(rows, scores[pii.DateOfBirth].row(string(pii.DateOfBirth), "as it is", "; the set labels every date and weekday")), nil
}

func piiTexts(path string) ([]piiText, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	var out []piiText
	for lines.Scan() {
		var t piiText
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, lines.Err()
}

// score compares by code points. A place inside of an address is the address's
// or the place's as either side sees it.
func score(t piiText, spans []pii.Span, scores map[pii.Type]*piiScore) {
	n := utf8.RuneCountInString(t.Text)
	said, labelled := make([]pii.Type, n), make([]pii.Type, n)
	points := func(bytes int) int { return utf8.RuneCountInString(t.Text[:bytes]) }
	for _, s := range spans {
		for i := points(s.Start); i < points(s.End); i++ {
			said[i] = s.Type
		}
	}
	for _, s := range t.Spans {
		for i := s.Start; i < min(s.End, n); i++ {
			labelled[i] = piiLabels[s.Type]
		}
	}
	half := func(in []pii.Type, from, to int, of pii.Type) bool {
		k := 0
		for i := from; i < min(to, n); i++ {
			if in[i] == of || placed(in[i]) && placed(of) {
				k++
			}
		}
		return 2*k >= to-from
	}
	for _, s := range t.Spans {
		if of := piiLabels[s.Type]; of != "" {
			scores[of].labelled++
			if half(said, s.Start, s.End, of) {
				scores[of].found++
			}
		}
	}
	for _, s := range spans {
		scores[s.Type].said++
		if half(labelled, points(s.Start), points(s.End), s.Type) {
			scores[s.Type].right++
		}
	}
}

func placed(t pii.Type) bool { return t == pii.Address || t == pii.Location }
