package fake

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"atrium/internal/llm"
)

// frame is what is written at once; token frames wait until they are due.
type frame struct {
	data  []byte
	token bool
}

// protocol is one provider's way to write requests and answers. Counts are
// {prompt, completion}; zeros mean that usage is left out.
type protocol interface {
	decode(data []byte) (req Request, stream bool, refusal string)
	frames(Request, Reply, [2]int) []frame
	whole(Request, Reply, [2]int) any
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("fake: " + err.Error()) // maps of plain values always marshal
	}
	return bytes.TrimSpace(b.Bytes())
}

type object = map[string]any

type openAI struct{}

func (openAI) decode(data []byte) (Request, bool, string) {
	var in struct {
		Model         string
		Stream        bool
		StreamOptions json.RawMessage `json:"stream_options"`
		MaxTokens     int             `json:"max_tokens"`
		Messages      []struct {
			Role       string
			Content    string
			ToolCallID string `json:"tool_call_id"`
			ToolCalls  []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		Tools []struct {
			Function struct {
				Name, Description string
				Parameters        json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return Request{}, false, "not JSON"
	}
	if in.Model == "" || len(in.Messages) == 0 {
		return Request{}, false, "model and messages are required"
	}
	if in.Model == Strict && in.StreamOptions != nil {
		return Request{}, false, "unknown parameter: stream_options"
	}
	if in.Model == Strict && in.MaxTokens > 0 {
		return Request{}, false, "unsupported parameter: max_tokens"
	}
	r := Request{Model: in.Model}
	for _, m := range in.Messages {
		if m.Role == "system" {
			r.System += m.Content
			continue
		}
		out := llm.Message{Role: llm.Role(m.Role), Text: m.Content, CallID: m.ToolCallID}
		for _, c := range m.ToolCalls {
			out.Calls = append(out.Calls, llm.ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: json.RawMessage(c.Function.Arguments)})
		}
		r.Messages = append(r.Messages, out)
	}
	for _, t := range in.Tools {
		r.Tools = append(r.Tools, llm.Tool{Name: t.Function.Name, Description: t.Function.Description, Schema: t.Function.Parameters})
	}
	return r, in.Stream, ""
}

func finish(r Reply) string {
	if len(r.Calls) > 0 {
		return "tool_calls"
	}
	return "stop"
}

func calls(r Reply) []any {
	var out []any
	for i, c := range r.Calls {
		out = append(out, object{"index": i, "id": c.ID, "type": "function", "function": object{"name": c.Name, "arguments": string(c.Arguments)}})
	}
	return out
}

func (openAI) frames(req Request, r Reply, usage [2]int) []frame {
	var out []frame
	event := func(token bool, choices []any, extra object) {
		v := object{"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1700000000, "model": req.Model, "choices": choices}
		maps.Copy(v, extra)
		out = append(out, frame{append(append([]byte("data: "), encode(v)...), "\n\n"...), token})
	}
	delta := func(token bool, d object, finish any) {
		event(token, []any{object{"index": 0, "delta": d, "logprobs": nil, "finish_reason": finish}}, nil)
	}
	delta(false, object{"role": "assistant", "content": ""}, nil)
	for _, t := range tokens(r.Reasoning) {
		delta(true, object{"reasoning_content": t}, nil)
	}
	for _, t := range tokens(r.Text) {
		delta(true, object{"content": t}, nil)
	}
	for i, c := range r.Calls {
		args := string(c.Arguments)
		half := len(args) / 2
		delta(true, object{"tool_calls": []any{object{"index": i, "id": c.ID, "type": "function", "function": object{"name": c.Name, "arguments": ""}}}}, nil)
		for _, part := range []string{args[:half], args[half:]} {
			delta(false, object{"tool_calls": []any{object{"index": i, "function": object{"arguments": part}}}}, nil)
		}
	}
	delta(false, object{}, finish(r))
	if usage != [2]int{} {
		event(false, []any{}, object{"usage": openAIUsage(usage)})
	}
	return append(out, frame{data: []byte("data: [DONE]\n\n")})
}

func openAIUsage(u [2]int) object {
	return object{"prompt_tokens": u[0], "completion_tokens": u[1], "total_tokens": u[0] + u[1]}
}

func (openAI) whole(req Request, r Reply, usage [2]int) any {
	m := object{"role": "assistant", "content": r.Text}
	if r.Reasoning != "" {
		m["reasoning_content"] = r.Reasoning
	}
	if len(r.Calls) > 0 {
		m["tool_calls"] = calls(r)
	}
	return object{"id": "chatcmpl-fake", "object": "chat.completion", "created": 1700000000, "model": req.Model, "usage": openAIUsage(usage),
		"choices": []any{object{"index": 0, "message": m, "finish_reason": finish(r)}}}
}

type anthropic struct{}

func (anthropic) decode(data []byte) (Request, bool, string) {
	type block struct {
		Type, Text, ID, Name string
		ToolUseID            string `json:"tool_use_id"`
		Input                json.RawMessage
		Content              string
	}
	var in struct {
		Model     string
		Stream    bool
		MaxTokens int `json:"max_tokens"`
		System    string
		Messages  []struct {
			Role    string
			Content []block
		}
		Tools []struct {
			Name, Description string
			InputSchema       json.RawMessage `json:"input_schema"`
		}
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return Request{}, false, "not JSON"
	}
	if in.Model == "" || len(in.Messages) == 0 || in.MaxTokens <= 0 {
		return Request{}, false, "model, messages and max_tokens are required"
	}
	r := Request{Model: in.Model, System: in.System}
	for i, m := range in.Messages {
		want := "user"
		if i%2 == 1 {
			want = "assistant"
		}
		if m.Role != want || len(m.Content) == 0 {
			return Request{}, false, "roles must alternate, starting with the user, and hold content"
		}
		out := llm.Message{Role: llm.Role(m.Role)}
		for _, b := range m.Content {
			switch b.Type {
			case "text":
				if strings.TrimSpace(b.Text) == "" {
					return Request{}, false, "text must not be empty"
				}
				out.Text += b.Text
			case "tool_use":
				out.Calls = append(out.Calls, llm.ToolCall{ID: b.ID, Name: b.Name, Arguments: b.Input})
			case "tool_result":
				r.Messages = append(r.Messages, llm.Message{Role: llm.ToolRole, Text: b.Content, CallID: b.ToolUseID})
			default:
				return Request{}, false, "unknown block type"
			}
		}
		if out.Text != "" || len(out.Calls) > 0 {
			r.Messages = append(r.Messages, out)
		}
	}
	for _, t := range in.Tools {
		r.Tools = append(r.Tools, llm.Tool{Name: t.Name, Description: t.Description, Schema: t.InputSchema})
	}
	return r, in.Stream, ""
}

func stopReason(r Reply) string {
	if len(r.Calls) > 0 {
		return "tool_use"
	}
	return "end_turn"
}

func (anthropic) frames(req Request, r Reply, usage [2]int) []frame {
	var out []frame
	event := func(token bool, name string, v object) {
		v["type"] = name
		out = append(out, frame{append(append([]byte("event: "+name+"\ndata: "), encode(v)...), "\n\n"...), token})
	}
	message := object{"id": "msg_fake", "type": "message", "role": "assistant", "model": req.Model, "content": []any{}}
	if usage != [2]int{} {
		message["usage"] = object{"input_tokens": usage[0], "output_tokens": 1}
	}
	event(false, "message_start", object{"message": message})
	event(false, "ping", object{})
	index := 0
	block := func(start object, deltas []object) {
		event(false, "content_block_start", object{"index": index, "content_block": start})
		for _, d := range deltas {
			event(true, "content_block_delta", object{"index": index, "delta": d})
		}
		event(false, "content_block_stop", object{"index": index})
		index++
	}
	deltas := func(kind, key string, parts []string) []object {
		var ds []object
		for _, p := range parts {
			ds = append(ds, object{"type": kind, key: p})
		}
		return ds
	}
	if r.Reasoning != "" {
		block(object{"type": "thinking", "thinking": ""}, append(deltas("thinking_delta", "thinking", tokens(r.Reasoning)), object{"type": "signature_delta", "signature": "c2ln"}))
	}
	if r.Text != "" {
		block(object{"type": "text", "text": ""}, deltas("text_delta", "text", tokens(r.Text)))
	}
	for _, c := range r.Calls {
		args := string(c.Arguments)
		half := len(args) / 2
		block(object{"type": "tool_use", "id": c.ID, "name": c.Name, "input": object{}}, deltas("input_json_delta", "partial_json", []string{"", args[:half], args[half:]}))
	}
	end := object{"delta": object{"stop_reason": stopReason(r), "stop_sequence": nil}}
	if usage != [2]int{} {
		end["usage"] = object{"output_tokens": usage[1]}
	}
	event(false, "message_delta", end)
	event(false, "message_stop", object{})
	return out
}

func (anthropic) whole(req Request, r Reply, usage [2]int) any {
	var content []any
	if r.Text != "" {
		content = append(content, object{"type": "text", "text": r.Text})
	}
	for _, c := range r.Calls {
		content = append(content, object{"type": "tool_use", "id": c.ID, "name": c.Name, "input": c.Arguments})
	}
	return object{"id": "msg_fake", "type": "message", "role": "assistant", "model": req.Model, "content": content, "stop_reason": stopReason(r),
		"usage": object{"input_tokens": usage[0], "output_tokens": usage[1]}}
}
