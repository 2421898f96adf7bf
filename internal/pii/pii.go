// Package pii finds personal data in text and replaces it by the name of its kind.
//
// What has a form is found by rules: checksums where a number has one, the words
// beside it where it has none. Names and places have no form; they are found by
// lists and cues, and some are missed. Everything is one pass over the text with
// bounded looks to either side, so that no text makes it slow.
package pii

import (
	"cmp"
	"slices"
	"strings"
)

// Type is a kind of personal data, by its name on the wire.
type Type string

// The types.
const (
	Person        Type = "person"
	Address       Type = "address"
	Location      Type = "location"
	Email         Type = "email"
	Phone         Type = "phone"
	CreditCard    Type = "credit_card"
	BankAccount   Type = "bank_account"
	NationalID    Type = "national_id"
	Passport      Type = "passport"
	DriverLicense Type = "driver_license"
	IPAddress     Type = "ip_address"
	URL           Type = "url"
	Secret        Type = "secret"
	DateOfBirth   Type = "date_of_birth"
)

// All lists the types, the surest first: where two claim the same text, the
// earlier one has it.
var All = []Type{
	Secret, CreditCard, BankAccount, NationalID, Email, URL, IPAddress, Passport,
	DriverLicense, DateOfBirth, Phone, Address, Person, Location,
}

// Valid tells whether t is one of the types.
func (t Type) Valid() bool { return slices.Contains(All, t) }

func (t Type) placeholder() string { return "[" + strings.ToUpper(string(t)) + "]" }

// Span is personal data at its place: text[Start:End] == Value, in bytes.
type Span struct {
	Start, End int
	Type       Type
	Value      string
}

// Counts says how many of each type were replaced.
type Counts map[Type]int

// Add adds the counts of o.
func (c Counts) Add(o Counts) {
	for t, n := range o {
		c[t] += n
	}
}

// Valid tells whether the counts can have been made by Redact.
func (c Counts) Valid() bool {
	for t, n := range c {
		if !t.Valid() || n < 1 {
			return false
		}
	}
	return true
}

// found is a claim on a part of the text.
type found struct {
	start, end int
	kind       Type
	weak       bool // only a word nearby says so; any other claim goes first
}

// Find answers what of the types stands in the text, in order and without overlaps.
func Find(text string, types []Type) []Span { return FindBelow("", text, types) }

// FindBelow is Find with a heading that the text stands below, such as that of
// a table's column; it is read for what it says of the text and not searched.
func FindBelow(heading, text string, types []Type) []Span {
	if text == "" || len(types) == 0 {
		return nil
	}
	s := &scan{text: text, base: 0, want: map[Type]bool{}}
	if heading != "" {
		heading = strings.Join(strings.Fields(clip(heading, 200)), " ") + ": "
		s.text, s.base = heading+text, len(heading)
	}
	for _, t := range types {
		s.want[t] = true
	}
	s.run()
	var out []Span
	for _, f := range settle(s.out) {
		if f.start < s.base || !s.want[f.kind] {
			continue
		}
		out = append(out, Span{f.start - s.base, f.end - s.base, f.kind, s.text[f.start:f.end]})
	}
	return out
}

// settle gives each part of the text to one claim, that of the surer type. What a
// loser has beside the winner stays claimed.
func settle(claims []found) []found {
	rank := func(f found) int {
		if f.weak {
			return len(All)
		}
		return slices.Index(All, f.kind)
	}
	slices.SortFunc(claims, func(a, b found) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	var won []found
	for from := 0; from < len(claims); {
		to := from
		for to < len(claims) && rank(claims[to]) == rank(claims[from]) {
			to++
		}
		won = merge(won, within(claims[from:to]))
		from = to
	}
	return won
}

// within settles the claims of one rank, which come in order: those that overlap
// become one.
func within(claims []found) []found {
	var out []found
	for _, c := range claims {
		if n := len(out); n > 0 && c.start < out[n-1].end {
			out[n-1].end = max(out[n-1].end, c.end)
			continue
		}
		out = append(out, c)
	}
	return out
}

// merge adds to the winners, in order, what they leave of the claims.
func merge(won, claims []found) []found {
	out := make([]found, 0, len(won)+len(claims))
	i := 0
	for _, c := range claims {
		for i < len(won) && won[i].end <= c.start {
			out = append(out, won[i])
			i++
		}
		for at := c.start; at < c.end; {
			if i == len(won) || won[i].start >= c.end {
				out = append(out, found{at, c.end, c.kind, c.weak})
				break
			}
			if won[i].start > at {
				out = append(out, found{at, won[i].start, c.kind, c.weak})
			}
			at = won[i].end
			if at <= c.end {
				out = append(out, won[i])
				i++
			}
		}
	}
	return append(out, won[i:]...)
}

// rounds bounds how often what is left is looked at again: a replacement may
// part what was one word before.
const rounds = 8

// Redact replaces what of the types stands in the text by [TYPE], and tells how
// much that was.
func Redact(text string, types []Type) (string, Counts) { return RedactBelow("", text, types) }

// RedactBelow is Redact with a heading, as FindBelow takes it.
func RedactBelow(heading, text string, types []Type) (string, Counts) {
	counts := Counts{}
	for range rounds {
		spans := FindBelow(heading, text, types)
		if len(spans) == 0 {
			break
		}
		var b strings.Builder
		at := 0
		for _, s := range spans {
			counts[s.Type]++
			b.WriteString(text[at:s.Start])
			b.WriteString(s.Type.placeholder())
			at = s.End
		}
		b.WriteString(text[at:])
		text = b.String()
	}
	return text, counts
}
