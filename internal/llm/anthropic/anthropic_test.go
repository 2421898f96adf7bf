package anthropic_test

import (
	"testing"

	"atrium/internal/llm"
	"atrium/internal/llm/anthropic"
	"atrium/internal/llm/llmtest"
)

func TestTheProviderKeepsTheContractThroughEveryFault(t *testing.T) {
	t.Parallel()
	llmtest.Remote(t, func(t *testing.T, e llmtest.Endpoint) llm.Provider {
		p, err := anthropic.New(anthropic.Config{BaseURL: e.URL, APIKey: e.APIKey, Model: e.Model, Client: e.Client, Limits: e.Limits})
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}
