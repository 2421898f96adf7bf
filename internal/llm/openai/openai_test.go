package openai_test

import (
	"testing"

	"atrium/internal/llm"
	"atrium/internal/llm/llmtest"
	"atrium/internal/llm/openai"
)

func TestTheProviderKeepsTheContractThroughEveryFault(t *testing.T) {
	t.Parallel()
	llmtest.Remote(t, func(t *testing.T, e llmtest.Endpoint) llm.Provider {
		p, err := openai.New(openai.Config{BaseURL: e.URL + "/v1", APIKey: e.APIKey, Model: e.Model, Client: e.Client, Limits: e.Limits})
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}
