package pii

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// emails looks to both sides of each @.
func (s *scan) emails() {
	for i := 0; i < len(s.text); {
		at := strings.IndexByte(s.text[i:], '@')
		if at < 0 {
			return
		}
		at += i
		start := at
		for start > i && at-start < 64 {
			r, n := utf8.DecodeLastRuneInString(s.text[i:start])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._%+-'", r) {
				break
			}
			start -= n
		}
		for start < at && strings.IndexByte(".'-+%", s.text[start]) >= 0 {
			start++
		}
		end, dot := at+1, 0
		for end < len(s.text) && end-at < 255 {
			r, n := utf8.DecodeRuneInString(s.text[end:])
			if r == '.' {
				dot = end
			} else if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' {
				break
			}
			end += n
		}
		i = at + 1
		for end > at && (s.text[end-1] == '.' || s.text[end-1] == '-') {
			end--
		}
		if dot >= end {
			dot = strings.LastIndexByte(s.text[at:end], '.') + at
		}
		if start < at && dot > at+1 && utf8.RuneCountInString(s.text[dot+1:end]) >= 2 && !digit(s.text[dot+1]) {
			s.claim(start, end, Email)
			i = end
		}
	}
}

// urls looks for schemes and for www.
func (s *scan) urls() {
	lower := asciiLower(s.text)
	done := 0 // where the last one ended
	for i := range len(lower) {
		start := i
		switch {
		case i < done:
			continue
		case strings.HasPrefix(lower[i:], "://"):
			for start > done && i-start < 12 && (alnum(lower[start-1]) || lower[start-1] == '+') {
				start--
			}
		case !strings.HasPrefix(lower[i:], "www.") || wordBefore(s.text, i):
			continue
		}
		end := i
		for end < len(lower) && end-start < 2048 && strings.IndexByte(" \t\n\r<>\"'`[]{}|\\^", lower[end]) < 0 {
			end++
		}
		done = max(end, i+3)
		for end > start && strings.IndexByte(".,;:!?)", lower[end-1]) >= 0 {
			end--
		}
		if end > i+4 && alpha(lower[start]) && !wordBefore(s.text, start) {
			for !utf8.RuneStart(s.text[min(end, len(s.text)-1)]) {
				end--
			}
			s.claim(start, end, URL)
		}
	}
}

