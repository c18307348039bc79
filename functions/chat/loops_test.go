package chat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// ring is chats that have each other, or themselves, for engines.
type ring struct {
	told    *telemetry.Telemetry
	servers []*httptest.Server
	chats   []*serve.Function

	mu      sync.Mutex
	calls   map[int]map[int]int // by hops and status
	refused int                 // decision traces that name the hops
}

// newRing starts a chat for each line of targets, whose engines are the chats at these places.
func newRing(t *testing.T, targets [][]int) *ring {
	t.Helper()
	r := &ring{told: telemetry.Nop(), calls: map[int]map[int]int{}}
	handlers := make([]atomic.Pointer[http.Handler], len(targets)) // a chat's address is known before the chat is
	for i := range targets {
		r.serve(func(w http.ResponseWriter, q *http.Request) { r.watch(*handlers[i].Load(), w, q) })
	}
	sink := r.serve(event.Handler("/test", r.decided, event.HandlerOptions{}).ServeHTTP)
	for i, engines := range targets {
		c := chat.Config{Telemetry: r.told, EnginesFile: r.engines(t, engines)}
		c.Sink = sink
		f, err := chat.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		handlers[i].Store(&f.Handler)
		r.chats = append(r.chats, f)
	}
	return r
}

func (r *ring) serve(h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	r.servers = append(r.servers, server)
	return server.URL
}

// engines writes an engines file of the chats at these places.
func (r *ring) engines(t *testing.T, places []int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "engines.yaml")
	text := "engines:\n"
	for _, at := range places {
		text += fmt.Sprintf("- {name: chat%d, url: '%s/v1', model: local}\n", at, r.servers[at].URL)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// close drains the chats, and with them the decision traces that are on their way.
func (r *ring) close(t *testing.T) {
	t.Helper()
	for _, f := range r.chats {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	for _, s := range r.servers {
		s.Close()
	}
}

// watch passes a call on and counts it.
func (r *ring) watch(h http.Handler, w http.ResponseWriter, q *http.Request) {
	hops, _ := strconv.Atoi(q.Header.Get("Aguante-Hop"))
	seen := &status{ResponseWriter: w, code: http.StatusOK}
	h.ServeHTTP(seen, q)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[hops] == nil {
		r.calls[hops] = map[int]int{}
	}
	r.calls[hops][seen.code]++
}

// status keeps the code of an answer that passes through.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) { s.code = code; s.ResponseWriter.WriteHeader(code) }

func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (r *ring) decided(_ context.Context, e event.Event) (*event.Event, error) {
	var trace decision.Trace
	if err := e.DataAs(&trace); err != nil {
		return nil, err
	}
	if trace.Outcome == decision.Refused && strings.Contains(string(e.Data()), "hops") {
		r.mu.Lock()
		r.refused++
		r.mu.Unlock()
	}
	return nil, nil
}

// TestEnginesThatPointBackAtChatStopWithinThreeHops has chats ask each other in every topology: the caller is answered, by a
// local engine, nobody is asked beyond the third hop, and each call that is refused is counted and in a decision trace.
func TestEnginesThatPointBackAtChatStopWithinThreeHops(t *testing.T) {
	rapid.Check(t, func(draw *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(draw, "chats")
		targets := make([][]int, n)
		for i := range targets {
			targets[i] = rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, min(n, 2), rapid.ID).Draw(draw, "engines")
		}
		r := newRing(t, targets)
		answer, err := http.Post(r.servers[0].URL+"/chat", "application/json", strings.NewReader(`{"message": "Hello."}`))
		if err != nil {
			draw.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			draw.Errorf("the caller gets %d", answer.StatusCode)
		}
		r.close(t)
		r.judge(draw)
	})
}

// judge wants no call beyond the first that makes one hop too many, and the refusals told.
func (r *ring) judge(t *rapid.T) {
	refused := 0
	for hops, by := range r.calls {
		for code, times := range by {
			want := http.StatusOK
			if hops > limits.MaxHops {
				want = http.StatusLoopDetected
				refused += times
			}
			if code != want || hops > limits.MaxHops+1 {
				t.Errorf("after %d hops %d calls were answered %d", hops, times, code)
			}
		}
	}
	counted := int(testutil.ToFloat64(r.told.Metrics.HopsRefused))
	if refused == 0 || counted != refused || r.refused != refused {
		t.Errorf("%d calls were refused, %d counted, %d told", refused, counted, r.refused)
	}
}
