package analysis

import (
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
	"github.com/kljensen/snowball/russian"
)

// stem reduces a folded word: ASCII letters as English, Cyrillic as Russian.
// Words with digits are names of things and stay.
func stem(w string) string {
	ascii, cyrillic := true, true
	for _, r := range w {
		if r < 'a' || r > 'z' {
			ascii = false
		}
		if r < 0x0400 || r > 0x04FF {
			cyrillic = false
		}
	}
	switch {
	case ascii && len(w) > 2:
		return english.Stem(spelling(w), true)
	case cyrillic && utf8.RuneCountInString(w) > 3:
		return russian.Stem(w, true)
	}
	return w
}

// IsStop tells a term (as Terms gives it) that carries no subject.
func IsStop(term string) bool { return stops[term] }

var stops = func() map[string]bool {
	m := make(map[string]bool, len(stopWords))
	for _, w := range stopWords {
		m[w] = true
		m[stem(w)] = true
	}
	return m
}()

// stopWords are English function and question words, and the words with which
// people address a machine.
var stopWords = []string{
	"a", "about", "above", "after", "again", "against", "all", "also", "although", "am", "among", "an", "and", "any", "are", "arent", "as", "at",
	"be", "because", "been", "before", "being", "below", "between", "both", "but", "by",
	"can", "cannot", "cant", "could", "couldnt", "did", "didnt", "do", "does", "doesnt", "doing", "dont", "down", "during",
	"each", "either", "etc", "ever", "every", "few", "for", "from", "further",
	"had", "hadnt", "has", "hasnt", "have", "havent", "having", "he", "her", "here", "hers", "herself", "him", "himself", "his", "how", "however",
	"i", "if", "in", "into", "is", "isnt", "it", "its", "itself", "just",
	"many", "may", "me", "might", "mine", "more", "most", "much", "must", "my", "myself",
	"neither", "no", "nor", "not", "of", "off", "on", "once", "only", "onto", "or", "other", "our", "ours", "ourselves", "out", "over", "own",
	"please", "quite", "rather", "really",
	"same", "shall", "she", "should", "shouldnt", "since", "so", "some", "such",
	"than", "that", "thats", "the", "their", "theirs", "them", "themselves", "then", "there", "therefore", "these", "they", "this", "those", "though", "through", "thus", "to", "too",
	"under", "until", "up", "upon", "us", "very", "via",
	"was", "wasnt", "we", "were", "werent", "what", "whats", "when", "where", "whether", "which", "while", "who", "whom", "whose", "why", "will", "with", "within", "without", "wont", "would", "wouldnt",
	"yet", "you", "your", "yours", "yourself", "yourselves",
}
