package response

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func upTo(most int) func(int, string) bool {
	return func(n int, _ string) bool { return n >= 1 && n <= most }
}

func TestCitationsPassOnlyWhenTheyHold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"one that holds stays":                   {"Ducks swim [1].", "Ducks swim [1]."},
		"one that does not goes with its space":  {"Ducks swim [9].", "Ducks swim."},
		"several in one bracket are parted":      {"Ducks swim [1, 2].", "Ducks swim [1][2]."},
		"of several only those that hold stay":   {"Ducks swim [1; 9, 3].", "Ducks swim [1][3]."},
		"a range is taken apart":                 {"Ducks swim [1-3].", "Ducks swim [1][2][3]."},
		"a long range is its first number":       {"Ducks swim [1-900].", "Ducks swim [1]."},
		"zero is no passage":                     {"Ducks swim [0].", "Ducks swim."},
		"digits beyond numbers are no passage":   {"Ducks swim [99999999999999999999].", "Ducks swim."},
		"neighbours are looked at one by one":    {"Ducks swim [1][9][2].", "Ducks swim [1][2]."},
		"a box to tick is text":                  {"- [ ] swim\n- [x] fly", "- [ ] swim\n- [x] fly"},
		"words in brackets are text":             {"see [the pond] and [1a]", "see [the pond] and [1a]"},
		"a footnote is text":                     {"swim[^9]", "swim[^9]"},
		"double brackets keep their outer pair":  {"[[1]] and [[9]]", "[[1]] and [[]]"},
		"what is left never becomes a citation":  {"a [[9]9] and [3[9]2]", "a [[]9] and [3[]2]"},
		"an index in a code block is text":       {"```go\nx := a[9]\n```\nDone [9].", "```go\nx := a[9]\n```\nDone."},
		"an index in inline code is text":        {"Use `a[9]` here [9].", "Use `a[9]` here."},
		"a lone backtick opens nothing for long": {"a ` b [9]\n\nc [9]", "a ` b\n\nc"},
		"the beginning of one is dropped at end": {"Ducks swim [1", "Ducks swim"},
		"a lone bracket at the end is text":      {"Ducks swim [", "Ducks swim ["},
		"spaces at the end stay":                 {"Ducks swim  ", "Ducks swim  "},
		"a very long one is text":                {"[" + strings.Repeat("1,", 60) + "]", "[" + strings.Repeat("1,", 60) + "]"},
		"other scripts stay whole":               {"Enten schwimmen 鸭子 [2]。", "Enten schwimmen 鸭子 [2]。"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newCiter(upTo(3))
			if got := w.write(c.in) + w.close(); got != c.want {
				t.Errorf("%q became %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestHowATextIsCutChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"a", " ", "[", "]", "1", "9", "12", ",", "-", "`", "```", "\n", "鸭", "[1]", " [9]", "word ", ". "})).Draw(t, "parts")
		text := strings.Join(parts, "") + "\n" // nothing is cut off at the end
		whole := newCiter(upTo(3))
		want := whole.write(text) + whole.close()
		w := newCiter(upTo(3))
		got := ""
		for i := range len(text) {
			got += w.write(text[i : i+1])
			if len(w.held) > 2*maxHeld {
				t.Fatalf("%d bytes are held back", len(w.held))
			}
		}
		got += w.close()
		if got != want || got != w.text.String() {
			t.Fatalf("%q became %q whole and %q byte by byte (kept %q)", text, want, got, w.text.String())
		}
		again := newCiter(upTo(3))
		if twice := again.write(want) + again.close(); twice != want && !strings.Contains(text, "`") {
			t.Fatalf("%q became %q and then %q", text, want, twice)
		}
	})
}

func TestAQuoteIsTheSentenceThatSupportsTheClaim(t *testing.T) {
	t.Parallel()
	const text = "The pond was dug in 1904. Mallards eat pondweed, seeds and small snails. Swans are heavier than ducks.\n\nThe keeper feeds them at dawn."
	for name, c := range map[string]struct{ claim, question, want string }{
		"the words decide":                {"Pondweed is what mallards eat", "", "Mallards eat pondweed, seeds and small snails."},
		"the last sentence counts":        {"It is a pond. It was dug in 1904", "", "The pond was dug in 1904."},
		"the question helps out":          {"Yes", "When does the keeper feed them?", "The keeper feeds them at dawn."},
		"two sentences may be needed":     {"Mallards eat snails and swans are heavier than ducks", "", "Mallards eat pondweed, seeds and small snails. Swans are heavier than ducks."},
		"without any match it is a start": {"Völlig anderes", "", "The pond was dug in 1904."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := quoteFor(citing(c.claim), c.question, text)
			if got := text[from:to]; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAQuoteIsAlwaysAPieceOfItsPassage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab. \n鸭é!?“”"))).Draw(t, "text")
		claim := rapid.StringOf(rapid.SampledFrom([]rune("ab. \n鸭é"))).Draw(t, "claim")
		from, to := quoteFor(citing(claim), claim, text)
		q := text[from:to]
		if !utf8.ValidString(q) || strings.TrimSpace(q) != q || q == "" && strings.TrimSpace(text) != "" {
			t.Fatalf("%q of %q", q, text)
		}
	})
	long := strings.Repeat("word ", 400)
	if from, to := quoteFor("word", "", long); to-from > longestQuote || strings.HasSuffix(long[from:to], " ") {
		t.Errorf("a long quote has %d bytes", to-from)
	}
}
