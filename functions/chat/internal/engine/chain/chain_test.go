package chain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/local"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// entry is one engine of an engines file.
func entry(name, url string, more ...string) string {
	return fmt.Sprintf("  - name: %s\n    url: %s/v1\n", name, url) + strings.Join(append(more, ""), "\n")
}

func write(t testing.TB, path string, entries ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("engines:\n"+strings.Join(entries, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, entries ...string) *chain.Chain {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engines.yaml")
	write(t, path, entries...)
	return openFile(t, path)
}

func openFile(t testing.TB, path string) *chain.Chain {
	t.Helper()
	nop := telemetry.Nop()
	c, err := chain.Open(chain.Config{File: path, Getenv: os.Getenv, Last: local.Engine{}, Tracer: nop.Tracer, Meter: nop.Meter, Log: nop.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func hello() engine.Request {
	return engine.Request{User: "ana", Now: time.Now(), Messages: []engine.Message{{Role: engine.User, Content: "I live in Loja."}}}
}

const localAnswer = "I'll remember that you live in Loja."

// heard gathers what is emitted.
type heard struct {
	text     strings.Builder
	degraded []string
	tools    []string
}

func (t *heard) emit(p engine.Piece) error {
	t.text.WriteString(p.Text)
	if p.Degraded != nil {
		t.degraded = append(t.degraded, p.Degraded.Dependency+": "+p.Degraded.Reason)
	}
	if p.ToolCalls != nil {
		t.tools = append(t.tools, string(p.ToolCalls))
	}
	return nil
}

func reasons(all []guard.Degraded) []string {
	var words []string
	for _, d := range all {
		words = append(words, d.Dependency+": "+d.Reason)
	}
	return words
}

func TestAsksAnEngineAsOpenAIsAPIHasIt(t *testing.T) {
	s := newScripted(t, answerWhole)
	t.Setenv("ENGINE_KEY", "secret")
	c := open(t, entry("primary", s.URL, "    model: m", "    api_key_env: ENGINE_KEY"))
	r := hello()
	r.Hop, r.Model = 1, "any"
	r.Params = map[string]json.RawMessage{"temperature": json.RawMessage("0.25"), "unheard_of": json.RawMessage(`{"a":[1]}`), "stream": json.RawMessage("true")}
	r.History = []engine.Message{{Role: engine.User, Content: "before"}}
	r.Recalled = []engine.Recalled{{Text: "I like tea.", Role: engine.User, At: time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)}}
	r.Messages = []engine.Message{{Role: engine.System, Content: "Be kind."}, {Role: engine.User, Raw: json.RawMessage(`{"role":"user","content":[{"type":"text","text":"hi"}]}`)}}
	trace1, _ := trace.TraceIDFromHex("0af7651916cd43dd8448eb211c80319c")
	span1, _ := trace.SpanIDFromHex("b7ad6b7169203331")
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace1, SpanID: span1, TraceFlags: 1}))

	a, err := c.Answer(ctx, r, nil)
	if err != nil || a.Text != "Hóla <b>&amp;" || a.Engine != "primary" || a.Model != "m-1" || a.Finish != "stop" || a.Usage.TotalTokens != 12 || a.Degraded != nil {
		t.Fatalf("got %+v, %v", a, err)
	}
	sent := s.asked()[0]
	for field, want := range map[string]string{"temperature": "0.25", "unheard_of": `{"a":[1]}`, "model": `"m"`, "stream": ""} {
		if got := string(sent[field]); got != want {
			t.Errorf("%s: sent %s, want %s", field, got, want)
		}
	}
	var messages []json.RawMessage
	if err := json.Unmarshal(sent["messages"], &messages); err != nil || len(messages) != 4 {
		t.Fatalf("sent messages %s", sent["messages"])
	}
	for i, want := range []string{"Be kind.", "3 May 2026, user: I like tea.", "before", string(r.Messages[1].Raw)} {
		if !strings.Contains(string(messages[i]), want) {
			t.Errorf("message %d is %s, want %s in it", i, messages[i], want)
		}
	}
	for header, want := range map[string]string{"Aguante-Hop": "2", "Authorization": "Bearer secret", "Traceparent": "0af7651916cd43dd8448eb211c80319c"} {
		if got := s.last.Get(header); !strings.Contains(got, want) {
			t.Errorf("%s: sent %q, want %q", header, got, want)
		}
	}
}

func TestStreamsAnAnswer(t *testing.T) {
	tools := `[{"index":0,"id":"c1","function":{"name":"f","arguments":"{}"}}]`
	for name, ending := range map[string]string{
		"with everything":       finish + usage + done,
		"without done":          finish + usage,
		"without finish reason": usage + done,
		"with tool calls":       `data: {"choices":[{"index":0,"delta":{"tool_calls":` + tools + "}}]}\n\n" + finish + usage + done,
		"with a null content":   `data: {"choices":[{"index":0,"delta":{"content":null},"finish_reason":"stop"}]}` + "\n\n" + usage,
		"with a second choice":  `data: {"choices":[{"index":1,"delta":{"content":"other"}}]}` + "\n\n" + finish + usage + done,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t, func(w http.ResponseWriter, _ *http.Request) { say(w, ending, "Hó", "la ", "", "<b>") })
			var heard heard
			a, err := open(t, entry("primary", s.URL)).Answer(t.Context(), hello(), heard.emit)
			if err != nil || a.Text != "Hóla <b>" || heard.text.String() != a.Text || a.Finish != "stop" || a.Model != "m-1" || a.Usage.CompletionTokens != 7 {
				t.Errorf("heard %q, got %+v, %v", heard.text.String(), a, err)
			}
			if name == "with tool calls" && !slices.Equal(heard.tools, []string{tools}) {
				t.Errorf("heard tool calls %q", heard.tools)
			}
			if string(s.asked()[0]["stream"]) != "true" {
				t.Errorf("the engine was asked for no stream: %s", s.asked()[0])
			}
		})
	}
}

