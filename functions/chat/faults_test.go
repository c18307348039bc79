package chat_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/chat"
)

// fault is one thing that may happen to a chain of two engines, and what comes of it.
type fault struct {
	name          string
	first, second []scene
	figures       [2]string // of the engines in their file
	engine        string    // that answers; empty: none does
	text          string    // that the caller has in the end; empty: line
	failure       string    // that the caller is told of
	degraded      []string
	asked         [2]int // attempts that each engine saw
	onlyStreams   bool
	silent        bool // the engine tells no usage
}

// faults are those that gateways for OpenAI-compatible engines are known to get wrong.
var faults = []fault{
	{name: "none", first: []scene{says(line)}, engine: "first", asked: [2]int{1, 0}},
	{name: "429 with Retry-After", first: []scene{answers(429, "Retry-After", "1"), says(line)}, engine: "first", asked: [2]int{2, 0}},
	{name: "429 that asks for too long", first: []scene{answers(429, "Retry-After", "30")}, engine: "second", degraded: []string{"first: error"}, asked: [2]int{1, 1}},
	{name: "429 without", first: []scene{answers(429)}, engine: "second", degraded: []string{"first: error"}, asked: [2]int{3, 1}},
	{name: "500 once", first: []scene{answers(500), says(line)}, engine: "first", asked: [2]int{2, 0}},
	{name: "500 for good", first: []scene{answers(500)}, engine: "second", degraded: []string{"first: error"}, asked: [2]int{2, 1}},
	{name: "503 for good", first: []scene{answers(503)}, engine: "second", degraded: []string{"first: error"}, asked: [2]int{1, 1}},
	{name: "its key is wrong", first: []scene{answers(401)}, engine: "second", degraded: []string{"first: error"}, asked: [2]int{1, 1}},
	{name: "reset before headers", first: []scene{resets}, engine: "second", degraded: []string{"first: error"}, asked: [2]int{1, 1}},
	{name: "never answers", first: []scene{hangs}, figures: [2]string{"timeout: 300ms, first_token: 300ms"}, engine: "second", degraded: []string{"first: timeout"}, asked: [2]int{1, 1}},
	{name: "headers at once, first token late", first: []scene{sends(hangs, ": hello\n\n", `data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}`+"\n\n")},
		figures: [2]string{"first_token: 200ms"}, engine: "second", degraded: []string{"first: timeout"}, asked: [2]int{1, 1}, onlyStreams: true},
	{name: "cut with a clean end", first: []scene{sends(nil, delta(line[:half]))}, second: []scene{says(line)}, engine: "second", degraded: []string{"first: cut off"}, asked: [2]int{1, 1}, onlyStreams: true},
	{name: "cut with a reset", first: []scene{sends(resets, delta(line[:half]))}, second: []scene{says(line[half:])}, engine: "second", degraded: []string{"first: cut off"}, asked: [2]int{1, 1}, onlyStreams: true},
	{name: "cut, and another answer", first: []scene{sends(resets, delta("One thing is cer"))}, second: []scene{says("Nobody knows.")}, engine: "second",
		text: "One thing is cer… Nobody knows.", degraded: []string{"first: cut off", "second: diverged"}, asked: [2]int{1, 1}, onlyStreams: true},
	{name: "cut, and no prefill is taken", first: []scene{sends(resets, delta(line[:half]))}, second: []scene{refuses(400, "prefill_not_supported"), says(line)},
		engine: "second", degraded: []string{"first: cut off"}, asked: [2]int{1, 2}, onlyStreams: true},
	{name: "stalls open", first: []scene{sends(hangs, delta(line[:half]))}, figures: [2]string{"stall: 200ms"}, engine: "second", degraded: []string{"first: stalled"}, asked: [2]int{1, 1}, onlyStreams: true},
	{name: "a malformed event", first: []scene{sends(nil, delta(line[:half]), "data: {\"choices\":[{]\n\n", delta(line[half:]), doneLine)}, engine: "second", degraded: []string{"first: cut off"}, asked: [2]int{1, 1}, onlyStreams: true},
	{name: "an error in the stream", first: []scene{sends(nil, delta(line[:half]), "data: {\"error\":{\"message\":\"overloaded\"}}\n\n")}, engine: "second", degraded: []string{"first: cut off"}, asked: [2]int{1, 1}, onlyStreams: true},
	{name: "both break off", first: []scene{sends(resets, delta(line[:half]))}, second: []scene{sends(resets, delta(line[half:len(line)-7]))}, text: line[:len(line)-7],
		failure: "The answer broke off before its end.", asked: [2]int{1, 2}, onlyStreams: true},
	{name: "complete, and no [DONE]", first: []scene{sends(hangs, delta(line), lastLine)}, engine: "first", asked: [2]int{1, 0}, onlyStreams: true, silent: true},
	{name: "[DONE], and no finish_reason", first: []scene{sends(nil, delta(line), doneLine)}, engine: "first", asked: [2]int{1, 0}, onlyStreams: true, silent: true},
	{name: "too long for its context", first: []scene{refuses(400, "context_length_exceeded")}, failure: "the engine says no", asked: [2]int{1, 0}},
	{name: "too long for it, not for the next", first: []scene{refuses(400, "context_length_exceeded")}, figures: [2]string{"context: 1000", "context: 2000"}, engine: "second", degraded: []string{"first: refused"}, asked: [2]int{1, 1}},
	{name: "a content filter", first: []scene{refuses(400, "content_filter")}, failure: "the engine says no", asked: [2]int{1, 0}},
	{name: "a bad request", first: []scene{refuses(422, "")}, failure: "the engine says no", asked: [2]int{1, 0}},
	{name: "no usage", first: []scene{sends(nil, delta(line), lastLine, doneLine)}, engine: "first", asked: [2]int{1, 0}, onlyStreams: true, silent: true},
	{name: "comments, CRLF and split runes", first: []scene{sends(nil, chopped(": hi\r\n\r\n"+strings.ReplaceAll(delta(line)+lastLine+useLine+doneLine, "\n", "\r\n"))...)}, engine: "first", asked: [2]int{1, 0}, onlyStreams: true},
	{name: "one huge event", first: []scene{sends(nil, delta(strings.Repeat(line, 2_000)), lastLine, useLine, doneLine)}, text: strings.Repeat(line, 2_000), engine: "first", asked: [2]int{1, 0}, onlyStreams: true},
	{name: "gzip", first: []scene{zipped}, engine: "first", asked: [2]int{1, 0}},
	{name: "all engines down", first: []scene{answers(503)}, second: []scene{answers(503)}, text: "Hello. Tell me something, and I'll remember it.", engine: "local",
		degraded: []string{"first: error", "second: error"}, asked: [2]int{1, 2}, silent: true},
}

