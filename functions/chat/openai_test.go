package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

type completion struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Message, Delta struct {
			Role, Content string
		}
		Finish *string `json:"finish_reason"`
	}
	Usage *struct {
		Total int `json:"total_tokens"`
	}
	Aguante *struct {
		TurnID   string `json:"turn_id"`
		Degraded []any  `json:"degraded"`
	}
}

func TestCompletion(t *testing.T) {
	r := start(t, nil)
	w, body := r.do(t, http.MethodPost, "/v1/chat/completions", `{"model":"local","user":"ana","messages":[{"role":"user","content":"My sister Lucía lives in Cuenca."}]}`)
	if w.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", w.StatusCode, body)
	}
	c := decode[completion](t, body)
	if c.Object != "chat.completion" || !strings.HasPrefix(c.ID, "chatcmpl-") || len(c.Choices) != 1 || c.Usage == nil || c.Created == 0 {
		t.Fatalf("got %s", body)
	}
	if one := c.Choices[0]; one.Message.Role != "assistant" || one.Message.Content == "" || *one.Finish != "stop" {
		t.Errorf("got %s", body)
	}
	session := w.Header.Get("Aguante-Session")
	if session == "" {
		t.Fatal("the session is not named")
	}
	_, body = r.do(t, http.MethodGet, "/sessions/"+session, "")
	if !strings.Contains(body, "Cuenca") {
		t.Errorf("the session holds %s", body)
	}
}

func TestCompletionStream(t *testing.T) {
	r := start(t, nil)
	w, body := r.do(t, http.MethodPost, "/v1/chat/completions", `{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hello"}]}`)
	if w.StatusCode != http.StatusOK || w.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", w.StatusCode, body)
	}
	all := events(t, body)
	if len(all) < 4 || all[len(all)-1].data != "[DONE]" {
		t.Fatalf("got %s", body)
	}
	chunks := make([]completion, 0, len(all))
	var text strings.Builder
	for _, e := range all[:len(all)-1] {
		c := decode[completion](t, e.data)
		if e.name != "" || c.Object != "chat.completion.chunk" || c.ID != chunks0(chunks, c).ID {
			t.Errorf("not a chunk of this answer: %+v", e)
		}
		for _, one := range c.Choices {
			text.WriteString(one.Delta.Content)
		}
		chunks = append(chunks, c)
	}
	last, usage := chunks[len(chunks)-2], chunks[len(chunks)-1]
	if chunks[0].Choices[0].Delta.Role != "assistant" || *last.Choices[0].Finish != "stop" || len(usage.Choices) != 0 || usage.Usage == nil || text.Len() == 0 {
		t.Errorf("got %s", body)
	}
}

func chunks0(chunks []completion, c completion) completion {
	if len(chunks) == 0 {
		return c
	}
	return chunks[0]
}

func TestModels(t *testing.T) {
	r := start(t, nil)
	_, body := r.do(t, http.MethodGet, "/v1/models", "")
	models := decode[struct {
		Object string
		Data   []struct{ ID, Object string }
	}](t, body)
	if models.Object != "list" || len(models.Data) != 1 || models.Data[0].ID != "local" || models.Data[0].Object != "model" {
		t.Errorf("got %s", body)
	}
	if w, _ := r.do(t, http.MethodGet, "/v1/models/local", ""); w.StatusCode != http.StatusOK {
		t.Errorf("local: %d", w.StatusCode)
	}
	if w, body := r.do(t, http.MethodGet, "/v1/models/some/other", ""); w.StatusCode != http.StatusNotFound || !strings.Contains(body, "model_not_found") {
		t.Errorf("other: %d %s", w.StatusCode, body)
	}
}

// scripted is an engine that answers as it is told and keeps what it was asked.
type scripted struct {
	mu     sync.Mutex
	asked  []map[string]json.RawMessage
	header []http.Header
	answer func(http.ResponseWriter)
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members)
	s.mu.Lock()
	s.asked, s.header = append(s.asked, members), append(s.header, r.Header)
	s.mu.Unlock()
	s.answer(w)
}

func withEngine(t *testing.T, answer func(http.ResponseWriter)) (*rig, *scripted) {
	t.Helper()
	s := &scripted{answer: answer}
	engine := httptest.NewServer(s)
	t.Cleanup(engine.Close)
	r := start(t, func(c *chat.Config) {
		c.EnginesFile = file(t, "engines.yaml", "engines: [{name: primary, url: "+engine.URL+"/v1, model: big}]")
	})
	return r, s
}