func TestStreamsAnAnswerThatComesWhole(t *testing.T) {
	s := newScripted(t, answerWhole)
	var heard heard
	a, err := open(t, entry("primary", s.URL)).Answer(t.Context(), hello(), heard.emit)
	if err != nil || heard.text.String() != a.Text || a.Text == "" {
		t.Errorf("heard %q, got %+v, %v", heard.text.String(), a, err)
	}
}

func TestEndsPromptlyWhenAFinishedStreamStaysOpen(t *testing.T) {
	var s *scripted
	s = newScripted(t, func(w http.ResponseWriter, r *http.Request) { say(w, finish, "Hi."); s.hang(r) })
	var heard heard
	began := time.Now()
	a, err := open(t, entry("primary", s.URL)).Answer(t.Context(), hello(), heard.emit)
	if err != nil || a.Text != "Hi." || time.Since(began) > 5*time.Second {
		t.Errorf("got %+v, %v after %s", a, err, time.Since(began))
	}
	<-s.left
}

// faults are what an engine may do instead of answering, before the first token.
var faults = map[string]struct {
	answer func(s *scripted, w http.ResponseWriter, r *http.Request)
	stream bool // only a fault of streams
	reason string
}{
	"500": {func(_ *scripted, w http.ResponseWriter, r *http.Request) { status(500)(w, r) }, false, "error"},
	"401": {func(_ *scripted, w http.ResponseWriter, r *http.Request) { status(401)(w, r) }, false, "error"},
	"redirect": {func(_ *scripted, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}, false, "error"},
	"reset":           {func(*scripted, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "error"},
	"silence":         {func(s *scripted, _ http.ResponseWriter, r *http.Request) { s.hang(r) }, false, "timeout"},
	"no JSON":         {func(_ *scripted, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, false, "error"},
	"no choice":       {func(_ *scripted, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"choices":[]}`) }, false, "error"},
	"empty":           {func(*scripted, http.ResponseWriter, *http.Request) {}, false, "error"},
	"half a document": {func(_ *scripted, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, whole[:40]) }, false, "error"},
	"malformed event": {func(_ *scripted, w http.ResponseWriter, _ *http.Request) { say(w, "data: {oops\n\n"+done) }, true, "error"},
	"error in the stream": {func(_ *scripted, w http.ResponseWriter, _ *http.Request) {
		say(w, "data: {\"error\":\"overloaded\"}\n\n")
	}, true, "error"},
	"stream without words": {func(_ *scripted, w http.ResponseWriter, _ *http.Request) { say(w, "") }, true, "error"},
	"headers only":         {func(s *scripted, w http.ResponseWriter, r *http.Request) { say(w, ""); s.hang(r) }, true, "timeout"},
}

func TestGoesOnToTheNextEngineBeforeTheFirstToken(t *testing.T) {
	for name, fault := range faults {
		for _, stream := range []bool{false, true} {
			if fault.stream && !stream {
				continue
			}
			t.Run(fmt.Sprintf("%s/stream=%t", name, stream), func(t *testing.T) {
				var bad *scripted
				bad = newScripted(t, func(w http.ResponseWriter, r *http.Request) { fault.answer(bad, w, r) })
				good := newScripted(t, func(w http.ResponseWriter, r *http.Request) {
					if stream {
						say(w, finish+done, "Hóla ", "<b>")
						return
					}
					answerWhole(w, r)
				})
				figures := []string{"    retries: 0"}
				if fault.reason == "timeout" {
					figures = append(figures, "    timeout: 300ms", "    first_token: 150ms")
				}
				c := open(t, entry("first", bad.URL, figures...), entry("second", good.URL))
				var heard heard
				emit := engine.Emit(heard.emit)
				if !stream {
					emit = nil
				}
				a, err := c.Answer(t.Context(), hello(), emit)
				want := []string{"first: " + fault.reason}
				if err != nil || a.Engine != "second" || !strings.HasPrefix(a.Text, "Hóla <b>") || !slices.Equal(reasons(a.Degraded), want) {
					t.Fatalf("got %+v, %v", a, err)
				}
				if stream && (heard.text.String() != a.Text || !slices.Equal(heard.degraded, want)) {
					t.Errorf("heard %q, degraded %q", heard.text.String(), heard.degraded)
				}
				if len(bad.asked()) != 1 {
					t.Errorf("the first engine was asked %d times", len(bad.asked()))
				}
			})
		}
	}
}

func TestEndsOnTheLocalEngineAndSaysWhy(t *testing.T) {
	down := httptest.NewServer(nil)
	down.Close()
	broken := newScripted(t, status(503))
	c := open(t, entry("first", down.URL), entry("second", broken.URL))
	recorder := decision.NewRecorder(time.Now())
	a, err := c.Answer(decision.Into(t.Context(), recorder), hello(), nil)
	if err != nil || a.Text != localAnswer || a.Engine != engine.Local || !slices.Equal(reasons(a.Degraded), []string{"first: error", "second: error"}) {
		t.Fatalf("got %+v, %v", a, err)
	}
	all := recorder.Decisions()
	if len(all) != 4 { // an attempt with the first, two with the second, which is the last of its kind
		t.Fatalf("decisions %+v", all)
	}
	choice := all[slices.IndexFunc(all, func(d decision.Decision) bool { return d.Kind == decision.Routing })]
	if choice.Selected != engine.Local || choice.Outcome != decision.Fallback || choice.Dependency != "first" ||
		!strings.Contains(choice.FallbackChain[0], "first: error (dial tcp") || choice.FallbackChain[1] != "second: error (answered 503)" {
		t.Errorf("the choice is recorded as %+v", choice)
	}
}

func TestAsksTheEngineThatIsNamedFirst(t *testing.T) {
	first, second := newScripted(t, answerWhole), newScripted(t, answerWhole)
	c := open(t, entry("first", first.URL, "    model: small"), entry("second", second.URL, "    model: large"))
	for model, want := range map[string]string{"": "first", "second": "second", "large": "second", "local": "local", "unknown": "first"} {
		r := hello()
		r.Model = model
		if a, err := c.Answer(t.Context(), r, nil); err != nil || a.Engine != want {
			t.Errorf("model %q: answered by %q, %v; want %q", model, a.Engine, err, want)
		}
	}
	if got := c.Models(); !slices.Equal(got, []string{"first", "second", "local"}) {
		t.Errorf("models %q", got)
	}
}

func TestARejectedRequestIsTheCallersToChange(t *testing.T) {
	s := newScripted(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`, http.StatusBadRequest)
	})
	c := open(t, entry("first", s.URL, "    retries: 3", "    breaker: {failures: 1}"))
	for range 3 {
		_, err := c.Answer(t.Context(), hello(), nil)
		rejected := (*engine.Rejected)(nil)
		if !errors.As(err, &rejected) || rejected.Status != 400 || rejected.Code != "context_length_exceeded" || rejected.Message != "too long" {
			t.Fatalf("got %v", err)
		}
	}
	if state := c.Statuses()[0].State; state != "closed" || len(s.asked()) != 3 {
		t.Errorf("asked %d times, breaker %s", len(s.asked()), state)
	}
}

