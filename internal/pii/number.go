package pii

import "strings"

// group is a run of digits.
type group struct {
	start, end int
	sep        string // what stands between it and the group before
}

// number is some groups that may be one number.
type number struct {
	s      *scan
	groups []group
	start  int // with a leading + or (
	end    int
	digits string
	plus   bool
	paren  bool
	before string // what stands before it
}

const (
	longestNumber = 19 // digits
	mostGroups    = 8
)

// numbers goes through everything that is written in digits.
func (s *scan) numbers() {
	for i := 0; i < len(s.text); {
		if !digit(s.text[i]) {
			i++
			continue
		}
		if i > 0 && wordBefore(s.text, i) {
			for i < len(s.text) && digit(s.text[i]) {
				i++
			}
			continue
		}
		groups := s.groups(i)
		end := groups[len(groups)-1].end
		if wordAt(s.text, end) && !s.extends(end) {
			groups = groups[:len(groups)-1] // the beginning of a word such as 3rd
		}
		s.number(groups)
		i = end
	}
}

// groups reads on over single separators.
func (s *scan) groups(at int) []group {
	var out []group
	sep := ""
	for {
		g := group{start: at, sep: sep}
		for at < len(s.text) && digit(s.text[at]) {
			at++
		}
		g.end = at
		out = append(out, g)
		next := at
		for next < len(s.text) && next-at < 4 {
			if strings.IndexByte(" -./()", s.text[next]) >= 0 {
				next++
			} else if n := wideSeparator(s.text[next:]); n > 0 {
				next += n
			} else {
				break
			}
		}
		sep = s.text[at:next]
		if next == at || next == len(s.text) || !digit(s.text[next]) || strings.HasPrefix(sep, ". ") || strings.Contains(sep, "  ") {
			return out
		}
		at = next
	}
}

// wideSeparator is the length of a space or dash that is not ASCII.
func wideSeparator(t string) int {
	for _, s := range []string{"\u00a0", "\u202f", "\u2009", "\u2010", "\u2011", "\u2013"} {
		if strings.HasPrefix(t, s) {
			return len(s)
		}
	}
	return 0
}

// number looks at every run of groups that may stand by itself: numbers are
// parted by spaces, and often one has spaces in it.
func (s *scan) number(all []group) {
	for from := 0; from < len(all); {
		taken, before := 0, ""
		if from > 0 && !strings.ContainsAny(all[from].sep, " /\u00a0") {
			from++
			continue
		}
		for to := min(len(all), from+mostGroups); to > from && taken == 0; to-- {
			if to < len(all) && !strings.ContainsAny(all[to].sep, " /\u00a0") {
				continue
			}
			n := s.window(all[from:to])
			if len(n.digits) > longestNumber || len(n.digits) < 4 || len(n.digits) < 2*len(n.groups)-2 {
				continue
			}
			if before == "" {
				before = s.before(n.start)
			}
			n.before = before
			if kind, end, weak := n.kind(from == 0 && to == len(all)); kind != "" {
				s.claims(n.start, end, kind, weak)
				taken = to - from
			}
		}
		from += max(taken, 1)
	}
}

func (s *scan) window(groups []group) number {
	n := number{s: s, groups: groups, start: groups[0].start, end: groups[len(groups)-1].end}
	var b strings.Builder
	for _, g := range groups {
		if b.Len() > longestNumber {
			break
		}
		b.WriteString(clip(s.text[g.start:g.end], longestNumber+1))
	}
	n.digits = b.String()
	if n.start > 0 && s.text[n.start-1] == '(' {
		n.start--
		n.paren = true
	}
	if n.start > 0 && s.text[n.start-1] == '+' && (n.start == 1 || !wordBefore(s.text, n.start-1)) {
		n.start--
		n.plus = true
	}
	return n
}

// sizes tells whether the groups have these lengths.
func (n *number) sizes(want ...int) bool {
	if len(n.groups) != len(want) {
		return false
	}
	for i, g := range n.groups {
		if g.end-g.start != want[i] {
			return false
		}
	}
	return true
}

