package document

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"atrium/internal/retrieval/analysis"
)

// topic is something that a document speaks about, and the questions that ask
// for it, the best wording first. Whether the document answers one is found out
// by searching.
type topic struct {
	about string
	asks  []string
}

const (
	maxTopics    = 24      // tried a document
	maxTopicRead = 200_000 // bytes of a text that phrases are looked for in
	maxTopicLen  = 90      // code points
	maxPerKind   = maxTopics / 3
	phraseTimes  = 2 // how often a phrase has to stand in a text
)

// tongue is how a language asks. Its words tell texts in it.
type tongue struct {
	words   string
	about   []string // with {} for the topic
	howTo   string   // with {} for what is done; empty: not asked so
	define  *regexp.Regexp
	what    string
	the     string // the article that a phrase gets when the text has it with it
	opening string // words that begin a question, besides the question mark
}

var tongues = []tongue{
	{
		words: "the of and to in is for that with are on by this it be as from or",
		about: []string{"What should I know about {}?", "What about {}?"},
		howTo: "How do I {}?", what: "What is {}?", the: "the ", opening: "how what why when where who which can do does is are should",
		define: regexp.MustCompile(`^(?:(?:An?|The) )?([\p{L}\p{N}][\p{L}\p{N} _-]{1,48}?) (?:is|means) (?:an?|the|any|what) `),
	},
	{
		words: "der die das und ist nicht mit den von ein eine zu für auf im sich dem werden wird",
		about: []string{"Was sollte ich über {} wissen?", "Was ist mit {}?"},
		what:  "Was ist {}?", opening: "wie was warum wann wo wer welche welcher kann darf muss",
		define: regexp.MustCompile(`^(?:(?:Der|Die|Das|Eine?) )?([\p{L}\p{N}][\p{L}\p{N} _-]{1,48}?) (?:ist|bedeutet) (?:eine?|der|die|das) `),
	},
	{
		words: "le la les des et est une un dans pour que qui sur au par avec du en ne",
		about: []string{"Que faut-il savoir sur {} ?"}, opening: "comment que quoi pourquoi quand où qui quel quelle",
	},
	{
		words: "el la los las de que y en un una por con para es del se al no su",
		about: []string{"¿Qué debo saber sobre {}?"}, opening: "¿",
	},
	{
		words: "il la le di che e un una per con non è del della dei in si da gli",
		about: []string{"Che cosa bisogna sapere su {}?"}, opening: "come che cosa perché quando dove chi quale",
	},
	{
		words: "o a os as de que e um uma para com não é do da em se por no na",
		about: []string{"O que devo saber sobre {}?"}, opening: "como que o quê por quando onde quem qual",
	},
	{
		words: "de het een en van is dat op te voor met niet zijn aan er bij door",
		about: []string{"Wat moet ik weten over {}?"}, opening: "hoe wat waarom wanneer waar wie welke",
	},
}

// plainly asks in no language: by the topic alone.
var plainly = tongue{}

// tongueOf is the language of a text, as far as its small words tell.
func tongueOf(text string) tongue {
	count := map[string]int{}
	total := 0
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		count[w]++
		total++
	}
	best, most := plainly, 0
	for _, t := range tongues {
		n := 0
		for w := range strings.FieldsSeq(t.words) {
			n += count[w]
		}
		if n > most {
			best, most = t, n
		}
	}
	if most*12 < total {
		return plainly
	}
	return best
}

// topics are what a text speaks about: questions that stand as headings, what
// headings say to do, what is defined, the other headings, phrases that come
// again, and the title.
func topics(title, text string, marks []mark, rarity rarity) []topic {
	read := text
	if len(read) > maxTopicRead {
		read = strings.ToValidUTF8(read[:maxTopicRead], "")
	}
	lang := tongueOf(read)
	low := lowerWords(read)
	var asked, done, headed []topic
	for _, h := range headings(marks, read) {
		switch kind, t := lang.heading(h, low); kind {
		case isQuestion:
			asked = append(asked, t)
		case isDoing:
			done = append(done, t)
		case isPlain:
			headed = append(headed, t)
		}
	}
	var titled []topic
	if s := askable(title); s != "" {
		titled = []topic{lang.topic(lang.lowered(s, low))}
	}
	var out []topic
	for _, kind := range [][]topic{asked, done, lang.definitions(read), headed, lang.phrases(read, rarity), titled} {
		out = append(out, spread(kind, maxPerKind)...)
	}
	seen := map[string]bool{}
	out = slices.DeleteFunc(out, func(t topic) bool {
		key := strings.ToLower(t.about)
		was := seen[key]
		seen[key] = true
		return was
	})
	return out[:min(len(out), maxTopics)]
}

// spread takes n of the topics, from all parts of the list.
func spread(in []topic, n int) []topic {
	if len(in) <= n {
		return in
	}
	out := make([]topic, n)
	for i := range out {
		out[i] = in[i*len(in)/n]
	}
	return out
}

