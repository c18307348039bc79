package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/local"
	"github.com/aguante-chat/aguante/functions/chat/internal/session"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sent gathers the events of turns; it is both Outbox and Publisher.
type sent struct {
	mu     sync.Mutex
	events []event.Event
	way    string
	lacks  []guard.Degraded
	before func() // is called when an event comes in
}

func (s *sent) Send(_ context.Context, e event.Event) (string, []guard.Degraded) {
	if s.before != nil {
		s.before()
	}
	s.Offer(e)
	return s.way, s.lacks
}

func (s *sent) Offer(e event.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	return true
}

func (s *sent) Statuses() []guard.Status { return nil }

// data decodes the last event of a type.
func data[T any](t testing.TB, s *sent, typ string) (value T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.events) {
		if e.Type() == typ {
			if err := json.Unmarshal(e.Data(), &value); err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("no %s among %d events", typ, len(s.events))
	return value
}

// flags are on when they are in it.
type flags map[string]bool

func (f flags) Enabled(name string) bool { return f[name] }

func allOn() flags { return flags{"async-enabled": true, "decision-trace-enabled": true} }

// patient is a dependency on a busy machine.
func patient(d limits.Dependency) *guard.Guard {
	d.Timeout = 5 * time.Second
	return guard.New(d, nil)
}

// house is a Teller with real parts: an embedded Redis, a graph in a file, the local engine.
type house struct {
	turn.Parts
	store *embedded.Store
	redis *miniredis.Miniredis
	sent  *sent
}

func build(t testing.TB) *house {
	t.Helper()
	h := &house{redis: miniredis.RunT(t), sent: &sent{way: event.WayBroker}}
	sessions, err := session.New("redis://" + h.redis.Addr() + "?read_timeout=5s&dial_timeout=5s&write_timeout=5s&pool_timeout=5s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sessions.Disconnect() })
	if h.store, err = embedded.Open(t.Context(), filepath.Join(t.TempDir(), "graph.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.store.Close() })
	nop := telemetry.Nop()
	chain, err := chain.Open(chain.Config{Last: local.Engine{}, Tracer: nop.Tracer, Meter: nop.Meter, Log: nop.Log})
	if err != nil {
		t.Fatal(err)
	}
	h.Parts = turn.Parts{
		Sessions: sessions, Archive: sessions, Memory: h.store, Engines: chain, Outbox: h.sent, Publisher: h.sent,
		Redis: patient(limits.Redis), Graph: patient(limits.Neo4jRead), Flags: allOn(), Telemetry: nop, Source: "/chat",
	}
	return h
}

// tell makes a Teller of the house as it is now.
func (h *house) tell() *turn.Teller { return turn.New(h.Parts) }

// remember puts into the graph what materialize would.
func (h *house) remember(t testing.TB, user, text string) {
	t.Helper()
	id := fmt.Sprintf("earlier-%d", len(text))
	w := graph.Write{SentAt: time.Now(), Turn: graph.Turn{ID: id, SessionID: "earlier", User: user, Messages: []graph.Message{
		{Role: engine.User, Content: text, At: time.Now().Add(-time.Minute)},
	}}}
	if _, err := h.store.Write(t.Context(), []graph.Write{w}); err != nil {
		t.Fatal(err)
	}
}

func says(user, text string) turn.Turn {
	return turn.Turn{
		User: user, Route: "/chat", Caller: turn.Caller{Address: "192.0.2.1", Class: "chat", Rate: limits.AnonymousChat},
		Messages: []engine.Message{{Role: engine.User, Content: text}},
	}
}

func take(t testing.TB, s *turn.Teller, in turn.Turn) turn.Reply {
	t.Helper()
	reply, err := s.Take(t.Context(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func words(all []guard.Degraded) []string {
	var words []string
	for _, d := range all {
		words = append(words, d.Zone+" "+d.Dependency+": "+d.Reason)
	}
	return words
}

func stages(all []decision.Decision) []string {
	var words []string
	for _, d := range all {
		words = append(words, d.Stage+": "+d.Selected)
	}
	return words
}

func TestTellsATurn(t *testing.T) {
	h := build(t)
	h.remember(t, "ana", "My sister Lucía lives in Cuenca.")
	reply := take(t, h.tell(), says("ana", "Where does my sister live?"))

	if want := "You told me that your sister Lucía lives in Cuenca."; reply.Text != want || reply.Engine != "local" || reply.Degraded != nil {
		t.Errorf("got %+v", reply)
	}
	if len(reply.Recalled) != 1 || reply.Recalled[0].TurnID == "" || reply.Limit == nil || reply.Limit.Remaining != limits.AnonymousChat.Burst-1 {
		t.Errorf("recalled %+v, limit %+v", reply.Recalled, reply.Limit)
	}
	completed := data[event.Completed](t, h.sent, event.TurnCompleted)
	if completed.ID != reply.TurnID || completed.SessionID != reply.SessionID || completed.User != "ana" || completed.Engine != "local" ||
		len(completed.Messages) != 2 || completed.Messages[0].Content != "Where does my sister live?" || completed.Messages[1].Content != reply.Text {
		t.Errorf("sent %+v", completed)
	}
	trace := data[decision.Trace](t, h.sent, event.TurnDecided)
	want := []string{"admit: let in, 99 left", "recall: graph: 1 items", "recall: a new session", "answer: local", "record: broker", "record: kept 2 messages for 30 days"}
	if got := stages(trace.Decisions); !slices.Equal(sorted(got), sorted(want)) || trace.Outcome != decision.Success || trace.Level != 0 || trace.Content != nil || trace.TurnID != reply.TurnID {
		t.Errorf("decided %q\n%+v", got, trace)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestASessionGoesOn(t *testing.T) {
	h := build(t)
	s := h.tell()
	first := take(t, s, says("ana", "My sister Lucía lives in Cuenca."))
	next := says("ana", "Where does she live?")
	next.SessionID = first.SessionID
	if got := take(t, s, next).Text; got != "You told me that your sister Lucía lives in Cuenca." {
		t.Errorf("got %q", got)
	}
	other := says("bob", "Where does she live?")
	other.SessionID = first.SessionID
	if got := take(t, s, other).Text; strings.Contains(got, "Cuenca") {
		t.Errorf("another user hears %q", got)
	}
}

func TestASessionThatRedisLostGoesOnFromTheGraph(t *testing.T) {
	h := build(t)
	h.remember(t, "ana", "My sister Lucía lives in Cuenca.")
	in := says("ana", "Where does she live?")
	in.SessionID = "earlier"
	reply := take(t, h.tell(), in)
	if reply.Text != "You told me that your sister Lucía lives in Cuenca." || reply.Degraded != nil {
		t.Errorf("got %+v", reply)
	}
}

func TestATurnIsInDurableHandsBeforeItIsAnswered(t *testing.T) {
	h := build(t)
	var order []string
	h.sent.before = func() { order = append(order, "sent") }
	_, err := h.tell().Take(t.Context(), says("ana", "I live in Loja."), func(turn.Piece) error {
		if len(order) == 0 {
			order = append(order, "streamed")
		}
		return nil
	})
	order = append(order, "done")
	if want := []string{"streamed", "sent", "done"}; err != nil || !slices.Equal(order, want) {
		t.Errorf("order %q, %v", order, err)
	}
}

func TestStreamsWhatTheReplySays(t *testing.T) {
	h := build(t)
	h.Memory = nil
	var text strings.Builder
	var degraded []guard.Degraded
	reply, err := h.tell().Take(t.Context(), says("ana", "I live in Loja."), func(p turn.Piece) error {
		text.WriteString(p.Text)
		if p.Degraded != nil {
			degraded = append(degraded, *p.Degraded)
		}
		return nil
	})
	if err != nil || text.String() != reply.Text || !slices.Equal(degraded, reply.Degraded) || len(degraded) != 1 {
		t.Errorf("streamed %q and %v; reply %+v, %v", text.String(), degraded, reply, err)
	}
}

func TestWithoutAUserNothingIsKept(t *testing.T) {
	h := build(t)
	reply := take(t, h.tell(), says("", "I live in Loja."))
	if reply.SessionID != "" || reply.Recalled != nil || reply.Degraded != nil {
		t.Errorf("got %+v", reply)
	}
	if keys := h.redis.Keys(); len(keys) != 1 || !strings.HasPrefix(keys[0], "aguante:rate:") {
		t.Errorf("Redis holds %q", keys)
	}
	if n := len(h.sent.events); n != 1 {
		t.Errorf("%d events, want the decision trace alone", n)
	}
}

func TestACallerWhoBringsTheHistoryIsTakenAtTheirWord(t *testing.T) {
	h := build(t)
	s := h.tell()
	first := take(t, s, says("ana", "My dog is called Toby."))
	in := says("ana", "Where does she live?")
	in.SessionID = first.SessionID
	in.Messages = []engine.Message{
		{Role: engine.System, Content: "Be brief."},
		{Role: engine.User, Content: "My sister Lucía lives in Cuenca."},
		{Role: engine.Assistant, Content: "Noted."},
		{Role: engine.User, Content: "Where does she live?"},
	}
	if got := take(t, s, in).Text; got != "You told me that your sister Lucía lives in Cuenca." {
		t.Errorf("got %q", got)
	}
	completed := data[event.Completed](t, h.sent, event.TurnCompleted)
	if len(completed.Messages) != 2 || completed.Messages[0].Content != "Where does she live?" {
		t.Errorf("sent %+v: what was said before is not new", completed.Messages)
	}
}

func TestFlagsTurnPartsOff(t *testing.T) {
	h := build(t)
	h.remember(t, "ana", "My sister Lucía lives in Cuenca.")
	h.Flags = flags{"graph-legacy-mode": true}
	reply := take(t, h.tell(), says("ana", "Where does my sister live?"))
	if got := words(reply.Degraded); !slices.Equal(got, []string{"graph neo4j: legacy mode"}) || len(reply.Recalled) != 0 {
		t.Errorf("degraded %q, recalled %v", got, reply.Recalled)
	}
	if len(h.sent.events) != 0 {
		t.Errorf("%d events were sent", len(h.sent.events))
	}
}

func TestTracesHoldWhatWasSaidOnlyWhenToldTo(t *testing.T) {
	h := build(t)
	h.TraceContent = true
	take(t, h.tell(), says("ana", "I live in Loja."))
	if got := data[decision.Trace](t, h.sent, event.TurnDecided).Content; !slices.Equal(got, []string{"I live in Loja.", "I'll remember that you live in Loja."}) {
		t.Errorf("content %q", got)
	}
}

func TestALongDocumentReachesTheEngineWholeAndMemoryByItsBeginning(t *testing.T) {
	h := build(t)
	reply := take(t, h.tell(), says("ana", "I live in Loja. "+strings.Repeat("é", limits.MaxMessage)))
	if reply.Text == "" {
		t.Error("not answered")
	}
	kept := data[event.Completed](t, h.sent, event.TurnCompleted).Messages[0].Content
	if len(kept) > limits.MaxMessage || !utf8.ValidString(kept) || !strings.HasPrefix(kept, "I live in Loja. ") {
		t.Errorf("memory is given %d bytes", len(kept))
	}
}

func TestKeepsAndForgets(t *testing.T) {
	h := build(t)
	s := h.tell()
	h.remember(t, "ana", "I like tea.")
	first := take(t, s, says("ana", "I live in Loja."))
	history, err := s.History(t.Context(), "", first.SessionID)
	if err != nil || len(history) != 2 || history[0].Content != "I live in Loja." {
		t.Fatalf("history %+v, %v", history, err)
	}
	if old, err := s.History(t.Context(), "ana", "earlier"); err != nil || len(old) != 1 {
		t.Errorf("a session in the graph alone: %+v, %v", old, err)
	}
	if err := s.DeleteSession(t.Context(), first.SessionID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.History(t.Context(), "", first.SessionID); !errors.Is(err, turn.ErrNoSession) {
		t.Errorf("after it was deleted: %v", err)
	}
	if items, err := s.Recall(t.Context(), "ana", "tea", 5); err != nil || len(items) != 1 {
		t.Errorf("recalled %+v, %v", items, err)
	}
	if err := s.Forget(t.Context(), "ana"); err != nil {
		t.Fatal(err)
	}
	if items, err := s.Recall(t.Context(), "ana", "tea", 5); err != nil || len(items) != 0 {
		t.Errorf("after ana was forgotten: %+v, %v", items, err)
	}
	if forgotten := data[event.Forgotten](t, h.sent, event.UserForgotten); forgotten.User != "ana" || time.Since(forgotten.At) > time.Minute {
		t.Errorf("sent %+v", forgotten)
	}
	for _, bad := range []string{"a/b", "..", "{x}", strings.Repeat("x", 200), "a b", "é"} {
		invalid := (*turn.Invalid)(nil)
		if _, err := s.History(t.Context(), "", bad); !errors.As(err, &invalid) {
			t.Errorf("session %q: %v", bad, err)
		}
	}
}