func TestACallerWhoLeavesEndsTheCallAndIsNoFailure(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%t", stream), func(t *testing.T) {
			var s *scripted
			asked := make(chan struct{})
			s = newScripted(t, func(w http.ResponseWriter, r *http.Request) {
				if stream {
					say(w, "", "Hi ")
				}
				close(asked)
				s.hang(r)
			})
			other := newScripted(t, answerWhole)
			c := open(t, entry("first", s.URL, "    breaker: {failures: 1}"), entry("second", other.URL))
			ctx, leave := context.WithCancel(t.Context())
			go func() { <-asked; leave() }()
			emit := engine.Emit(func(engine.Piece) error { return nil })
			if !stream {
				emit = nil
			}
			_, err := c.Answer(ctx, hello(), emit)
			<-s.left
			if state := c.Statuses()[0].State; !errors.Is(err, engine.ErrLeft) || state != "closed" || len(other.asked()) != 0 {
				t.Errorf("got %v, breaker %s, the second asked %d times", err, state, len(other.asked()))
			}
		})
	}
}

func TestACallerWhoStopsReadingEndsTheCall(t *testing.T) {
	var s *scripted
	s = newScripted(t, func(w http.ResponseWriter, r *http.Request) { say(w, "", "Hi "); s.hang(r) })
	c := open(t, entry("first", s.URL, "    breaker: {failures: 1}"))
	_, err := c.Answer(t.Context(), hello(), func(engine.Piece) error { return errors.New("broken pipe") })
	<-s.left
	if state := c.Statuses()[0].State; !errors.Is(err, engine.ErrLeft) || state != "closed" {
		t.Errorf("got %v, breaker %s", err, state)
	}
}

