// Package fake is a model server for tests and measuring. It speaks OpenAI's
// chat completions and embeddings and Anthropic's messages, answers the same
// words to the same request, sends each token when it is due, and shows on demand
// every fault that model servers have.
//
// The model's name chooses what it does:
//
//	any other     answers Options.Tokens words, citing the passages it was given
//	tools         asks for the first offered tool, and answers when it has the result
//	reason        thinks aloud before it answers
//	obey          obeys every instruction that it reads anywhere (see obey.go)
//	no-usage      does not count tokens
//	fault-…       see the constants
package fake

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"atrium/internal/llm"
)

// Models that fail, each in its own way.
const (
	Hang     = "fault-hang"     // takes the request and never answers
	Drip     = "fault-drip"     // one byte at a time, never a whole event
	Stall    = "fault-stall"    // a few tokens, then silence
	Garbage  = "fault-garbage"  // bytes that are no event stream
	BadJSON  = "fault-json"     // events whose data is not JSON
	Cut      = "fault-cut"      // closes in the middle of the answer
	HTML     = "fault-html"     // status 200 with a web page
	LongLine = "fault-line"     // one event that never ends
	Endless  = "fault-endless"  // an answer that never ends
	InStream = "fault-instream" // status 200, then an error in the stream
	NoKey    = "fault-401"
	NoModel  = "fault-404"
	TooMany  = "fault-429" // with Retry-After: 30
	Broken   = "fault-500"
	Busy     = "fault-503"
	Flaky    = "fault-flaky" // every first of two requests fails with 500
	Strict   = "strict"      // refuses stream_options and max_tokens, as some servers do
	NoUsage  = "no-usage"
	Tools    = "tools"
	Reason   = "reason"
	Obey     = "obey"
	Short    = "fault-short" // embeddings: one vector too few
	Ragged   = "fault-dims"  // embeddings: vectors of different lengths
	Null     = "fault-zero"  // embeddings: vectors of zeros
)

// Secret stands in the body of each error; it must never reach anybody.
const Secret = "sk-fake-secret-0123456789" //nolint:gosec // looked for where it must not be

// Options shape the answers.
type Options struct {
	FirstToken time.Duration // until the first token
	PerToken   time.Duration // between tokens; each is due at its own time, so lateness does not add up
	Tokens     int           // words in an answer; default 40
	Dimensions int           // of embeddings; default 256
	APIKey     string        // when set, requests without it get 401
	// Script answers instead when it says true.
	Script func(Request) (Reply, bool)
	// Seen is told of each chat request before it is answered.
	Seen func(Request)
}

// Request is what the server understood, the same for both protocols. System
// holds the passages as llm.Prompt wrote them.
type Request struct {
	Model    string
	System   string
	Messages []llm.Message
	Tools    []llm.Tool
}

// Last is the text of the newest message.
func (r Request) Last() string {
	if len(r.Messages) == 0 {
		return ""
	}
	return r.Messages[len(r.Messages)-1].Text
}

// Reply is an answer before it is cut into tokens.
type Reply struct {
	Text      string
	Reasoning string
	Calls     []llm.ToolCall
}

type server struct {
	Options
	mu    sync.Mutex
	count map[string]int
}

// Server is an http.Handler for /v1/chat/completions, /v1/embeddings, /v1/models
// and /v1/messages. Use base address …/v1 for OpenAI and the root for Anthropic.
func Server(o Options) http.Handler {
	if o.Tokens <= 0 {
		o.Tokens = 40
	}
	if o.Dimensions <= 0 {
		o.Dimensions = 256
	}
	s := &server{Options: o, count: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.chat(openAI{}))
	mux.HandleFunc("POST /v1/messages", s.chat(anthropic{}))
	mux.HandleFunc("POST /v1/embeddings", s.embeddings)
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{map[string]string{"id": "fake", "object": "model"}}})
	})
	return mux
}

// nth counts the requests of a model, from 1.
func (s *server) nth(model string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[model]++
	return s.count[model]
}