func TestTheCallerGetsTheWholeAnswerOrAClearErrorWhateverTheEngineDoes(t *testing.T) {
	for _, f := range faults {
		for _, asked := range faces {
			if f.onlyStreams && !asked.stream {
				continue
			}
			t.Run(f.name+"/"+asked.name, func(t *testing.T) {
				t.Parallel()
				f.check(t, asked)
			})
		}
	}
}

func (f fault) check(t *testing.T, asked face) {
	if f.second == nil {
		f.second = []scene{says(line)}
	}
	first, second := play(t, f.first...), play(t, f.second...)
	r := start(t, func(c *chat.Config) { c.EnginesFile = enginesFile(t, f.figures, first, second) })
	w, text := r.do(t, http.MethodPost, asked.path, asked.body)
	got := asked.read(t, text)

	want := f.text
	if want == "" && f.engine != "" {
		want = line
	}
	if got.text != want || got.engine != f.engine || got.failure != f.failure || !slices.Equal(got.degraded, f.degraded) {
		t.Errorf("%d: got %+.300v\nwant %.200q of %q, %q, %q", w.StatusCode, got, want, f.engine, f.failure, f.degraded)
	}
	if f.engine != "" && !f.silent && got.tokens != 12 {
		t.Errorf("usage: %d tokens", got.tokens)
	}
	if strings.HasPrefix(asked.path, "/v1/") && f.engine != "" && f.engine != "local" && got.model != "m-1" {
		t.Errorf("the answer names the model %q", got.model)
	}
	if n := [2]int{len(first.attempts()), len(second.attempts())}; n != f.asked {
		t.Errorf("the engines were asked %d times, want %d", n, f.asked)
	}
	if f.failure != "" && (w.StatusCode == http.StatusOK) != (f.text != "") {
		t.Errorf("an error before the first word is told by its status: %d", w.StatusCode)
	}
}

func enginesFile(t *testing.T, figures [2]string, engines ...*actor) string {
	var b strings.Builder
	b.WriteString("engines:\n")
	for i, e := range engines {
		fmt.Fprintf(&b, "  - {name: %s, url: %s/v1, %s}\n", []string{"first", "second"}[i], e.URL, figures[i])
	}
	return file(t, "engines.yaml", strings.ReplaceAll(b.String(), ", }", "}"))
}

