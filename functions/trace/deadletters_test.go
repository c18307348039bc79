package trace

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/shared/event"
)

func (r *running) forget(user string, at time.Time) {
	r.t.Helper()
	if a := r.send("/", event.UserForgotten, "forget-"+user, event.Forgotten{User: user, At: at}); a.status != http.StatusAccepted {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
}

func TestAForgottenUserStaysForgotten(t *testing.T) {
	dir := t.TempDir()
	r := run(t, Config{DataDir: dir})
	early, late := turn("early", "ana-of-the-hills", today.Add(-time.Hour)), turn("late", "ana-of-the-hills", today.Add(time.Second))
	sent := []string{"Ce-Time", today.Add(-time.Hour).Format(time.RFC3339)}
	letter := func(id string, data any) answer {
		return r.send("/dead-letters", event.TurnCompleted, id, data, sent...)
	}
	r.decide(early, turn("hers", "eva", today.Add(-time.Hour)))
	letter("d1", map[string]any{"user": "ana-of-the-hills", "messages": []any{map[string]any{"content": "a dead secret"}}})
	letter("d2", `{"user": "ana-of-the-hills", "messages": [`)
	letter("d3", map[string]any{"user": "eva"})
	r.send("/dead-letters", event.UserForgotten, "d4", event.Forgotten{User: "ana-of-the-hills"}, sent...)

	r.forget("ana-of-the-hills", today)
	r.decide(early, late)                                                         // redelivered, and new
	letter("d1", map[string]any{"user": "ana-of-the-hills", "messages": []any{}}) // redelivered

	if got := strings.Join(r.turns(""), " "); got != "late hers" {
		t.Fatalf("left %q", got)
	}
	if ids := r.letters(); len(ids) != 2 || ids["d3"] == "" || ids["d4"] == "" {
		t.Fatalf("dead letters left: %v", ids)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		if body, _ := os.ReadFile(file); bytes.Contains(body, []byte("a dead secret")) {
			t.Errorf("%s still holds what was erased", filepath.Base(file))
		}
	}
}

// letters are the ids of the dead letters by the ids of their events.
func (r *running) letters() map[string]string {
	r.t.Helper()
	ids := map[string]string{}
	for _, l := range r.letterList() {
		ids[l.EventID] = l.ID
	}
	return ids
}

type deadLetter struct {
	ID, State, Reason, Destination string
	EventID                        string `json:"event_id"`
	Arrivals, Replays, Code, Hops  int
}

func (r *running) letterList() []deadLetter {
	r.t.Helper()
	var list struct {
		DeadLetters []deadLetter `json:"dead_letters"`
	}
	a := r.do(http.MethodGet, "/dead-letters?limit=500", "")
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
	return list.DeadLetters
}

func TestADeadLetterIsKeptHoweverItComes(t *testing.T) {
	r := run(t, Config{})
	why := base64.StdEncoding.EncodeToString([]byte(`{"title":"Never send it again","detail":"messages: is missing"}`))
	failed := []string{"Ce-Knativeerrordest", "http://materialize/", "Ce-Knativeerrorcode", "422", "Ce-Knativeerrordata", why, "Ce-Hops", "9"}
	for range 3 {
		if a := r.send("/dead-letters", "com.example.any", "d1", "not even json", failed...); a.status != http.StatusAccepted || a.body != "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	structured := `{"specversion":"1.0","type":"com.example.any","source":"/test","id":"d1","knativeerrordest":"http://other/","data":{"user":7}}`
	if a := r.do(http.MethodPost, "/dead-letters", structured, "Content-Type", "application/cloudevents+json"); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.problem(r.do(http.MethodPost, "/dead-letters", "hello", "Content-Type", "text/plain"), http.StatusUnsupportedMediaType)

	list := r.letterList()
	if len(list) != 2 {
		t.Fatalf("one event that two would not take makes two letters, got %+v", list)
	}
	got := list[1]
	if got.Arrivals != 3 || got.Code != 422 || got.Hops != 9 || got.Destination != "http://materialize/" ||
		got.Reason != "Never send it again: messages: is missing" || got.State != "waiting" {
		t.Fatalf("%+v", got)
	}
	if n := testutil.ToFloat64(r.telemetry.Metrics.DeadLetters); n != 2 {
		t.Fatalf("gauge: %v", n)
	}
}