// headings are the different ones above the pieces, innermost first where they
// come anew, and those that stand within pieces: short lines by themselves.
func headings(marks []mark, text string) []string {
	var out []string
	seen := map[string]bool{}
	add := func(h string) {
		if h = strings.TrimSpace(strings.TrimLeft(h, "# ")); h != "" && !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	for _, m := range marks {
		for _, h := range slices.Backward(strings.Split(m.Heading, " > ")) {
			add(h)
		}
	}
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs[:max(0, len(paragraphs)-1)] {
		p = strings.TrimSpace(p)
		if len(p) <= 4*maxTopicLen && !strings.Contains(p, "\n") && !strings.ContainsAny(p[max(0, len(p)-1):], ".:;,!") && len(paragraphs[i+1]) > len(p) {
			add(p)
		}
	}
	return out
}

var (
	numbering = regexp.MustCompile(`^(?:(?:[0-9]+(?:\.[0-9]+)*\.?|[IVXLC]{1,6}\.|[A-Za-z]\)|§ ?[0-9]+)[ \t]+)`)
	// empties are headings that say nothing of what stands below them.
	empties = set(`introduction overview contents index appendix references abstract summary conclusion conclusions bibliography acknowledgements
		acknowledgments license changelog notes note preface foreword example examples usage background discussion results methods todo misc other general
		einleitung inhalt inhaltsverzeichnis überblick anhang zusammenfassung literatur vorwort fazit
		sommaire résumé annexe introducción resumen índice sommario introduzione resumo introdução inhoud samenvatting`)
	doing = set(`add allow ask avoid build change check choose clean close configure connect copy create define delete deploy disable download edit enable
		export find fix get give import index install invite keep let limit list load make manage measure migrate monitor move open pay print protect publish
		read rebuild reduce refresh register remove rename replace report request reset restart restore return rotate run save schedule search secure see
		select send set share show sign start stop switch test trace track try turn undo uninstall update upgrade upload use verify view write`)
)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

type headingKind int

const (
	isNothing headingKind = iota
	isQuestion
	isDoing
	isPlain
)

// heading makes a topic of a heading.
func (l tongue) heading(h string, low map[string]bool) (headingKind, topic) {
	s := askable(h)
	if s == "" {
		return isNothing, topic{}
	}
	first, rest, _ := strings.Cut(s, " ")
	begin := strings.ToLower(first)
	switch {
	case strings.HasSuffix(s, "?") || strings.HasSuffix(s, "？") || strings.HasSuffix(s, "؟"):
		return isQuestion, topic{s, []string{s}}
	case empties[strings.ToLower(s)]:
		return isNothing, topic{}
	case l.howTo != "" && begin == "how" && strings.HasPrefix(strings.ToLower(rest), "to ") && len(rest) > 3:
		return isDoing, topic{rest[3:], []string{strings.Replace(l.howTo, "{}", rest[3:], 1)}}
	case l.howTo != "" && doing[begin] && rest != "":
		return isDoing, topic{s, []string{strings.Replace(l.howTo, "{}", begin+" "+rest, 1)}}
	case rest != "" && slices.Contains(strings.Fields(l.opening), begin):
		return isQuestion, topic{s, []string{s + "?"}}
	}
	t := l.topic(l.lowered(s, low))
	if begin == "i" || notDefined[begin] || strings.Contains(s, ": ") || len(strings.Fields(s)) > 7 {
		t.asks = t.asks[len(t.asks)-1:] // it is a sentence, and stands in no other
	}
	return isPlain, t
}

// topic asks about something as the language does, and at last by itself.
func (l tongue) topic(about string) topic {
	t := topic{about: about}
	for _, form := range l.about {
		t.asks = append(t.asks, strings.Replace(form, "{}", about, 1))
	}
	mark := "?"
	if r, _ := utf8.DecodeLastRuneInString(about); unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
		mark = "？"
	}
	r, n := utf8.DecodeRuneInString(about)
	t.asks = append(t.asks, string(unicode.ToUpper(r))+about[n:]+mark)
	return t
}

// askable is a heading or title as it can stand in a question; empty when it cannot.
func askable(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	s = strings.TrimSpace(numbering.ReplaceAllString(s, ""))
	s = strings.TrimSpace(strings.TrimRight(strings.Trim(s, "*_`#\"“”"), ".:;,"))
	letters := 0
	for _, r := range s {
		switch {
		case unicode.IsLetter(r):
			letters++
		case r == utf8.RuneError || unicode.IsControl(r) || strings.ContainsRune("<>{}[]|\\=", r):
			return ""
		}
	}
	if n := utf8.RuneCountInString(s); letters < 2 || letters*2 < n || n > maxTopicLen || len(strings.Fields(s)) > 14 {
		return ""
	}
	return s
}

// lowerWords are the words that stand in small letters somewhere in a text.
func lowerWords(text string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if r, _ := utf8.DecodeRuneInString(w); unicode.IsLower(r) {
			out[w] = true
		}
	}
	return out
}

// lowered begins a heading in small letters when the text has its first word so:
// then it is no name.
func (l tongue) lowered(s string, low map[string]bool) string {
	first, _, _ := strings.Cut(s, " ")
	word := strings.TrimFunc(first, func(r rune) bool { return !unicode.IsLetter(r) })
	if small := strings.ToLower(word); small != word && (low[small] || l.the != "" && (low[strings.TrimSuffix(small, "s")] || strings.HasSuffix(small, "ing"))) {
		return strings.Replace(s, word, small, 1)
	}
	return s
}