// parted tells whether all groups are parted by the same one of the separators.
func (n *number) parted(by string) bool {
	for _, g := range n.groups[1:] {
		if g.sep != n.groups[1].sep || len(g.sep) != 1 || !strings.Contains(by, g.sep) {
			return false
		}
	}
	return len(n.groups) > 1
}

func (n *number) single() bool { return len(n.groups) == 1 }

// kind says what the number is, where it ends with what belongs to it, and
// whether only the words beside it say so.
func (n *number) kind(whole bool) (kind Type, end int, weak bool) {
	d := n.digits
	if n.isIPv4() {
		return IPAddress, n.end, false
	}
	if n.hasDate() || n.decimal() {
		return "", 0, false
	}
	if n.card() {
		return CreditCard, n.end, false
	}
	if n.national(n.before) {
		return NationalID, n.end, false
	}
	if n.bank(n.before) {
		return BankAccount, n.end, false
	}
	end, extended := n.extension()
	if n.phone() || extended && len(d) >= 7 {
		return Phone, end, false
	}
	if len(d) >= 4 && whole {
		if says(n.before, passportWords) && len(d) >= 6 && len(d) <= 10 {
			return Passport, n.end, false
		}
		if says(n.before, licenseWords) {
			return DriverLicense, n.end, false
		}
	}
	if len(d) >= 6 && len(d) <= 15 {
		if labelled(n.s.after(n.end)) {
			return Phone, end, false
		}
		if len(d) >= 7 && !n.parted("/") && says(n.before, phoneWords) {
			return Phone, end, true
		}
	}
	return "", 0, false
}

// labelled tells whether the next word names a telephone.
func labelled(after string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	return phoneLabels[word]
}

func (n *number) value(i int) int {
	v := 0
	g := n.groups[i]
	for _, c := range clip(n.s.text[g.start:g.end], 9) {
		v = v*10 + int(c-'0')
	}
	return v
}

// decimal tells of a price or measure: something right before or after makes it
// part of a larger figure.
func (n *number) decimal() bool {
	t := n.s.text
	if n.start > 0 && t[n.start-1] == '$' || strings.HasSuffix(t[:n.start], "€") || strings.HasSuffix(t[:n.start], "£") {
		return true
	}
	if n.start > 1 && (t[n.start-1] == '.' || t[n.start-1] == ',') && digit(t[n.start-2]) {
		return true
	}
	if n.end+1 < len(t) && (t[n.end] == ',' || t[n.end] == '.') && digit(t[n.end+1]) {
		return true
	}
	return n.end < len(t) && t[n.end] == '%'
}

// hasDate tells whether three of the groups make a date.
func (n *number) hasDate() bool {
	for i := 0; i+3 <= len(n.groups); i++ {
		g := n.groups[i : i+3]
		if g[1].sep != g[2].sep || len(g[1].sep) != 1 || !strings.Contains("-./", g[1].sep) {
			continue
		}
		a, b, c := n.value(i), n.value(i+1), n.value(i+2)
		size := func(k int) int { return g[k].end - g[k].start }
		if size(0) == 4 && size(1) <= 2 && size(2) <= 2 && year(a) && date(b, c) ||
			size(2) == 4 && size(0) <= 2 && size(1) <= 2 && year(c) && date(a, b) {
			return true
		}
	}
	return false
}

func year(y int) bool { return y >= 1850 && y <= 2100 }

// date tells whether the two are a month and a day, in either order.
func date(a, b int) bool {
	return a >= 1 && b >= 1 && (a <= 12 && b <= 31 || a <= 31 && b <= 12)
}

func (n *number) isIPv4() bool {
	if len(n.groups) != 4 || n.paren || n.plus {
		return false
	}
	for i, g := range n.groups {
		if i > 0 && g.sep != "." || g.end-g.start > 3 || n.value(i) > 255 {
			return false
		}
	}
	t := n.s.text
	if n.end+1 < len(t) && t[n.end] == '.' && digit(t[n.end+1]) {
		return false
	}
	return !says(n.before, versionWords) && n.value(0) > 0
}

