// Package clients runs OpenAI's official clients, as they are, against chat with a scripted engine behind it.
package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

// answer must arrive byte for byte.
const answer = "Señora <b>“Ñandú”</b> & co:\n\t日本 🙂 \\ \"end\"."

// model is what the engine calls itself.
const model = "scripted-1"

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "aguante-clients-")
	if err == nil {
		binary, err = stack.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// engine is an OpenAI-compatible server that does what the last message asks for.
type engine struct {
	*httptest.Server
	hanging chan struct{} // one for each caller who waits for nothing; GET /hanging waits for one
	left    chan struct{} // one for each of them who left

	mu     sync.Mutex
	bodies []request
}

// request is what the engine was asked; Raw is all of it.
type request struct {
	Stream   bool
	N        int
	Tools    []any
	Messages []struct{ Content json.RawMessage }
	Raw      string
}

func newEngine(t *testing.T) *engine {
	e := &engine{hanging: make(chan struct{}, 10), left: make(chan struct{}, 10)}
	e.Server = httptest.NewServer(http.HandlerFunc(e.answer))
	t.Cleanup(e.Close)
	return e
}

func (e *engine) answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/hanging" {
		select {
		case <-e.hanging:
		case <-r.Context().Done():
		}
		return
	}
	text, _ := io.ReadAll(r.Body)
	q := request{Raw: string(text)}
	if json.Unmarshal(text, &q) != nil || len(q.Messages) == 0 {
		http.Error(w, `{"error":{"message":"no request"}}`, http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	e.bodies = append(e.bodies, q)
	e.mu.Unlock()
	switch asked := string(q.Messages[len(q.Messages)-1].Content); {
	case strings.Contains(asked, "refuse"):
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":{"message":"filtered","type":"invalid_request_error","code":"content_filter"}}`)
	case strings.Contains(asked, "hang"):
		if q.Stream {
			send(w, chunk(0, `{"content":"Well, "}`, "null"))
		}
		e.hanging <- struct{}{}
		<-r.Context().Done()
		e.left <- struct{}{}
	case q.Stream:
		e.stream(w, q)
	default:
		io.WriteString(w, whole(q))
	}
}

const usage = `{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":2}}`

// calls is what the model calls when it has tools.
const calls = `[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Quito\"}"}}]`

func whole(q request) string {
	message, finish := fmt.Sprintf(`{"role":"assistant","content":%s,"refusal":null}`, quote(answer)), "stop"
	if len(q.Tools) > 0 {
		message, finish = `{"role":"assistant","content":null,"tool_calls":`+calls+`}`, "tool_calls"
	}
	var choices []string
	for i := range max(q.N, 1) {
		choices = append(choices, fmt.Sprintf(`{"index":%d,"message":%s,"logprobs":null,"finish_reason":%q}`, i, message, finish))
	}
	return fmt.Sprintf(`{"id":"x","object":"chat.completion","created":7,"model":%q,"system_fingerprint":"fp_1","choices":[%s],"usage":%s}`,
		model, strings.Join(choices, ","), usage)
}

func (e *engine) stream(w http.ResponseWriter, q request) {
	for i := range max(q.N, 1) {
		send(w, chunk(i, `{"role":"assistant","content":""}`, "null"))
		if len(q.Tools) > 0 {
			send(w, chunk(i, `{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":"}}]}`, "null"))
			send(w, chunk(i, `{"tool_calls":[{"index":0,"function":{"arguments":"\"Quito\"}"}}]}`, "null"), chunk(i, "{}", `"tool_calls"`))
			continue
		}
		for _, word := range strings.SplitAfter(answer, " ") {
			send(w, chunk(i, `{"content":`+quote(word)+"}", "null"))
		}
		send(w, chunk(i, "{}", `"stop"`))
	}
	send(w, fmt.Sprintf(`{"id":"x","object":"chat.completion.chunk","created":7,"model":%q,"choices":[],"usage":%s}`, model, usage), "[DONE]")
}

func chunk(index int, delta, finish string) string {
	return fmt.Sprintf(`{"id":"x","object":"chat.completion.chunk","created":7,"model":%q,"choices":[{"index":%d,"delta":%s,"finish_reason":%s}]}`, model, index, delta, finish)
}

func send(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		fmt.Fprintf(w, "data: %s\n\n", e)
	}
	_ = http.NewResponseController(w).Flush()
}

func quote(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}

// got tells whether the engine was sent a request that holds all of words.
func (e *engine) got(words ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.bodies, func(q request) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(q.Raw, word) })
	})
}

// API keys of the tests: one for whatever they like, one that is good for a request a second, one for a request a minute.
const (
	key      = "a-key-for-everything"
	slowKey  = "a-key-for-one-a-second"
	onceKey  = "a-key-for-one-a-minute"
	keysFile = `keys:
  - name: everything
    sha256: 55d02de4fecb02219c06b6cbd265f21bae59a0aacae22557f7afdc8addb963d2
    limits: {chat: {per_minute: 60000, burst: 1000}}
  - name: slow
    sha256: a3cbb8c0f1f2ac4147192324bb439d8a8f7e7580e2d81d774f8a95e2bdfe11f5
    limits: {chat: {per_minute: 60, burst: 1}}
  - name: once
    sha256: b0cd30b73fb1e8d6133399e64f8b69ac2a4ac1d4926c0f27b942c417470232d0
    limits: {chat: {per_minute: 1, burst: 1}}
`
)

// startChat runs `aguante up` with e as its only engine beside the local one.
func startChat(t *testing.T, e *engine) string {
	t.Helper()
	dir := t.TempDir()
	engines := fmt.Sprintf("engines: [{name: scripted, url: %s/v1, model: %s}]\n", e.URL, model)
	for name, text := range map[string]string{"engines.yaml": engines, "keys.yaml": keysFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	arguments := []string{"--engines", filepath.Join(dir, "engines.yaml"), "--keys", filepath.Join(dir, "keys.yaml")}
	u, err := stack.StartUp(ctx, binary, filepath.Join(dir, "data"), arguments, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(u.Output())
		}
		_ = u.Stop()
	})
	return u.Chat
}
