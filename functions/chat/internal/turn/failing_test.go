package turn_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/local"
	"github.com/aguante-chat/aguante/functions/chat/internal/session"
	"github.com/aguante-chat/aguante/functions/chat/internal/session/redistest"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// memory is a graph that answers as its function does.
type memory func(ctx context.Context) error

func (m memory) Recall(ctx context.Context, _ graph.Query) ([]graph.Item, error) { return nil, m(ctx) }
func (m memory) Session(ctx context.Context, _, _ string, _ int) ([]graph.Turn, error) {
	return nil, m(ctx)
}
func (m memory) Forget(ctx context.Context, _ string, _ time.Time) (int, error) { return 0, m(ctx) }

// hasty is a dependency whose breaker opens soon and that may take so long for an answer.
func hasty(h *house, d limits.Dependency, timeout time.Duration) *guard.Guard {
	d.Timeout, d.Breaker.Failures = timeout, 2
	return guard.New(d, h.Telemetry)
}

// A turn is answered whatever fails, says what it lacked, and says the same in its trace and in the metrics.
func TestAFailureStaysInItsZone(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(t *testing.T, h *house)
		want []string // in the first turn
		then []string // once the breaker is open
	}{
		"Redis is dead": {func(_ *testing.T, h *house) { h.redis.Close() },
			[]string{"sync redis: error"}, []string{"sync redis: open"}},
		"Redis refuses": {func(_ *testing.T, h *house) { h.redis.SetError("LOADING is under way") },
			[]string{"sync redis: error"}, []string{"sync redis: open"}},
		"Redis was never there": {func(_ *testing.T, h *house) { h.Sessions, h.Archive = nil, nil },
			[]string{"sync redis: not configured"}, []string{"sync redis: not configured"}},
		"the graph fails": {func(_ *testing.T, h *house) {
			h.Memory = memory(func(context.Context) error { return errors.New("no") })
		},
			[]string{"graph neo4j: error"}, []string{"graph neo4j: open"}},
		"the graph hangs": {func(_ *testing.T, h *house) {
			h.Memory = memory(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			h.Graph = hasty(h, limits.Neo4jRead, 200*time.Millisecond)
		}, []string{"graph neo4j: timeout"}, []string{"graph neo4j: open"}},
		"the graph is closed": {func(_ *testing.T, h *house) { _ = h.store.Close() },
			[]string{"graph neo4j: error"}, []string{"graph neo4j: open"}},
		"the graph was never there": {func(_ *testing.T, h *house) { h.Memory, h.Graph = nil, nil },
			[]string{"graph neo4j: not configured"}, []string{"graph neo4j: not configured"}},
		"the broker is down": {func(_ *testing.T, h *house) {
			h.sent.way, h.sent.lacks = event.WayOutbox, []guard.Degraded{{Zone: "async", Dependency: "broker", Reason: "open"}}
		}, []string{"async broker: open"}, []string{"async broker: open"}},
		"everything": {func(_ *testing.T, h *house) {
			h.redis.Close()
			_ = h.store.Close()
			h.sent.way, h.sent.lacks = event.WayMemory, []guard.Degraded{{Zone: "async", Dependency: "broker", Reason: "error"}}
		}, []string{"sync redis: error", "graph neo4j: error", "async broker: error"}, []string{"sync redis: open", "graph neo4j: open", "async broker: error"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			h.Redis, h.Graph = hasty(h, limits.Redis, 5*time.Second), hasty(h, limits.Neo4jRead, 5*time.Second)
			c.fail(t, h)
			s := h.tell()
			first := take(t, s, says("ana", "I live in Loja."))
			if got := words(first.Degraded); !slices.Equal(got, c.want) || first.Text != "I'll remember that you live in Loja." {
				t.Errorf("the first turn lacked %q, want %q, and says %q", got, c.want, first.Text)
			}
			for range 3 {
				take(t, s, says("ana", "I live in Loja."))
			}
			last := take(t, s, says("ana", "I live in Loja."))
			if got := words(last.Degraded); !slices.Equal(got, c.then) {
				t.Errorf("later turns lacked %q, want %q", got, c.then)
			}
			trace := data[decision.Trace](t, h.sent, event.TurnDecided)
			for _, d := range last.Degraded {
				told := slices.ContainsFunc(trace.Decisions, func(o decision.Decision) bool {
					return o.Dependency == d.Dependency && slices.Contains(o.FallbackChain, d.Dependency+": "+d.Reason)
				})
				if !told {
					t.Errorf("%s: %s is not in the trace %+v", d.Dependency, d.Reason, trace.Decisions)
				}
				if d.Zone != "async" && testutil.ToFloat64(h.Telemetry.Metrics.FailOpen.WithLabelValues(d.Zone, d.Dependency)) < 1 && d.Reason != "not configured" {
					t.Errorf("%s is not counted", d.Dependency)
				}
			}
			if trace.Outcome != decision.Fallback || trace.Level == 0 {
				t.Errorf("the turn is decided as %s on level %d", trace.Outcome, trace.Level)
			}
		})
	}
}

