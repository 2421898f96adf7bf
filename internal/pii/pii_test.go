package pii

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEachTypeIsFoundByItsRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"Write to jo.o'neil+x@mail.example.org, or not.", "email jo.o'neil+x@mail.example.org"},
		{"Write to grüße@bücher.example.", "email grüße@bücher.example"},
		{"npm i @types/node@18.2 and user@localhost", ""},
		{"card 4111 1111 1111 1111 exp 12/27", "credit_card 4111 1111 1111 1111"},
		{"5500-0000-0000-0004 and 340000000000009", "credit_card 5500-0000-0000-0004, credit_card 340000000000009"},
		{"order 4111 1111 1111 1112", ""},
		{"pay to DE89 3704 0044 0532 0130 00 now", "bank_account DE89 3704 0044 0532 0130 00"},
		{"pay to gb82west12345698765432", "bank_account gb82west12345698765432"},
		{"GB82 WEST 1234 5698 7654 33", ""},
		{"routing number 021000021, account number 000123456789", "bank_account 021000021, bank_account 000123456789"},
		{"part 021000021", ""},
		{"SSN 078-05-1120; ITIN 912-70-1234", "national_id 078-05-1120, national_id 912-70-1234"},
		{"666-12-3456 and 000-12-3456", ""},
		{"my social security number is 078051120", "national_id 078051120"},
		{"NHS number 943 476 5919", "national_id 943 476 5919"},
		{"NI no. AB 12 34 56 C", "national_id AB 12 34 56 C"},
		{"codice RSSMRA85T10A562S", "national_id RSSMRA85T10A562S"},
		{"DNI 12345678Z, NIE X1234567L", "national_id 12345678Z, national_id X1234567L"},
		{"CPF 529.982.247-25", "national_id 529.982.247-25"},
		{"HETU 131052-308T", "national_id 131052-308T"},
		{"S0000001I", "national_id S0000001I"},
		{"AHV 756.9217.0769.85", "national_id 756.9217.0769.85"},
		{"身份证 11010519491231002X", "national_id 11010519491231002X"},
		{"2 55 08 14 168 025 38", "national_id 2 55 08 14 168 025 38"},
		{"BSN 111222333", "national_id 111222333"},
		{"passport no. C01X00T47", "passport C01X00T47"},
		{"Reisepass 123456789", "passport 123456789"},
		{"driver's license D1234567", "driver_license D1234567"},
		{"from 192.168.1.254:8080 and 2001:db8::8a2e:370:7334.", "ip_address 192.168.1.254, ip_address 2001:db8::8a2e:370:7334"},
		{"version 1.2.3.4, std::vector, at 12:30:45, 300.1.1.1", ""},
		{"see https://example.org/a?b=c, and www.example.org.", "url https://example.org/a?b=c, url www.example.org"},
		{"born on 12 March 1985", "date_of_birth 12 March 1985"},
		{"geb. 01.02.1990 in Bonn", "date_of_birth 01.02.1990, location Bonn"},
		{"DOB: 1990-02-01; paid 2024-02-01", "date_of_birth 1990-02-01"},
		{"+49 (0)30 1234567", "phone +49 (0)30 1234567"},
		{"call 555-0199 or (212) 555-0142 x12", "phone 555-0199, phone (212) 555-0142 x12"},
		{"in 2007-03-23, 10,000.50 and 12 345 678 units of 3.14159265", ""},
		{"AKIAIOSFODNN7EXAMPLE", "secret AKIAIOSFODNN7EXAMPLE"},
		{"password: hunter2! and api_key=\"9f8e7d6c5b4a39281706\"", "secret hunter2!, secret 9f8e7d6c5b4a39281706"},
		{"password: required, token: see below", ""},
		{"postgres://app:s3cr3t@db/x", "url postgres://app:, secret s3cr3t, url @db/x"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "secret -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"},
		{"Dear Ms. Chioma Adeyemi, we met Stefan.", "person Chioma Adeyemi, person Stefan"},
		{"my name is anneliese van dorp", "person anneliese van dorp"},
		{"In April Mark the page and Hope for Grace.", ""},
		{"Send it to 12 Abbey Road\nLondon NW8 9AY\nEngland by noon", "address 12 Abbey Road\nLondon NW8 9AY\nEngland"},
		{"Hauptstraße 5, 10827 Berlin", "address Hauptstraße 5, 10827 Berlin"},
		{"P.O. Box 123, zip code 94105", "address P.O. Box 123, address 94105"},
		{"She moved to New Zealand.", "location New Zealand"},
		{"The Quarterly Report of Section 12 has 34 Tables and 5 Figures.", ""},
	} {
		var got []string
		for _, s := range Find(c.text, All) {
			got = append(got, fmt.Sprintf("%s %s", s.Type, s.Value))
		}
		if g := strings.Join(got, ", "); g != c.want {
			t.Errorf("in %q found %q, want %q", c.text, g, c.want)
		}
	}
}

