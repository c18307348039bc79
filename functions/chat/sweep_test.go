package chat_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/aguante-chat/aguante/functions/chat"
)

// ping is what a PingSource sends, as headers.
func ping(typ string) []string {
	return []string{"Ce-Specversion", "1.0", "Ce-Type", typ, "Ce-Source", "/apis/v1/namespaces/aguante/pingsources/outbox", "Ce-Id", "1"}
}

const pinged = "dev.knative.sources.ping"

func TestAPingEmptiesTheOutboxOfAChatAtZero(t *testing.T) {
	redis := miniredis.RunT(t)
	var told reply
	t.Run("an instance that leaves", func(t *testing.T) {
		r := start(t, func(c *chat.Config) { c.RedisURL, c.Sink = "redis://"+redis.Addr(), "http://127.0.0.1:1" })
		told = r.say(t, `{"message":"My sister Lucía lives in Cuenca.","user":"ana"}`)
	})
	redis.SetTime(time.Now().Add(time.Minute)) // what it had taken to send may be claimed
	r := start(t, func(c *chat.Config) { c.RedisURL = "redis://" + redis.Addr() })
	if w, body := r.do(t, http.MethodPost, "/outbox/sweep", "{}", ping(pinged)...); w.StatusCode != http.StatusAccepted || body != "" {
		t.Fatalf("%d %s", w.StatusCode, body)
	}
	turns, err := r.graph.Session(t.Context(), "ana", told.SessionID, 10)
	if err != nil || len(turns) != 1 || turns[0].ID != told.TurnID {
		t.Errorf("%+v, %v", turns, err)
	}
}

func TestAPingIsToldWhenTheOutboxCannotBeEmptied(t *testing.T) {
	down := start(t, func(c *chat.Config) { c.Sink = "http://127.0.0.1:1" })
	down.say(t, `{"message":"My sister Lucía lives in Cuenca.","user":"ana"}`)
	for name, c := range map[string]struct {
		rig     *rig
		headers []string
		status  int
	}{
		"the broker is down": {down, ping(pinged), http.StatusServiceUnavailable},
		"another event":      {down, ping("dev.aguante.turn.completed.v1"), http.StatusUnprocessableEntity},
		"no event":           {down, nil, http.StatusUnsupportedMediaType},
		"too many hops":      {down, append(ping(pinged), "Ce-Hops", "4"), http.StatusUnprocessableEntity},
		"there is no outbox": {start(t, func(c *chat.Config) { c.RedisURL = "" }), ping(pinged), http.StatusAccepted},
	} {
		w, body := c.rig.do(t, http.MethodPost, "/outbox/sweep", "{}", c.headers...)
		if w.StatusCode != c.status || (c.status == http.StatusServiceUnavailable) != (w.Header.Get("Retry-After") != "") {
			t.Errorf("%s: %d %s", name, w.StatusCode, body)
		}
	}
}
