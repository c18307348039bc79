package chain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// bodyKey finds the request's body in its context.
type bodyKey struct{}

// scripted is an engine that does what each test says, and remembers what it was asked.
type scripted struct {
	*httptest.Server
	left chan struct{} // one for each caller that left

	mu     sync.Mutex
	bodies []map[string]json.RawMessage
	last   http.Header
}

func (s *scripted) asked() []map[string]json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

func newScripted(t testing.TB, answer func(w http.ResponseWriter, r *http.Request)) *scripted {
	s := &scripted{left: make(chan struct{}, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("the engine was sent no JSON: %v", err)
		}
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
		s.mu.Lock()
		s.bodies, s.last = append(s.bodies, body), r.Header
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// hang answers nothing until the caller leaves.
func (s *scripted) hang(r *http.Request) {
	<-r.Context().Done()
	s.left <- struct{}{}
}

// say streams texts, and then whatever ending is.
func say(w http.ResponseWriter, ending string, texts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, text := range texts {
		fmt.Fprintf(w, "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", text)
		w.(http.Flusher).Flush()
	}
	io.WriteString(w, ending)
	w.(http.Flusher).Flush()
}

const (
	finish = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	usage  = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}\n\n"
	done   = "data: [DONE]\n\n"
	whole  = `{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hóla <b>&amp;"},"finish_reason":"stop"}],
		"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`
)

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"error":{"message":"no"}}`, code) }
}

func answerWhole(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, whole) }
