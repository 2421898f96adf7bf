package analysis

import "strings"

// spelling brings the British and American form of an English word, and the
// plurals that suffixes do not tell, to one form before stemming. A word that a
// rule changes wrongly is changed alike on both sides, so it is still found.
func spelling(w string) string {
	if s, ok := irregular[w]; ok {
		return s
	}
	n := len(w)
	if n < 5 {
		return w
	}
	// haemoglobin, oesophagus; not toe, coeval
	for _, vowels := range [2]string{"ae", "oe"} {
		if i := strings.Index(w, vowels); i >= 0 && i+3 < n && (i != 1 || w[0] != 'c') {
			w = w[:i] + w[i+1:]
			n--
		}
	}
	if i := strings.Index(w, "sulph"); i >= 0 {
		w = w[:i] + "sulf" + w[i+5:]
		n--
	}
	// tumour, behavioural
	if i := strings.LastIndex(w, "our"); i >= 3 && ourSuffix[w[i+3:]] {
		w = w[:i] + "or" + w[i+3:]
		n--
	}
	for _, r := range endings {
		if n > len(r.from)+1 && strings.HasSuffix(w, r.from) {
			return w[:n-len(r.from)] + r.to
		}
	}
	return w
}

var ourSuffix = map[string]bool{
	"": true, "s": true, "ed": true, "ing": true, "al": true, "ally": true, "able": true, "ably": true,
	"ful": true, "less": true, "er": true, "ers": true, "ite": true, "ites": true,
}

// endings are tried in order; the first that fits is used.
var endings = []struct{ from, to string }{
	{"isation", "ization"}, {"isations", "izations"}, {"isational", "izational"},
	{"ise", "ize"}, {"ises", "izes"}, {"ised", "ized"}, {"ising", "izing"}, {"iser", "izer"}, {"isers", "izers"},
	{"yze", "yse"}, {"yzes", "yses"}, {"yzed", "ysed"}, {"yzing", "ysing"}, {"yzer", "yser"}, {"yzers", "ysers"},
	{"ysis", "yse"}, {"esis", "ese"}, {"asis", "ase"}, {"osis", "ose"}, // hypotheses, metastases
	{"tre", "ter"}, {"tres", "ters"}, {"bre", "ber"}, {"bres", "bers"},
}

var irregular = func() map[string]string {
	m := map[string]string{}
	f := strings.Fields(`mice mouse lice louse men man women woman children child feet foot teeth tooth geese goose oxen ox
		bacteria bacterium mitochondria mitochondrion criteria criterion phenomena phenomenon media medium strata stratum
		nuclei nucleus stimuli stimulus fungi fungus loci locus foci focus radii radius bacilli bacillus alveoli alveolus
		cacti cactus alumni alumnus syllabi syllabus larvae larva vertebrae vertebra antennae antenna formulae formula
		algae alga indices index matrices matrix vertices vertex vortices vortex cortices cortex apices apex appendices appendix
		genera genus viscera viscus lives life knives knife wives wife wolves wolf leaves leaf halves half
		analyses analyse grey gray programme program programmes programs aluminium aluminum tyre tire tyres tires
		defence defense offence offense licence license cheque check sceptic skeptic mould mold moult molt plough plow
		ageing aging artefact artifact artefacts artifacts`)
	for i := 0; i < len(f); i += 2 {
		m[f[i]] = f[i+1]
	}
	return m
}()