// notDefined are words that point rather than name.
var notDefined = set(`this that it there here he she they we you what which who one all each every such these those das dies es er sie hier was wer`)

// definitions are the things that a sentence of the text says what they are.
func (l tongue) definitions(text string) []topic {
	if l.define == nil {
		return nil
	}
	var out []topic
	from := 0
	for _, end := range analysis.Sentences(text) {
		sentence := strings.Join(strings.Fields(text[from:min(end, from+400)]), " ")
		from = end
		m := l.define.FindStringSubmatch(strings.ToValidUTF8(sentence, ""))
		if m == nil {
			continue
		}
		name := askable(m[1])
		first, _, _ := strings.Cut(strings.ToLower(name), " ")
		if name == "" || notDefined[first] || len(strings.Fields(name)) > 4 {
			continue
		}
		if i := strings.Index(sentence, m[1]); i > 0 { // with its article
			name = strings.ToLower(sentence[:i]) + name
		}
		out = append(out, topic{m[1], []string{strings.Replace(l.what, "{}", name, 1)}})
	}
	return out
}

// naming are the words before which English puts the names of things.
var naming = []string{"a ", "an ", "of ", "for ", "with ", "each ", "every ", "no ", "by ", "and ", "its ", "their ", "your "}

// phrase is a run of words that comes again in a text.
type phrase struct {
	text   string // as it stood first
	terms  []string
	times  int
	first  int
	weight float64 // of one occurrence
}

// rarity tells how rare the words of a text are where it is searched, by their
// terms.
type rarity func(words string) map[string]float64

// phrases are the runs of two and three words that a text says again and again,
// the most telling first: often, and of words that are rare.
func (l tongue) phrases(text string, rarity rarity) []topic {
	found := map[string]*phrase{}
	from := 0
	for _, end := range analysis.Sentences(text) {
		var run []analysis.Token
		sentence := text[from:end]
		flush := func() {
			for i := range run {
				for n := 2; n <= 3 && i+n <= len(run); n++ {
					note(found, sentence, run[i:i+n], from)
				}
			}
			run = run[:0]
		}
		for _, t := range analysis.Tokens(sentence) {
			switch {
			case t.Extra:
				continue
			case t.Stop || !wordy(sentence[t.Start:t.End]):
				flush()
				continue
			case len(run) > 0 && strings.TrimSpace(sentence[run[len(run)-1].End:t.Start]) != "":
				flush()
			}
			run = append(run, t)
		}
		flush()
		from = end
	}
	all := make([]*phrase, 0, len(found))
	for _, p := range found {
		if p.times >= phraseTimes {
			all = append(all, p)
		}
	}
	order := func(a, b *phrase) int {
		return cmp.Or(cmp.Compare(b.weight*float64(b.times), a.weight*float64(a.times)), cmp.Compare(a.first, b.first), cmp.Compare(len(b.terms), len(a.terms)))
	}
	slices.SortFunc(all, order)
	all = all[:min(len(all), maxWeighed)]
	words := make([]string, len(all))
	for i, p := range all {
		words[i] = p.text
	}
	rare := rarity(strings.Join(words, "\n"))
	for _, p := range all {
		p.weight = 0
		for _, t := range p.terms {
			p.weight += rare[t]
		}
	}
	slices.SortFunc(all, order)
	low, small := strings.ToLower(text), lowerWords(text)
	var out []topic
	for _, p := range all {
		if slices.ContainsFunc(out, func(t topic) bool { return strings.Contains(strings.ToLower(t.about), strings.ToLower(p.text)) }) {
			continue // a part of one that is there
		}
		about := l.lowered(p.text, small)
		if l.the != "" {
			word := strings.ToLower(p.text)
			switch {
			case strings.Contains(low, l.the+word):
				about = l.the + about
			case !slices.ContainsFunc(naming, func(w string) bool { return strings.Contains(low, w+word) }):
				continue // what stands behind none of these seldom is a thing
			}
		}
		if out = append(out, l.topic(about)); len(out) == maxPerKind {
			break
		}
	}
	return out
}

// wordy tells a word from a number or a sign.
func wordy(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r) && utf8.RuneCountInString(s) > 2
}

const (
	maxPhrases = 50_000 // bounds the memory of a long text
	maxWeighed = 40
)

func note(found map[string]*phrase, sentence string, run []analysis.Token, at int) {
	terms := make([]string, len(run))
	for i, t := range run {
		terms[i] = t.Term
	}
	key := strings.Join(terms, " ")
	p := found[key]
	if p == nil {
		if len(found) >= maxPhrases {
			return
		}
		text := askable(sentence[run[0].Start:run[len(run)-1].End])
		if text == "" {
			return
		}
		p = &phrase{text: text, terms: terms, first: at + run[0].Start, weight: float64(len(run))}
		found[key] = p
	}
	p.times++
}