// asciiLower keeps every byte at its place.
func asciiLower(t string) string {
	if strings.IndexFunc(t, func(r rune) bool { return r >= 'A' && r <= 'Z' }) < 0 {
		return t
	}
	b := []byte(t)
	for i, c := range b {
		if upper(c) {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// secretForms are what issuers of keys put before them, and how much follows.
var secretForms = []struct {
	prefix string
	least  int
}{
	{"AKIA", 16}, {"ASIA", 16}, {"AIza", 30}, {"ya29.", 20}, {"ghp_", 30}, {"gho_", 30}, {"ghu_", 30}, {"ghs_", 30}, {"ghr_", 30}, {"github_pat_", 30},
	{"glpat-", 16}, {"xoxb-", 16}, {"xoxp-", 16}, {"xoxa-", 16}, {"xoxr-", 16}, {"xoxs-", 16}, {"xapp-", 16}, {"sk-", 20}, {"sk_live_", 16}, {"sk_test_", 16},
	{"rk_live_", 16}, {"pk_live_", 16}, {"pk_test_", 16}, {"whsec_", 16}, {"npm_", 30}, {"pypi-", 30}, {"hf_", 24}, {"SG.", 40}, {"dop_v1_", 30}, {"shpat_", 24},
	{"EAAC", 60}, {"key-", 32}, {"eyJ", 40}, {"r8_", 30}, {"gsk_", 30}, {"tskey-", 16}, {"dapi", 32}, {"AGE-SECRET-KEY-1", 40}, {"lin_api_", 30}, {"figd_", 24},
}

// secretNames name a value that is one.
var secretNames = map[string]int{ // the least length of the value
	"password": 4, "passwd": 4, "pwd": 4, "passphrase": 6, "passwort": 4, "kennwort": 4, "contraseña": 4, "mot de passe": 4,
	"secret": 8, "token": 12, "apikey": 12, "api key": 12, "accesskey": 12, "access key": 12, "secret key": 8, "private key": 12, "client secret": 8,
	"auth token": 12, "access token": 12, "bearer": 16, "accountkey": 16, "secret access key": 16, "pin": 4, "authorization": 16,
}

// secrets looks for keys by their beginnings, by their names, and for key blocks.
func (s *scan) secrets() {
	s.keyBlocks()
	for i := 0; i < len(s.text); {
		if !keyByte(s.text[i]) {
			i++
			continue
		}
		end := i
		for end < len(s.text) && keyByte(s.text[end]) {
			end++
		}
		word := s.text[i:end]
		if len(word) >= 16 && (i == 0 || s.text[i-1] != '[') {
			for _, f := range secretForms {
				if at := strings.Index(clip(word, 64), f.prefix); at >= 0 && (at == 0 || !alnum(word[at-1])) && len(word)-at >= len(f.prefix)+f.least && mixed(word[at:]) {
					s.claim(i+at, end, Secret)
					break
				}
			}
		}
		i = end
	}
	for i := 0; i < len(s.text); i++ {
		if c := s.text[i]; c != ':' && c != '=' {
			continue
		}
		s.assigned(i)
	}
	s.credentials()
}

func keyByte(c byte) bool { return alnum(c) || strings.IndexByte("_-./+=", c) >= 0 }

// mixed tells a key from words: it has letters and digits, or mixed case.
func mixed(t string) bool {
	return strings.ContainsAny(t, "0123456789") && strings.ContainsFunc(t, unicode.IsLetter) && entropy(t) >= 3
}

// entropy is bits a byte.
func entropy(t string) float64 {
	var n [256]float64
	for i := range len(t) {
		n[t[i]]++
	}
	e := 0.0
	for _, c := range n {
		if c > 0 {
			p := c / float64(len(t))
			e -= p * math.Log2(p)
		}
	}
	return e
}

// assigned looks at a name before a : or =, and the value after it.
func (s *scan) assigned(at int) {
	name := strings.TrimRight(s.text[max(0, at-32):at], " \t\"'`*")
	name = plain(strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "")))
	words := strings.Fields(name)
	least := 0
	for n := min(3, len(words)); n > 0 && least == 0; n-- {
		least = secretNames[strings.Join(words[len(words)-n:], " ")]
	}
	if least == 0 {
		return
	}
	start := at + 1
	for start < len(s.text) && start-at < 6 && strings.IndexByte(" \t\"'`*>=", s.text[start]) >= 0 {
		start++
	}
	if strings.HasPrefix(strings.ToLower(clip(s.text[start:], 7)), "bearer ") {
		start += 7
	}
	end := start
	for end < len(s.text) && end-start < 512 && strings.IndexByte(" \t\n\r\"'`,;<>", s.text[end]) < 0 {
		end++
	}
	value := s.text[start:end]
	if len(value) < least || strings.HasPrefix(value, "[") || strings.HasPrefix(value, "$") || strings.HasPrefix(value, "{") || strings.Trim(value, "*•xX.") == "" {
		return
	}
	// A word after "password:" may be prose; a value is not only letters.
	if strings.IndexFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '.' }) < 0 && entropy(value) < 3.4 && value == strings.ToLower(value) {
		return
	}
	s.claim(start, end, Secret)
}