func TestACallerWhoLeavesInTheMiddleCancelsTheEngineAtOnce(t *testing.T) {
	for _, asked := range faces {
		t.Run(asked.name, func(t *testing.T) {
			t.Parallel()
			began, left := make(chan struct{}, 1), make(chan struct{}, 1)
			first := play(t, func(w http.ResponseWriter, r *http.Request, a attempt) {
				if a.stream {
					begin(w, delta("Well, "))
				}
				began <- struct{}{}
				<-r.Context().Done()
				left <- struct{}{}
			})
			second := play(t, says(line))
			r := start(t, func(c *chat.Config) {
				c.EnginesFile = enginesFile(t, [2]string{"breaker: {failures: 1}"}, first, second)
			})
			ctx, leave := context.WithCancel(t.Context())
			go func() { <-began; leave() }()
			q, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+asked.path, strings.NewReader(asked.body))
			q.Header.Set("Content-Type", "application/json")
			if w, err := r.Client().Do(q); err == nil {
				_, _ = io.Copy(io.Discard, w.Body)
				_ = w.Body.Close()
			}
			select {
			case <-left:
			case <-time.After(10 * time.Second):
				t.Fatal("the engine is still at it")
			}
			if _, health := r.do(t, http.MethodGet, "/health", ""); strings.Contains(health, `"open"`) || len(second.attempts()) != 0 {
				t.Errorf("a caller who left counts as a failure: %s", health)
			}
		})
	}
}

func TestWhatOnlyOpenAIsLanguageHasWordsForPassesThrough(t *testing.T) {
	const message = `{"role":"assistant","content":null,"refusal":"No.","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"future":[1]}`
	const first = `{"index":0,"message":` + message + `,"logprobs":{"content":[]},"finish_reason":"tool_calls"}`
	const second = `{"index":1,"message":{"role":"assistant","content":"Other."},"finish_reason":"stop"}`
	chunks := []string{
		`[{"index":0,"delta":{"role":"assistant","content":"","refusal":"No."},"logprobs":{"content":[1]},"finish_reason":null}]`,
		`[{"index":1,"delta":{"role":"assistant","content":"Other."},"finish_reason":null}]`,
		`[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\"a\""}}]}}]`,
		`[{"index":1,"delta":{},"finish_reason":"stop"}]`,
	}
	engine := play(t, func(w http.ResponseWriter, _ *http.Request, a attempt) {
		if !a.stream {
			_, _ = fmt.Fprintf(w, `{"id":"theirs","model":"m-1","created":7,"service_tier":"flex","choices":[%s,%s],"usage":{"total_tokens":12,"prompt_tokens_details":{"cached_tokens":2}}}`, first, second)
			return
		}
		for _, c := range chunks {
			begin(w, `data: {"model":"m-1","system_fingerprint":"fp","choices":`+c+"}\n\n")
		}
		begin(w, strings.Replace(lastLine, `"stop"`, `"tool_calls"`, 1), `data: {"choices":[],"usage":{"total_tokens":12,"prompt_tokens_details":{"cached_tokens":2}}}`+"\n\n", doneLine)
	})
	r := start(t, func(c *chat.Config) { c.EnginesFile = enginesFile(t, [2]string{}, engine) })
	const body = `{"n":2,"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"},"messages":[{"role":"user","content":"x"}]`
	_, whole := r.do(t, http.MethodPost, "/v1/chat/completions", body+"}")
	for _, want := range []string{first, second, `"service_tier":"flex"`, `"created":7`, `"cached_tokens":2`, `"id":"chatcmpl-`} {
		if !strings.Contains(whole, want) {
			t.Errorf("%s is not in %s", want, whole)
		}
	}
	_, stream := r.do(t, http.MethodPost, "/v1/chat/completions", body+`,"stream":true,"stream_options":{"include_usage":true}}`)
	for _, want := range append(chunks, `"system_fingerprint":"fp"`, `"cached_tokens":2`, `"finish_reason":"tool_calls"`) {
		if !strings.Contains(stream, want) {
			t.Errorf("%s is not in %s", want, stream)
		}
	}
	for _, a := range engine.attempts() {
		if !strings.Contains(a.body, `"tools":[{"type":"function","function":{"name":"f"}}]`) || !strings.Contains(a.body, `"response_format":{"type":"json_object"}`) || !strings.Contains(a.body, `"n":2`) {
			t.Errorf("the engine was asked %s", a.body)
		}
	}
}