func TestOnlyWhatIsAskedForIsFoundAndNumbersStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	const text = "Call 4111 1111 1111 1111 or 212-555-0142, jo@example.org"
	got, counts := Redact(text, []Type{Phone})
	if got != "Call 4111 1111 1111 1111 or [PHONE], jo@example.org" || counts[Phone] != 1 || len(counts) != 1 {
		t.Errorf("%q, %v", got, counts)
	}
	if got, _ := Redact("https://example.org/?mail=jo@example.org", []Type{Email}); got != "https://example.org/?mail=[EMAIL]" {
		t.Errorf("an address in a link: %q", got)
	}
}

func TestAColumnsHeadingSaysWhatIsBelowIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ heading, cell, want string }{
		{"SSN", "078051120", "[NATIONAL_ID]"},
		{"Phone", "5550199", "[PHONE]"},
		{"Date of birth", "1990-02-01", "[DATE_OF_BIRTH]"},
		{"Name", "Wren Okafor", "[PERSON]"},
		{"Total", "5550199", "5550199"},
	} {
		if got, _ := RedactBelow(c.heading, c.cell, All); got != c.want {
			t.Errorf("below %q %q becomes %q, want %q", c.heading, c.cell, got, c.want)
		}
	}
}

// texts are made of what the rules look at, so that they meet in ways nobody thought of.
var texts = rapid.Custom(func(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{
			"Anna", "Müller", "van", "Dr.", "my name is", "12", "Main Street", "Berlin", "10115", "jo@example.org", "4111111111111111", "+49 30 123456", "078-05-1120",
			"192.168.0.1", "::1", "https://", "www.", "password:", "DE89370400440532013000", "born", "1.2.1990", "Apt. 3", "[EMAIL]", "[PERSON]", "phone", "x12", "é", "\xff",
			"France", "lives at", "@", ".", ",", "'s", "-----BEGIN PRIVATE KEY-----", "AKIAIOSFODNN7EXAMPLE", "and",
		}), rapid.String()), 0, 24).Draw(t, "parts")
	return strings.Join(parts, rapid.SampledFrom([]string{" ", "", "\n", ", ", "-"}).Draw(t, "separator"))
})

func TestSpansAreOrderedInTheTextAndRedactingTwiceIsOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { sound(t, texts.Draw(t, "text")) })
}

type fataler interface {
	Fatalf(format string, args ...any)
}

func sound(t fataler, text string) {
	at := 0
	for _, s := range Find(text, All) {
		if s.Start < at || s.End <= s.Start || s.End > len(text) || text[s.Start:s.End] != s.Value || !s.Type.Valid() {
			t.Fatalf("%+v after %d in %q", s, at, text)
		}
		if utf8.ValidString(text) && !utf8.ValidString(s.Value) {
			t.Fatalf("%+v cuts a character of %q", s, text)
		}
		at = s.End
	}
	once, counts := Redact(text, All)
	twice, more := Redact(once, All)
	if once != twice || len(more) != 0 {
		t.Fatalf("%q becomes %q and then %q", text, once, twice)
	}
	n := 0
	for _, c := range counts {
		n += c
	}
	if (n == 0) != (once == text) {
		t.Fatalf("%d replaced in %q: %q", n, text, once)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"Anna Müller, 12 Main Street", "4111 1111 1111 1111", "a@b.co", "::", "born 1.2.1990", "password: x", "[EMAIL]x@y.zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1<<14 {
			sound(t, text)
		}
	})
}

func TestNoTextIsSlow(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{
		"1", "1 ", "1-", "(", "+1", "a@", "@", "://", "www.", "::", ":", "a:", "-----BEGIN ", "Anna ", "van der ", "12 Main ", "password=", "AKIA", "GB82 ", "Via 1 ", "New ", "[", "[EMAIL]", "born 1.", "Street ",
	} {
		// That it ends is enough: a square of the length would take minutes.
		text := strings.Repeat(unit, 50_000/len(unit))
		if spans := Find(text, All); slices.ContainsFunc(spans, func(s Span) bool { return s.End > len(text) }) {
			t.Errorf("%q: a span beyond the text", unit)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("The committee met on 12 May 2021 in Lyon and heard Dr. Anna Weber, who can be reached at anna@example.org or +33 1 23 45 67 89. "+
		"It resolved that 1,250 units of the older series be replaced before winter, since their bearings had worn faster than expected.\n", 100)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Find(text, All)
	}
}
