package local

import "testing"

// Tokens are those of a text for a model.
func Tokens(m *Model, text string) []int32 {
	return m.bert.Single(text, m.settings.tokens).IDs
}

// Known replaces the models known by name until the test ends.
func Known(t *testing.T, name string, sums map[string]string, sources ...string) {
	t.Helper()
	was := known[name]
	known[name] = knownModel{sources: sources, sums: sums}
	t.Cleanup(func() { known[name] = was })
}