// frozen is a Redis that says nothing.
type frozen struct{}

func (frozen) Open(ctx context.Context, _ turn.Opening) (turn.Opened, error) {
	<-ctx.Done()
	return turn.Opened{}, ctx.Err()
}
func (frozen) Close(ctx context.Context, _ turn.Closing) error { <-ctx.Done(); return ctx.Err() }
func (frozen) Cached(ctx context.Context, _ string) ([]turn.Recalled, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// It is asked for the session, for what was recalled last, and to keep the turn.
func TestAFrozenRedisCostsATurnNoMoreThanItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bare(ok)
		p.Sessions, p.Redis = frozen{}, guard.New(limits.Redis, nil)
		began := time.Now()
		reply, err := turn.New(p).Take(t.Context(), says("ana", "hi"), nil)
		if took := time.Since(began); err != nil || took != 3*limits.Redis.Timeout || !slices.Contains(words(reply.Degraded), "sync redis: timeout") {
			t.Errorf("took %s and lacked %v, %v", took, reply.Degraded, err)
		}
	})
}

func TestARedisThatThawsIsBack(t *testing.T) {
	server := redistest.Start(t)
	h := build(t)
	sessions, err := session.New(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Disconnect()
	d := limits.Redis
	d.Breaker.Open = 50 * time.Millisecond
	h.Sessions, h.Archive, h.Redis = sessions, sessions, guard.New(d, h.Telemetry)
	s := h.tell()
	for range 3 { // a slow machine may need more than one to connect in time
		take(t, s, says("ana", "I live in Loja."))
	}

	server.Freeze()
	reply := take(t, s, says("ana", "I live in Loja."))
	if len(reply.Degraded) != 1 || reply.Degraded[0].Dependency != "redis" {
		t.Errorf("it lacked %v", reply.Degraded)
	}
	for range 5 {
		take(t, s, says("ana", "I live in Loja."))
	}
	server.Thaw()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if reply = take(t, s, says("ana", "I live in Loja.")); len(reply.Degraded) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Redis is back, and turns lack %v", reply.Degraded)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAHostileRedisDegradesOnlyWhatItHolds(t *testing.T) {
	h := build(t)
	s := h.tell()
	first := take(t, s, says("ana", "My sister Lucía lives in Cuenca."))
	for _, key := range h.redis.Keys() {
		h.redis.Del(key)
		h.redis.HSet(key, "a", "b")
	}
	for range 5 {
		in := says("ana", "Where do I live?")
		in.SessionID = first.SessionID
		reply := take(t, s, in)
		if got := words(reply.Degraded); !slices.Equal(got, []string{"sync redis: error"}) {
			t.Errorf("lacked %q", got)
		}
	}
	if state := h.Redis.Status().State; state != "closed" {
		t.Errorf("bad values opened the breaker: %s", state)
	}
}

func TestTheCacheRemembersWhileTheGraphIsGone(t *testing.T) {
	h := build(t)
	h.remember(t, "ana", "My sister Lucía lives in Cuenca.")
	s := h.tell()
	take(t, s, says("ana", "Where does my sister live?"))
	take(t, s, says("ana", "My dog is called Toby."))
	h.Memory = memory(func(context.Context) error { return errors.New("no") })
	s = h.tell()
	for question, want := range map[string]string{
		"Where does Lucía live?": "You told me that your sister Lucía lives in Cuenca.",
		"What is my dog's name?": "You told me that your dog is called Toby.",
		"Where is my umbrella?":  "I can't reach all of my memory at the moment, so I can't tell you that now. Please ask me again later.",
	} {
		if got := take(t, s, says("ana", question)).Text; got != want {
			t.Errorf("%s: got %q, want %q", question, got, want)
		}
	}
	if got := take(t, s, says("bob", "Where does Lucía live?")).Recalled; len(got) != 0 {
		t.Errorf("bob recalls %v", got)
	}
}

func TestAQuestionForEverythingIsAnsweredFromTheNewestThings(t *testing.T) {
	h := build(t)
	s := h.tell()
	take(t, s, says("ana", "My wife's name is Eva."))
	take(t, s, says("ana", "I work as a nurse."))
	got := take(t, s, says("ana", "What do you know about me?")).Text
	if !strings.Contains(got, "you work as a nurse") || !strings.Contains(got, "that your wife's name is Eva") {
		t.Errorf("it says %q", got)
	}
}

func TestAnEngineThatIsDownEndsOnTheLocalOne(t *testing.T) {
	h := build(t)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	file := filepath.Join(t.TempDir(), "engines.yaml")
	if err := os.WriteFile(file, []byte("engines:\n  - name: primary\n    url: "+down.URL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	chain, err := chain.Open(chain.Config{File: file, Last: local.Engine{}, Tracer: h.Telemetry.Tracer, Meter: h.Telemetry.Meter, Log: h.Telemetry.Log})
	if err != nil {
		t.Fatal(err)
	}
	defer chain.Close()
	h.Engines = chain
	reply := take(t, h.tell(), says("ana", "I live in Loja."))
	if got := words(reply.Degraded); !slices.Equal(got, []string{"sync primary: error"}) || reply.Engine != "local" {
		t.Errorf("lacked %q, answered by %s", got, reply.Engine)
	}
	if n := testutil.ToFloat64(h.Telemetry.Metrics.FailOpen.WithLabelValues("sync", "primary")); n != 1 {
		t.Errorf("%v answers counted that did without it", n)
	}
}

func TestALimitedTurnLeavesNoReadingBehind(t *testing.T) {
	h := build(t)
	ended := make(chan error, 1)
	h.Memory = memory(func(ctx context.Context) error { <-ctx.Done(); ended <- ctx.Err(); return ctx.Err() })
	in := says("ana", "hi")
	in.Caller.Rate = limits.Rate{PerMinute: 1, Burst: 1}
	elsewhere := h.tell()
	if _, err := elsewhere.Allow(t.Context(), in.Caller); err != nil {
		t.Fatal(err)
	}
	_, err := h.tell().Take(t.Context(), in, nil) // an instance that does not know yet
	if limited := (*turn.Limited)(nil); !errors.As(err, &limited) {
		t.Fatalf("got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the reading ended with %v", err)
	}
}

func TestForgettingFailsUntilItIsDone(t *testing.T) {
	h := build(t)
	s := h.tell()
	take(t, s, says("ana", "I live in Loja."))
	h.redis.SetError("LOADING")
	if err := s.Forget(t.Context(), "ana"); !errors.Is(err, turn.ErrUnavailable) {
		t.Errorf("with Redis down: %v", err)
	}
	h.redis.SetError("")
	h.Memory = memory(func(context.Context) error { return errors.New("no") })
	if err := h.tell().Forget(t.Context(), "ana"); err != nil {
		t.Errorf("the graph is down, and the event is in durable hands: %v", err)
	}
	h.sent.way = event.WayNone
	if err := h.tell().Forget(t.Context(), "ana"); !errors.Is(err, turn.ErrUnavailable) {
		t.Errorf("the graph is down, and there is no broker: %v", err)
	}
}

func TestWhatCannotBeHadIsSaid(t *testing.T) {
	h := build(t)
	h.redis.Close()
	_ = h.store.Close()
	s := h.tell()
	_, history := s.History(t.Context(), "", "s1")
	_, recall := s.Recall(t.Context(), "ana", "tea", 5)
	for name, err := range map[string]error{"history": history, "recall": recall, "delete": s.DeleteSession(t.Context(), "s1")} {
		if !errors.Is(err, turn.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