// card tells of a payment card by its length, issuer and check digit.
func (n *number) card() bool {
	d := n.digits
	if n.plus || len(d) < 13 || len(d) > 19 || !luhn(d) || strings.Count(d, d[:1]) == len(d) {
		return false
	}
	if !n.single() {
		if !n.parted(" -") || !n.sizes(4, 4, 4, 4) && !n.sizes(4, 6, 5) && !n.sizes(4, 6, 4) && !n.sizes(4, 4, 4, 4, 3) {
			return false
		}
	}
	two, four := atoi(d[:2]), atoi(d[:4])
	switch {
	case d[0] == '4':
		return len(d) == 16 || len(d) == 19 || says(n.before, cardWords)
	case two >= 51 && two <= 55 || four >= 2221 && four <= 2720:
		return len(d) == 16
	case two == 34 || two == 37:
		return len(d) == 15
	case four == 6011 || two == 65 || four >= 6440 && four <= 6499 || two == 62 || four >= 3528 && four <= 3589:
		return len(d) >= 16
	case four >= 3000 && four <= 3059 || two == 36 || two == 38 || two == 39:
		return len(d) == 14 || len(d) == 16
	}
	return says(n.before, cardWords)
}

// phone tells of a telephone number by its form alone.
func (n *number) phone() bool {
	d := n.digits
	if len(d) < 7 || len(d) > 15 {
		return false
	}
	first := n.groups[0].end - n.groups[0].start
	switch {
	case n.plus:
		return d[0] != '0' && len(d) >= 8
	case n.single():
		return false
	case n.s.text[n.start] == '(' && strings.HasPrefix(n.groups[1].sep, ")"):
		return first <= 5 && len(d) >= 8
	case strings.HasPrefix(d, "00") && d[2] != '0':
		return len(d) >= 10 && !n.parted("/")
	case n.sizes(3, 3, 4) || n.sizes(1, 3, 3, 4) && d[0] == '1':
		dashed := !strings.Contains(n.groups[len(n.groups)-1].sep, " ")
		return !n.parted("/") && (dashed || d[len(d)-10] >= '2' && d[len(d)-7] >= '2')
	case d[0] == '0' && d[1] != '0':
		return len(d) >= 9 && len(d) <= 11 && first <= 5 && len(n.groups) <= 5 && !n.ragged()
	}
	return false
}

// ragged tells of groups such as no telephone number has: single digits in a row.
func (n *number) ragged() bool {
	short := 0
	for _, g := range n.groups {
		if g.end-g.start == 1 {
			short++
		}
	}
	return short > 1
}

// extension is where a number ends with its extension, as in x123.
func (n *number) extension() (int, bool) {
	t := n.s.text
	at := n.end
	for at < len(t) && at < n.end+2 && (t[at] == ' ' || t[at] == ',') {
		at++
	}
	rest := strings.ToLower(clip(t[at:], 5))
	for _, mark := range []string{"ext. ", "ext.", "ext ", "ext", "x", "#"} {
		if !strings.HasPrefix(rest, mark) {
			continue
		}
		from := at + len(mark)
		end := from
		for end < len(t) && end-from < 7 && digit(t[end]) {
			end++
		}
		if end > from && end-from <= 6 && !wordAt(t, end) {
			return end, true
		}
		return n.end, false
	}
	return n.end, false
}

func (s *scan) extends(at int) bool {
	n := number{s: s, end: at}
	_, ok := n.extension()
	return ok
}

// bank tells of an account that the words beside it name.
func (n *number) bank(before string) bool {
	d := n.digits
	switch {
	case n.plus || n.paren:
		return false
	case len(d) == 9 && n.single() && says(before, routingWords):
		return aba(d)
	case n.sizes(2, 2, 2) && n.parted("- ") && says(before, sortCodeWords):
		return true
	}
	return len(d) >= 6 && len(d) <= 17 && (n.single() || n.parted("- ")) && says(before, accountWords)
}
