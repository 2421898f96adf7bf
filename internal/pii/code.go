package pii

import (
	"net/netip"
	"strings"
)

const longestCode = 64

// codes goes through words of letters and digits: IBANs, ids with letters,
// passports, licences.
func (s *scan) codes() {
	for i := 0; i < len(s.text); {
		if !alnum(s.text[i]) {
			i++
			continue
		}
		end := i
		digits, letters := 0, 0
		for end < len(s.text) && (alnum(s.text[end]) || s.text[end] == '-' && end+1 < len(s.text) && alnum(s.text[end+1]) && end-i < longestCode) {
			switch {
			case digit(s.text[end]):
				digits++
			case s.text[end] != '-':
				letters++
			}
			end++
		}
		if !wordBefore(s.text, i) && !wordAt(s.text, end) {
			s.code(i, end, digits, letters)
		}
		i = end
	}
}

func (s *scan) code(start, end, digits, letters int) {
	t := s.text[start:end]
	if end-start > longestCode {
		return
	}
	if len(t) >= 2 && alpha(t[0]) && alpha(t[1]) {
		if stop := s.iban(start); stop > 0 {
			s.claim(start, stop, BankAccount)
			return
		}
		if stop := s.nino(start); stop > 0 {
			s.claim(start, stop, NationalID)
			return
		}
	}
	if digits == 0 || letters == 0 && !strings.Contains(t, "-") {
		return
	}
	up := strings.ToUpper(strings.ReplaceAll(t, "-", ""))
	if codeID(up, t) {
		s.claim(start, end, NationalID)
		return
	}
	if digits < 2 || len(up) < 5 || len(up) > 20 {
		return
	}
	before := s.before(start)
	switch {
	case letters == 0: // digits and dashes are among the numbers
	case says(before, passportWords) && len(up) >= 6 && len(up) <= 12:
		s.claim(start, end, Passport)
	case says(before, licenseWords) || ukLicense(up):
		s.claim(start, end, DriverLicense)
	case says(before, anyID) || len(up) == 10 && says(before, []string{"pan", "pan card", "pan number"}):
		s.claim(start, end, NationalID)
	case says(before, accountWords) && digits >= 6:
		s.claim(start, end, BankAccount)
	}
}

var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24,
	"DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27,
	"GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
	"LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28,
	"PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
	"TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}

// iban answers where an IBAN that begins here ends, or 0.
func (s *scan) iban(start int) int {
	want := ibanLengths[strings.ToUpper(s.text[start:start+2])]
	if want == 0 || start+4 > len(s.text) || !digit(s.text[start+2]) || !digit(s.text[start+3]) {
		return 0
	}
	var b strings.Builder
	i := start
	for i < len(s.text) && b.Len() < want {
		c := s.text[i]
		switch {
		case alnum(c):
			b.WriteByte(c)
		case (c == ' ' || c == '-') && i+1 < len(s.text) && alnum(s.text[i+1]):
		default:
			return 0
		}
		i++
	}
	t := b.String()
	if len(t) != want || wordAt(s.text, i) || mod97(t[4:]+t[:4]) != 1 {
		return 0
	}
	return i
}

// nino answers where a British national insurance number that begins here ends.
func (s *scan) nino(start int) int {
	if !upper(s.text[start]) || !upper(s.text[start+1]) || strings.IndexByte("DFIQUV", s.text[start]) >= 0 || strings.IndexByte("DFIOQUV", s.text[start+1]) >= 0 {
		return 0
	}
	switch s.text[start : start+2] {
	case "BG", "GB", "NK", "KN", "TN", "NT", "ZZ":
		return 0
	}
	digits := 0
	for i := start + 2; i < len(s.text) && i < start+16; i++ {
		c := s.text[i]
		switch {
		case digit(c) && digits < 6:
			digits++
		case c >= 'A' && c <= 'D' && digits == 6 && !wordAt(s.text, i+1):
			return i + 1
		case c == ' ' && digits%2 == 0:
		default:
			return 0
		}
	}
	return 0
}

// shape tells whether t has the form: A a letter, 9 a digit, others themselves.
func shape(t, form string) bool {
	if len(t) != len(form) {
		return false
	}
	for i := range len(t) {
		switch c := t[i]; form[i] {
		case 'A':
			if !upper(c) {
				return false
			}
		case '9':
			if !digit(c) {
				return false
			}
		default:
			if c != form[i] {
				return false
			}
		}
	}
	return true
}

