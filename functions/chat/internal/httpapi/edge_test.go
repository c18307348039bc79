package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func edgeOf(serve func(http.ResponseWriter, *http.Request, *call) error) (*api, http.Handler, *bytes.Buffer) {
	var log bytes.Buffer
	a := &api{Parts{Telemetry: telemetry.Nop()}}
	a.Telemetry.Log = slog.New(slog.NewJSONHandler(&log, nil))
	return a, a.edge(route{http.MethodPost, "/chat", classChat, serve, writeProblem}), &log
}

func TestEveryRequestIsOneLineAndOneCountWithoutWhatWasSaid(t *testing.T) {
	degraded := turn.Reply{TurnID: "t-1"}
	degraded.Degraded = []guard.Degraded{{Zone: "graph", Dependency: "neo4j", Reason: "open"}}
	for name, c := range map[string]struct {
		serve         func(http.ResponseWriter, *http.Request, *call) error
		outcome, code string
	}{
		"answered": {func(w http.ResponseWriter, _ *http.Request, _ *call) error { writeJSON(w, 200, 1); return nil }, "ok", "200"},
		"degraded": {func(w http.ResponseWriter, _ *http.Request, c *call) error {
			c.note(w, degraded)
			writeJSON(w, 200, 1)
			return nil
		}, "degraded", "200"},
		"refused": {func(http.ResponseWriter, *http.Request, *call) error { return invalid("message", "is secret") }, "refused", "400"},
		"failed":  {func(http.ResponseWriter, *http.Request, *call) error { return errors.New("no disk") }, "error", "500"},
		"left":    {func(http.ResponseWriter, *http.Request, *call) error { return engine.ErrLeft }, "left", "499"},
		"panic":   {func(http.ResponseWriter, *http.Request, *call) error { panic("secret") }, "error", "500"},
	} {
		t.Run(name, func(t *testing.T) {
			a, edge, log := edgeOf(c.serve)
			w := httptest.NewRecorder()
			edge.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/chat", strings.NewReader("secret")))
			lines := bytes.Split(bytes.TrimSpace(log.Bytes()), []byte("\n"))
			var line struct {
				Msg     string
				Outcome string
				Status  json.Number
				TraceID string `json:"trace_id"`
			}
			if err := json.Unmarshal(lines[len(lines)-1], &line); err != nil {
				t.Fatal(err)
			}
			if line.Msg != "request" || line.Outcome != c.outcome || line.Status.String() != c.code || len(line.TraceID) != 32 {
				t.Errorf("got %s", log)
			}
			if strings.Contains(log.String(), "secret") || strings.Contains(w.Body.String(), "secret") && c.code != "400" {
				t.Errorf("it tells what was said: %s %s", log, w.Body)
			}
			if n := testutil.ToFloat64(a.Telemetry.Metrics.ChatRequests.WithLabelValues("/chat", c.code)); n != 1 {
				t.Errorf("counted %v times", n)
			}
		})
	}
}

func TestAPanicInAStreamCutsIt(t *testing.T) {
	_, edge, _ := edgeOf(func(w http.ResponseWriter, _ *http.Request, _ *call) error {
		s := newStream(w, "t-1")
		defer s.close()
		_ = s.send("delta", delta{Text: "half an"})
		panic("bug")
	})
	defer func() {
		if recover() != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			t.Error("the stream ended as if it were whole")
		}
	}()
	edge.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/chat", nil))
}

func TestTheCallersTraceGoesOn(t *testing.T) {
	const parent = "4bf92f3577b34da6a3ce929d0e0e4736"
	_, edge, log := edgeOf(func(http.ResponseWriter, *http.Request, *call) error { return nil })
	r := httptest.NewRequest(http.MethodPost, "/chat", nil)
	r.Header.Set("traceparent", "00-"+parent+"-00f067aa0ba902b7-01")
	edge.ServeHTTP(httptest.NewRecorder(), r)
	if !strings.Contains(log.String(), parent) {
		t.Errorf("got %s", log)
	}
}