// chat answers in one protocol.
func (s *server) chat(p protocol) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now() // what it takes to read the request is part of the wait
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		if err != nil {
			return
		}
		req, stream, refusal := p.decode(data)
		switch {
		case refusal != "":
			refuse(w, http.StatusBadRequest, "invalid_request_error", refusal)
			return
		case s.APIKey != "" && r.Header.Get("Authorization") != "Bearer "+s.APIKey && r.Header.Get("X-Api-Key") != s.APIKey:
			refuse(w, http.StatusUnauthorized, "authentication_error", "the key "+Secret+" is wrong")
			return
		}
		if s.Seen != nil {
			s.Seen(req)
		}
		if s.refused(w, r, req.Model) {
			return
		}
		reply := s.answer(req)
		usage := [2]int{llm.EstimateTokens(string(data)), llm.EstimateTokens(reply.Text)}
		if req.Model == NoUsage {
			usage = [2]int{}
		}
		if !stream {
			writeJSON(w, http.StatusOK, p.whole(req, reply, usage))
			return
		}
		s.stream(w, r, start, p, req, reply, usage)
	}
}

// refused answers the faults that come before a stream.
func (s *server) refused(w http.ResponseWriter, r *http.Request, model string) bool {
	switch model {
	case Hang:
		<-r.Context().Done()
	case NoKey:
		refuse(w, http.StatusUnauthorized, "authentication_error", "the key "+Secret+" is wrong")
	case NoModel:
		refuse(w, http.StatusNotFound, "not_found_error", "no such model "+Secret)
	case TooMany:
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusTooManyRequests, "rate_limit_error", Secret)
	case Busy:
		refuse(w, http.StatusServiceUnavailable, "overloaded_error", Secret)
	case Broken:
		refuse(w, http.StatusInternalServerError, "api_error", Secret)
	case HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><title>Welcome</title><p>"+Secret+"</p>")
	case Flaky:
		if s.nth(model)%2 == 0 {
			return false
		}
		refuse(w, http.StatusInternalServerError, "api_error", Secret)
	default:
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	writeJSON(w, status, map[string]any{"type": "error", "error": map[string]string{"type": kind, "message": message}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // it is made here, of strings and numbers
}

// stream sends the reply's tokens, each at its time, with one timer.
func (s *server) stream(w http.ResponseWriter, r *http.Request, start time.Time, p protocol, req Request, reply Reply, usage [2]int) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	frames := p.frames(req, reply, usage)
	if rc.Flush() != nil {
		return
	}
	if s.faulty(w, rc, r, req.Model, frames) {
		return
	}
	due := start.Add(s.FirstToken)
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	paced := false
	for _, f := range frames {
		if f.token {
			if paced {
				due = due.Add(s.PerToken)
				timer.Reset(time.Until(due))
			}
			if !paced || s.PerToken > 0 {
				select {
				case <-timer.C:
				case <-r.Context().Done():
					return
				}
			}
			paced = true
		}
		if _, err := w.Write(f.data); err != nil || rc.Flush() != nil {
			return
		}
	}
}

// faulty sends the streams that go wrong.
func (s *server) faulty(w http.ResponseWriter, rc *http.ResponseController, r *http.Request, model string, frames []frame) bool {
	done := r.Context().Done()
	send := func(b []byte) bool {
		_, err := w.Write(b)
		return err == nil && rc.Flush() == nil
	}
	some := frames[:len(frames)/2]
	switch model {
	case Garbage:
		send([]byte(strings.Repeat("\x00\xff not a stream "+Secret+"\n", 20)))
	case BadJSON:
		send([]byte("event: message_start\ndata: {\"choices\": [" + Secret + "\n\n"))
	case Cut, Stall:
		for _, f := range some {
			if !send(f.data) {
				return true
			}
		}
		if model == Stall {
			<-done
		}
	case Drip:
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; send([]byte{"data: {\"x"[min(i, 8)]}); i++ {
			select {
			case <-tick.C:
			case <-done:
				return true
			}
		}
	case LongLine:
		if send([]byte("data: ")) {
			for block := []byte(strings.Repeat("x", 64<<10)); send(block); {
				continue
			}
		}
	case Endless:
		i := 0
		for i < len(frames)-1 && !frames[i].token {
			send(frames[i].data)
			i++
		}
		for block := []byte(strings.Repeat(string(frames[i].data), 200)); send(block); {
			continue
		}
	case InStream:
		send([]byte("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":" + strconv.Quote(Secret) + "}}\n\n"))
	default:
		return false
	}
	return true
}