// credentials looks for a name and a password in an address.
func (s *scan) credentials() {
	for i := 0; i < len(s.text); {
		at := strings.Index(s.text[i:], "://")
		if at < 0 {
			return
		}
		start := i + at + 3
		i = start
		end := start
		for end < len(s.text) && end-start < 256 && strings.IndexByte(" \t\n/\"'<>?#[", s.text[end]) < 0 {
			end++
		}
		host := strings.LastIndexByte(s.text[start:end], '@')
		if host <= 0 {
			continue
		}
		if colon := strings.IndexByte(s.text[start:start+host], ':'); colon >= 0 && colon+1 < host {
			s.claim(start+colon+1, start+host, Secret)
		}
	}
}

// keyBlocks looks for private keys in their armour.
func (s *scan) keyBlocks() {
	const begin, end = "-----BEGIN ", "PRIVATE KEY-----"
	for i := 0; i < len(s.text); {
		at := strings.Index(s.text[i:], begin)
		if at < 0 {
			return
		}
		at += i
		i = at + len(begin)
		head := strings.Index(clip(s.text[at:], 64), end)
		if head < 0 {
			continue
		}
		body := at + head + len(end)
		stop := len(s.text)
		if n := strings.Index(s.text[body:], end); n >= 0 {
			stop = body + n + len(end)
		}
		s.claim(at, stop, Secret)
		i = stop
	}
}

// births looks for dates beside a word for being born.
func (s *scan) births() {
	for i := 0; i < len(s.text); {
		if !digit(s.text[i]) && !upper(s.text[i]&^0x20) {
			i++
			continue
		}
		if wordBefore(s.text, i) {
			i++
			continue
		}
		if end := dateAt(s.text, i); end > 0 {
			look := s.before(i)
			if says(" "+strings.TrimLeft(look[strings.LastIndexAny(look, "0123456789")+1:], " "), birthWords) {
				s.claim(i, end, DateOfBirth)
			}
			i = end
			continue
		}
		for i < len(s.text) && alnum(s.text[i]) {
			i++
		}
	}
}

// dateAt answers where a date that begins here ends, or 0: 1.2.1990, 1990-02-01,
// 1 February 1990, February 1, 1990.
func dateAt(text string, at int) int {
	var num [3]int
	var size [3]int
	i, parts, month := at, 0, -1
	for parts < 3 {
		from := i
		for i < len(text) && digit(text[i]) && i-from < 5 {
			i++
		}
		switch {
		case i > from:
			num[parts], size[parts] = atoi(text[from:i]), i-from
		default:
			for i < len(text) && i-from < 16 {
				r, n := utf8.DecodeRuneInString(text[i:])
				if !unicode.IsLetter(r) {
					break
				}
				i += n
			}
			m := months[strings.ToLower(text[from:i])]
			if m == 0 || month >= 0 {
				return 0
			}
			month, num[parts] = parts, m
		}
		if parts++; parts == 3 {
			break
		}
		for _, ordinal := range []string{"st", "nd", "rd", "th", "er", "."} {
			if strings.HasPrefix(text[i:], ordinal) && size[parts-1] > 0 {
				i += len(ordinal)
				break
			}
		}
		sep := i
		for i < len(text) && i-sep < 3 && strings.IndexByte(" -/.,", text[i]) >= 0 {
			i++
		}
		if strings.HasPrefix(text[i:], "of ") || strings.HasPrefix(text[i:], "de ") {
			i += 3
		}
		if i == sep && !strings.HasSuffix(text[:i], ".") {
			return 0
		}
	}
	if wordAt(text, i) {
		return 0
	}
	switch {
	case month == 0 && size[2] == 4 && year(num[2]) && num[1] >= 1 && num[1] <= 31,
		month == 1 && (size[2] == 4 && year(num[2]) || size[2] == 2) && num[0] >= 1 && num[0] <= 31,
		month < 0 && size[0] == 4 && year(num[0]) && date(num[1], num[2]),
		month < 0 && (size[2] == 4 && year(num[2]) || size[2] == 2) && size[0] <= 2 && date(num[0], num[1]):
		return i
	}
	return 0
}
