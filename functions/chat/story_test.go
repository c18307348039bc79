package chat_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
)

// materialize writes what chat sent into the graph, without the facts that the real one would draw.
func (r *rig) materialize(ctx context.Context, e event.Event) (*event.Event, error) {
	if e.Type() != event.TurnCompleted {
		return nil, nil
	}
	var turn event.Completed
	if err := e.DataAs(&turn); err != nil {
		return nil, &event.Never{Status: http.StatusBadRequest, Err: err}
	}
	_, err := r.graph.Write(ctx, []graph.Write{{Turn: turn, SentAt: e.Time()}})
	return nil, err
}

func TestWhatWasSaidIsRememberedInTheNextSession(t *testing.T) {
	r := start(t, nil)
	told := r.say(t, `{"message":"My sister Lucía lives in Cuenca.","user":"ana"}`)
	if told.SessionID == "" || told.TurnID == "" || told.TraceID == "" || told.Engine != "local" || len(told.Degraded) != 0 {
		t.Errorf("got %+v", told)
	}
	asked := r.say(t, `{"message":"Where does my sister Lucía live?","user":"ana"}`)
	if asked.SessionID == told.SessionID {
		t.Error("two sessions have one name")
	}
	if !strings.Contains(asked.Reply, "Cuenca") {
		t.Errorf("got %q", asked.Reply)
	}
	if len(asked.Recalled) == 0 || asked.Recalled[0].TurnID != told.TurnID {
		t.Errorf("recalled %+v, want the turn %s", asked.Recalled, told.TurnID)
	}
	other := r.say(t, `{"message":"Where does my sister Lucía live?","user":"eva"}`)
	if strings.Contains(other.Reply, "Cuenca") || len(other.Recalled) != 0 {
		t.Errorf("eva is told what ana said: %+v", other)
	}
}

func TestAStreamHoldsTheSameAnswer(t *testing.T) {
	r := start(t, nil)
	for name, ask := range map[string]func() (*http.Response, string){
		"by member": func() (*http.Response, string) {
			return r.do(t, http.MethodPost, "/chat", `{"message":"Hello","user":"ana","stream":true}`)
		},
		"by header": func() (*http.Response, string) {
			return r.do(t, http.MethodPost, "/chat", `{"message":"Hello","user":"ana"}`, "Accept", "text/html, text/event-stream;q=0.9")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, body := ask()
			if w.StatusCode != http.StatusOK || w.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%d %s: %s", w.StatusCode, w.Header.Get("Content-Type"), body)
			}
			var text strings.Builder
			all := events(t, body)
			for _, e := range all[:len(all)-1] {
				if e.name != "delta" {
					t.Errorf("an event %q before the end", e.name)
				}
				text.WriteString(decode[struct{ Text string }](t, e.data).Text)
			}
			done := all[len(all)-1]
			if got := decode[reply](t, done.data); done.name != "done" || got.Reply != text.String() || got.Reply == "" {
				t.Errorf("pieces %q, then %s %s", text.String(), done.name, done.data)
			}
		})
	}
}

func TestASessionCanBeReadAndDeleted(t *testing.T) {
	r := start(t, nil)
	r.say(t, `{"message":"I am Ana.","user":"ana","session_id":"s-1"}`)
	_, body := r.do(t, http.MethodGet, "/sessions/s-1", "")
	history := decode[struct {
		SessionID string `json:"session_id"`
		Messages  []struct{ Role, Content string }
	}](t, body)
	if history.SessionID != "s-1" || len(history.Messages) != 2 || history.Messages[0].Content != "I am Ana." || history.Messages[1].Role != "assistant" {
		t.Errorf("got %s", body)
	}
	if w, body := r.do(t, http.MethodDelete, "/sessions/s-1", ""); w.StatusCode != http.StatusNoContent {
		t.Errorf("delete: %d %s", w.StatusCode, body)
	}
	if w, body := r.do(t, http.MethodGet, "/sessions/s-1", ""); w.StatusCode != http.StatusNotFound {
		t.Errorf("after delete: %d %s", w.StatusCode, body)
	}
}

func TestAForgottenUserIsForgotten(t *testing.T) {
	r := start(t, nil)
	r.say(t, `{"message":"My sister Lucía lives in Cuenca.","user":"ana"}`)
	_, body := r.do(t, http.MethodGet, "/recall?user=ana&q=sister", "")
	if items := decode[recall](t, body).Items; len(items) != 1 || !strings.Contains(items[0].Text, "Cuenca") || items[0].At == "" {
		t.Errorf("before: %s", body)
	}
	if w, body := r.do(t, http.MethodDelete, "/users/ana", ""); w.StatusCode != http.StatusAccepted {
		t.Errorf("forget: %d %s", w.StatusCode, body)
	}
	_, body = r.do(t, http.MethodGet, "/recall?user=ana&q=sister", "")
	if items := decode[recall](t, body).Items; items == nil || len(items) != 0 {
		t.Errorf("after: %s", body)
	}
}

type recall struct {
	Items []struct {
		Text string  `json:"text"`
		At   string  `json:"at"`
		Fact *string `json:"fact"`
	} `json:"items"`
}

func TestItAnswersWithEverythingElseDown(t *testing.T) {
	r := start(t, func(c *chat.Config) {
		c.RedisURL, c.Graph, c.Sink = "redis://127.0.0.1:1", nil, "http://127.0.0.1:1"
		c.Neo4jURI, c.Neo4jUsername = "bolt://127.0.0.1:1", "neo4j"
	})
	for range 5 {
		got := r.say(t, `{"message":"Hello","user":"ana"}`)
		down := map[string]bool{}
		for _, d := range got.Degraded {
			down[d.Dependency] = true
		}
		if got.Reply == "" || !down["redis"] || !down["neo4j"] || !down["broker"] {
			t.Errorf("got %+v", got)
		}
	}
	if w, body := r.do(t, http.MethodGet, "/readyz", ""); w.StatusCode != http.StatusOK {
		t.Errorf("readyz: %d %s", w.StatusCode, body)
	}
	_, body := r.do(t, http.MethodGet, "/health", "")
	if health := decode[struct{ Status string }](t, body); health.Status != "degraded" {
		t.Errorf("health: %s", body)
	}
	if w, body := r.do(t, http.MethodGet, "/recall?user=ana&q=sister", ""); w.StatusCode != http.StatusServiceUnavailable || w.Header.Get("Retry-After") == "" {
		t.Errorf("recall: %d %s", w.StatusCode, body)
	}
}

func TestItAnswersWithNothingConfigured(t *testing.T) {
	r := start(t, func(c *chat.Config) { *c = chat.Config{} })
	got := r.say(t, `{"message":"Hello","user":"ana"}`)
	if got.Reply == "" || len(got.Degraded) == 0 {
		t.Errorf("got %+v", got)
	}
	raw, _ := json.Marshal(got.Degraded)
	if !strings.Contains(string(raw), "not configured") {
		t.Errorf("degraded: %s", raw)
	}
}
