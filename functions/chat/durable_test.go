package chat_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// lacking are the dependencies that a reply did without.
func (r reply) lacking() (names []string) {
	for _, d := range r.Degraded {
		names = append(names, d.Dependency)
	}
	return names
}

func TestATurnThatOnlyMemoryHoldsSaysSoAndIsHandedOverWhenOneWayIsBack(t *testing.T) {
	var r *rig
	var back atomic.Bool
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !back.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		event.Handler("test", r.materialize, event.HandlerOptions{}).ServeHTTP(w, q)
	}))
	t.Cleanup(broker.Close)
	r = start(t, func(c *chat.Config) {
		c.Sink, c.MaterializeURL, c.RedisURL = broker.URL, "http://127.0.0.1:1", "redis://127.0.0.1:1"
	})
	told := r.say(t, `{"message":"My sister Lucía lives in Cuenca.","user":"ana"}`)
	for _, name := range []string{"broker", "materialize", "outbox"} {
		if !slices.Contains(told.lacking(), name) {
			t.Errorf("it does not say that it did without %s: %v", name, told.Degraded)
		}
	}
	back.Store(true)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if turns, err := r.graph.Session(t.Context(), "ana", told.SessionID, 10); err == nil && len(turns) == 1 && turns[0].ID == told.TurnID {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the turn does not come to the graph")
		}
	}
}

func TestATurnThatNothingTakesUntilTheEndIsCounted(t *testing.T) {
	instruments := telemetry.Nop()
	f, err := chat.New(t.Context(), chat.Config{RedisURL: "redis://127.0.0.1:1", MaterializeURL: "http://127.0.0.1:1", Telemetry: instruments})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(f.Handler)
	r := &rig{Server: s}
	told := r.say(t, `{"message":"My sister Lucía lives in Cuenca.","user":"ana"}`)
	s.Close()
	grace, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := f.Close(grace); err != nil {
		t.Error(err)
	}
	if lost := testutil.ToFloat64(instruments.Metrics.EventsLost); lost != 1 || !slices.Contains(told.lacking(), "outbox") {
		t.Errorf("%v lost; the reply says %v", lost, told.Degraded)
	}
}