func TestUnknownFieldsReachTheEngineAndTheHopCountGrows(t *testing.T) {
	r, s := withEngine(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"id":"x","object":"chat.completion","model":"big-1","choices":[{"index":0,"message":{"role":"assistant","content":"Seven."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`)
	})
	w, body := r.do(t, http.MethodPost, "/v1/chat/completions",
		`{"model":"big","temperature":0.25,"future":{"a":[1]},"messages":[{"role":"user","content":"3+4?"}]}`, "Aguante-Hop", "1",
		"X-Envoy-Expected-Rq-Timeout-Ms", "8000")
	c := decode[completion](t, body)
	if w.StatusCode != http.StatusOK || c.Choices[0].Message.Content != "Seven." || c.Model != "big-1" || c.Usage.Total != 5 {
		t.Fatalf("%d %s", w.StatusCode, body)
	}
	if len(s.asked) != 1 || string(s.asked[0]["temperature"]) != "0.25" || string(s.asked[0]["future"]) != `{"a":[1]}` {
		t.Errorf("the engine was asked %s", s.asked)
	}
	if s.header[0].Get("Aguante-Hop") != "2" {
		t.Errorf("the engine got hop count %q", s.header[0].Get("Aguante-Hop"))
	}
	if ms, err := strconv.Atoi(s.header[0].Get("X-Envoy-Expected-Rq-Timeout-Ms")); err != nil || ms <= 0 || ms > 8000 {
		t.Errorf("the engine is told that %d ms are left, %v", ms, err)
	}
}

func TestAnEnginesRefusalReachesTheCallerAndIsNotRoutedAround(t *testing.T) {
	r, s := withEngine(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":{"message":"The response was filtered.","type":"invalid_request_error","param":"prompt","code":"content_filter"}}`)
	})
	for _, stream := range []string{"false", "true"} {
		w, body := r.do(t, http.MethodPost, "/v1/chat/completions", `{"model":"big","stream":`+stream+`,"messages":[{"role":"user","content":"x"}]}`)
		if w.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"code":"content_filter"`) || !strings.Contains(body, "The response was filtered.") {
			t.Errorf("stream %s: %d %s", stream, w.StatusCode, body)
		}
	}
	w, body := r.do(t, http.MethodPost, "/chat", `{"message":"x"}`)
	if w.StatusCode != http.StatusBadRequest || !strings.Contains(body, "The response was filtered.") {
		t.Errorf("%d %s", w.StatusCode, body)
	}
	if len(s.asked) != 3 {
		t.Errorf("the engine was asked %d times for 3 requests", len(s.asked))
	}
}

func TestABrokenEngineIsSaidAndTheNextOneAnswers(t *testing.T) {
	r, _ := withEngine(t, func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
	got := r.say(t, `{"message":"Hello"}`)
	if got.Engine != "local" || got.Reply == "" || len(got.Degraded) != 1 || got.Degraded[0].Dependency != "primary" {
		t.Errorf("got %+v", got)
	}
}

func TestAStreamThatIsCutEndsWithAnError(t *testing.T) {
	r, _ := withEngine(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Sev\"}}]}\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	_, body := r.do(t, http.MethodPost, "/chat", `{"message":"x","stream":true}`)
	all := events(t, body)
	if last := all[len(all)-1]; last.name != "error" || !strings.Contains(last.data, `"status":500`) {
		t.Errorf("/chat: %s", body)
	}
	_, body = r.do(t, http.MethodPost, "/v1/chat/completions", `{"model":"big","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	all = events(t, body)
	if last := all[len(all)-1]; !strings.Contains(last.data, `"code":"answer_cut_off"`) {
		t.Errorf("/v1/chat/completions: %s", body)
	}
}

func TestACallerWhoLeavesCancelsTheEngineAndIsNoFailure(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	engine := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
		close(left)
	}))
	t.Cleanup(engine.Close)
	tell := telemetry.Nop()
	r := start(t, func(c *chat.Config) {
		c.Telemetry = tell
		c.EnginesFile = file(t, "engines.yaml", "engines: [{name: primary, url: "+engine.URL+", model: big}]")
	})
	ctx, leave := context.WithCancel(t.Context())
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/chat", strings.NewReader(`{"message":"Hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	go func() {
		<-asked
		leave()
	}()
	if w, err := r.Client().Do(q); err == nil {
		_ = w.Body.Close()
		t.Fatal("answered")
	}
	<-left
	eventually(t, "the request counts as left", func() bool {
		return testutil.ToFloat64(tell.Metrics.ChatRequests.WithLabelValues("/chat", "499")) == 1
	})
	if n := testutil.ToFloat64(tell.Metrics.DependencyCalls.WithLabelValues("primary", "error")); n != 0 {
		t.Errorf("the engine is blamed %v times", n)
	}
}