func TestRetriesWhatMayPass(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   int
	}{
		"500":                       {status(500), 3},
		"429":                       {status(429), 4},
		"401":                       {status(401), 1},
		"no completion":             {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }, 3},
		"429 that asks for an hour": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Retry-After", "3600"); status(429)(w, r) }, 1},
	} {
		s := newScripted(t, c.answer)
		a, err := open(t, entry("first", s.URL, "    retries: 2", "    breaker: {failures: 9}")).Answer(t.Context(), hello(), nil)
		if err != nil || a.Engine != engine.Local || len(s.asked()) != c.want {
			t.Errorf("%s: asked %d times, want %d; %v", name, len(s.asked()), c.want, err)
		}
	}
}

func TestAnOpenBreakerSparesTheEngine(t *testing.T) {
	s := newScripted(t, status(500))
	c := open(t, entry("first", s.URL, "    breaker: {failures: 2, open: 60s}"))
	var last engine.Answer
	for range 20 {
		last, _ = c.Answer(t.Context(), hello(), nil)
	}
	if len(s.asked()) != 2 || !slices.Equal(reasons(last.Degraded), []string{"first: open"}) || c.Statuses()[0].State != "open" {
		t.Errorf("asked %d times, degraded %v, %+v", len(s.asked()), last.Degraded, c.Statuses())
	}
}

func TestAnEngineThatHangsLeavesTimeForTheNext(t *testing.T) {
	var s *scripted
	s = newScripted(t, func(_ http.ResponseWriter, r *http.Request) { s.hang(r) })
	for range 10 { // a machine that pauses just when the next one has its turn proves nothing
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		a, err := open(t, entry("first", s.URL)).Answer(ctx, hello(), nil)
		late := ctx.Err() != nil
		cancel()
		if late {
			continue
		}
		if err != nil || a.Text != localAnswer {
			t.Errorf("got %+v, %v", a, err)
		}
		return
	}
	t.Error("the next one had no time left")
}