// codeID tells of national ids that have letters, by form and check.
func codeID(up, raw string) bool {
	switch len(up) {
	case 16:
		return shape(up, "AAAAAA99A99A999A") && codice(up)
	case 18:
		if shape(up, "99999999999999999X") {
			return resident17(up)
		}
		return shape(up, "AAAA999999AAAAAA99") && strings.IndexByte("HM", up[10]) >= 0 && day(up[8:10], up[6:8]) // Mexico
	case 11:
		return shape(up, "999999A999A") && up[6] <= 'F' && henkilo(up[:6]+up[7:]) // Finland, born since 2000
	case 10:
		return (shape(strings.ToUpper(raw), "999999-999A") || shape(raw, "999999-9999")) && henkilo(up) // Finland
	case 9:
		if shape(up, "99999999A") {
			return raw[len(raw)-1] == up[8] && "TRWAGMYFPDXBNJZSQVHLCKE"[atoi(up[:8])%23] == up[8] // Spain
		}
		if shape(up, "A9999999A") {
			if i := strings.IndexByte("XYZ", up[0]); i >= 0 {
				return "TRWAGMYFPDXBNJZSQVHLCKE"[(i*10_000_000+atoi(up[1:8]))%23] == up[8]
			}
			return nric(up)
		}
	}
	return false
}

func resident17(up string) bool {
	return year(atoi(up[6:10])) && day(up[12:14], up[10:12]) && residentCheck(up) == 'X'
}

// henkilo is a Finnish identity code.
func henkilo(up string) bool {
	return len(up) == 10 && day(up[:2], up[2:4]) && strings.IndexFunc(up[:9], func(r rune) bool { return r < '0' || r > '9' }) < 0 &&
		"0123456789ABCDEFHJKLMNPRSTUVWXY"[atoi(up[:9])%31] == up[9]
}

// nric is a number of Singapore.
func nric(up string) bool {
	sum := weighted(up[1:], 2, 7, 6, 5, 4, 3, 2)
	switch up[0] {
	case 'S':
		return "JZIHGFEDCBA"[sum%11] == up[8]
	case 'T':
		return "JZIHGFEDCBA"[(sum+4)%11] == up[8]
	case 'F':
		return "XWUTRQPNMLK"[sum%11] == up[8]
	case 'G':
		return "XWUTRQPNMLK"[(sum+4)%11] == up[8]
	}
	return false
}

var codiceOdd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// codice is an Italian tax code.
func codice(up string) bool {
	sum := 0
	for i := range 15 {
		v := int(up[i] - '0')
		if !digit(up[i]) {
			v = int(up[i] - 'A')
		}
		if i%2 == 0 {
			v = codiceOdd[v]
		}
		sum += v
	}
	return int(up[15]-'A') == sum%26
}

// ukLicense is a British driver number.
func ukLicense(up string) bool {
	if len(up) != 16 {
		return false
	}
	for i := range 5 {
		if !upper(up[i]) && up[i] != '9' {
			return false
		}
	}
	return strings.IndexFunc(up[5:11], func(r rune) bool { return r < '0' || r > '9' }) < 0 && upper(up[14]) && upper(up[15]) && digit(up[13])
}

// addresses6 looks for IPv6 addresses: words of hexadecimal digits and colons.
func (s *scan) addresses6() {
	for i := 0; i < len(s.text); {
		at := strings.IndexByte(s.text[i:], ':')
		if at < 0 {
			return
		}
		at += i
		start := at
		for start > i && at-start < 5 && hex(s.text[start-1]) {
			start--
		}
		end, colons, groups := start, 0, 0
		for end < len(s.text) && end-start < 46 && (hex(s.text[end]) || s.text[end] == ':' || s.text[end] == '.' && end+1 < len(s.text) && digit(s.text[end+1])) {
			if s.text[end] == ':' {
				colons++
			} else if end == start || s.text[end-1] == ':' {
				groups++
			}
			end++
		}
		i = max(end, at+1)
		stop := end
		for stop > start && s.text[stop-1] == ':' && !strings.HasSuffix(s.text[start:stop], "::") {
			stop--
		}
		if colons < 2 || groups < 2 || wordBefore(s.text, start) || wordAt(s.text, end) || !strings.ContainsAny(s.text[start:stop], "0123456789") {
			continue
		}
		if a, err := netip.ParseAddr(s.text[start:stop]); err == nil && a.Is6() {
			s.claim(start, stop, IPAddress)
		}
	}
}

func hex(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
