package openai

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"atrium/internal/fail"
	"atrium/internal/llm"
	"atrium/internal/llm/wire"
)

// chunk is one event of the stream. A server that does not stream sends one with
// message in place of delta.
type chunk struct {
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage"`
	Error   *problem `json:"error"`
}

type choice struct {
	Delta        delta  `json:"delta"`
	Message      *delta `json:"message"`
	FinishReason string `json:"finish_reason"`
}

type delta struct {
	Content          wire.Text `json:"content"`
	Refusal          wire.Text `json:"refusal"`
	Reasoning        wire.Text `json:"reasoning"`
	ReasoningContent wire.Text `json:"reasoning_content"`
	ToolCalls        []part    `json:"tool_calls"`
}

// part is a fragment of a tool call; some servers send no index.
type part struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string    `json:"name"`
		Arguments wire.Text `json:"arguments"`
	} `json:"function"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
}

// problem is an error inside the stream; some servers send only a string.
type problem struct{ kinds []string }

func (p *problem) UnmarshalJSON(b []byte) error {
	var e struct {
		Code wire.Text `json:"code"`
		Type wire.Text `json:"type"`
	}
	if len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, &e); err != nil {
			return err
		}
	}
	p.kinds = []string{string(e.Code), string(e.Type)}
	return nil
}

const maxCalls = 64

// answer gathers one attempt's answer.
type answer struct {
	reply           *wire.Reply
	emit            func(llm.Delta) error
	text, reasoning strings.Builder
	calls           []*building
	usage           usage
	finish, model   string
	next            chunk // decoded into again and again
	same            wire.Same
}

type building struct {
	index     int
	id, name  string
	arguments strings.Builder
}

func (a *answer) read() error {
	stream, err := a.reply.Stream()
	if err != nil {
		return err
	}
	if !stream {
		var c chunk
		if err := a.reply.JSON(&c); err != nil {
			return err
		}
		if len(c.Choices) == 0 && c.Error == nil {
			return a.reply.Garbage("did not answer with a chat completion", nil)
		}
		if err := a.add(&c); err != nil {
			return err
		}
		if a.finish == "" {
			a.finish = "stop"
		}
		return nil
	}
	for {
		ev, err := a.reply.Next()
		if errors.Is(err, io.EOF) {
			// Some servers close after the last chunk without the closing mark.
			if a.finish == "" {
				return a.reply.Cut()
			}
			return nil
		}
		if err != nil {
			return err
		}
		if string(ev.Data) == "[DONE]" {
			return nil
		}
		if text, ok := a.same.Match(ev.Data); ok {
			if err := a.say(&a.text, llm.Delta{Text: text}, text); err != nil {
				return err
			}
			continue
		}
		c := &a.next
		choices := c.Choices[:0]
		clear(c.Choices[:cap(c.Choices)])
		*c = chunk{Choices: choices}
		if err := json.Unmarshal(ev.Data, c); err != nil {
			return a.reply.Garbage("sent a piece that is not the JSON of its API", err)
		}
		if err := a.add(c); err != nil {
			return err
		}
		if text := c.onlyText(); text != "" {
			a.same.Learn(ev.Data, text)
		}
	}
}

// onlyText is the text of a chunk that holds nothing else to know.
func (c *chunk) onlyText() string {
	if len(c.Choices) != 1 || c.Usage != nil {
		return ""
	}
	ch := &c.Choices[0]
	d := &ch.Delta
	if ch.Message != nil || ch.FinishReason != "" || d.Refusal+d.Reasoning+d.ReasoningContent != "" || len(d.ToolCalls) > 0 {
		return ""
	}
	return string(d.Content)
}

func (a *answer) add(c *chunk) error {
	if c.Error != nil {
		return a.reply.Fault(c.Error.kinds...)
	}
	if c.Model != "" && a.model == "" {
		a.model = c.Model
	}
	if c.Usage != nil && c.Usage.Prompt+c.Usage.Completion > 0 {
		a.usage = *c.Usage
	}
	if len(c.Choices) == 0 {
		return nil
	}
	ch := &c.Choices[0]
	d := &ch.Delta
	if ch.Message != nil {
		d = ch.Message
	}
	thought := string(d.ReasoningContent)
	if thought == "" {
		thought = string(d.Reasoning) // some send both, with the same text
	}
	if err := a.say(&a.reasoning, llm.Delta{Reasoning: thought}, thought); err != nil {
		return err
	}
	for _, text := range [...]string{string(d.Content), string(d.Refusal)} {
		if err := a.say(&a.text, llm.Delta{Text: text}, text); err != nil {
			return err
		}
	}
	for i := range d.ToolCalls {
		if err := a.call(&d.ToolCalls[i]); err != nil {
			return err
		}
	}
	if ch.FinishReason != "" {
		a.finish = ch.FinishReason
	}
	return nil
}

func (a *answer) say(b *strings.Builder, d llm.Delta, text string) error {
	if text == "" {
		return nil
	}
	a.reply.Progress()
	b.WriteString(text)
	return a.emit(d)
}

func (a *answer) call(p *part) error {
	a.reply.Progress()
	var b *building
	switch {
	case p.Index != nil:
		for _, have := range a.calls {
			if have.index == *p.Index {
				b = have
			}
		}
	case len(a.calls) > 0 && (p.ID == "" || p.ID == a.calls[len(a.calls)-1].id):
		b = a.calls[len(a.calls)-1]
	}
	if b == nil {
		if len(a.calls) == maxCalls {
			return a.reply.Garbage("asked for too many tools at once", nil)
		}
		b = &building{index: len(a.calls)}
		if p.Index != nil {
			b.index = *p.Index
		}
		a.calls = append(a.calls, b)
	}
	if p.ID != "" {
		b.id = p.ID
	}
	if b.name == "" {
		b.name = p.Function.Name
	}
	b.arguments.WriteString(string(p.Function.Arguments))
	return nil
}

// result is the whole answer; it may still be refused for a broken tool call.
func (a *answer) result(req llm.Request) (llm.Result, error) {
	r := llm.Result{Text: a.text.String(), Reasoning: a.reasoning.String(), Model: a.model}
	if r.Model == "" {
		r.Model = req.Model
	}
	for i, b := range a.calls {
		args, err := wire.Arguments(b.name, b.arguments.String())
		if err != nil {
			// A call that the length limit cut off is not a fault of the server.
			if a.finish == "length" {
				return llm.Result{}, fail.Provider("the model's answer was cut off in the middle of a tool call; raise the limit of tokens").Because(err)
			}
			return llm.Result{}, err
		}
		if b.id == "" {
			b.id = "call_" + strconv.Itoa(i)
		}
		r.Calls = append(r.Calls, llm.ToolCall{ID: b.id, Name: b.name, Arguments: args})
	}
	switch a.finish {
	case "length":
		r.Finish = llm.Truncated
	case "content_filter":
		r.Finish = llm.Filtered
	default:
		r.Finish = llm.Stopped
		if len(r.Calls) > 0 {
			r.Finish = llm.WantTools // some servers say stop
		}
	}
	r.Usage = llm.Usage{PromptTokens: a.usage.Prompt, CompletionTokens: a.usage.Completion}
	if a.usage == (usage{}) {
		r.Usage = llm.Estimate(req, r.Text+r.Reasoning, r.Calls)
	}
	if r.Text == "" && r.Reasoning == "" && len(r.Calls) == 0 && r.Finish == llm.Stopped {
		return llm.Result{}, fail.Provider("the model answered nothing; try again")
	}
	return r, nil
}
