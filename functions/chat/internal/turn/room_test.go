package turn_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// slowly tells an observer of calls that took so long.
func slowly(o guard.Observer, took time.Duration) {
	for range 10 {
		o.Called(context.Background(), guard.Outcome{Result: guard.OK, Took: took})
	}
}

// pressed is a house under some pressure: what it observes is told to by press.
func pressed(t *testing.T, press func(*capacity.Capacity)) *house {
	t.Helper()
	h := build(t)
	h.Capacity = capacity.New(capacity.Config{GraphName: limits.Neo4jRead.Name, Level: h.Telemetry.Metrics.DegradationLevel})
	press(h.Capacity)
	h.Capacity.Step(t.Context(), time.Now())
	return h
}

func (h *house) level() float64 { return testutil.ToFloat64(h.Telemetry.Metrics.DegradationLevel) }

func TestASlowGraphIsLeftAloneButByOneTurnASecond(t *testing.T) {
	h := pressed(t, func(c *capacity.Capacity) { slowly(c.ObserveGraph(guardless{}), 3*time.Second) })
	h.remember(t, "ana", "My sister Lucía lives in Cuenca.")
	s := h.tell()
	probe, next := take(t, s, says("ana", "Where does my sister live?")), take(t, s, says("ana", "Where does my sister live?"))
	if len(probe.Degraded) != 0 || len(probe.Recalled) != 1 {
		t.Errorf("the probe has %+v and lacks %q", probe.Recalled, words(probe.Degraded))
	}
	if got := words(next.Degraded); !slices.Equal(got, []string{"graph neo4j: slow"}) || len(next.Recalled) == 0 {
		t.Errorf("the next turn has %+v and lacks %q", next.Recalled, got)
	}
	if h.level() != capacity.Graceful || len(h.sent.events) != 2 || testutil.ToFloat64(h.Telemetry.Metrics.DecisionsDropped) != 2 {
		t.Errorf("level %v, %d events, want the turns without their decisions", h.level(), len(h.sent.events))
	}
	for range 6 {
		h.Capacity.Step(t.Context(), time.Now())
	}
	if reply := take(t, s, says("ana", "Where does my sister live?")); len(reply.Degraded) != 0 || h.level() != capacity.None {
		t.Errorf("when it is fast again: %q, level %v", words(reply.Degraded), h.level())
	}
}

func TestASlowRedisIsNotWaitedForAtAdmission(t *testing.T) {
	h := pressed(t, func(c *capacity.Capacity) { slowly(c.ObserveRedis(guardless{}), 80*time.Millisecond) })
	s := h.tell()
	first := take(t, s, says("ana", "My sister Lucía lives in Cuenca.")) // the probe
	next := says("ana", "Where does she live?")
	next.SessionID = first.SessionID
	reply := take(t, s, next)
	if got := words(reply.Degraded); !slices.Equal(got, []string{"sync redis: slow"}) || !strings.Contains(reply.Text, "Cuenca") {
		t.Errorf("got %q, without %q", reply.Text, got)
	}
	count := h.Telemetry.Metrics.RateLimitDecisions
	if r, l := testutil.ToFloat64(count.WithLabelValues("allowed", "redis")), testutil.ToFloat64(count.WithLabelValues("allowed", "local")); r != 1 || l != 1 {
		t.Errorf("%v counted in Redis, %v here", r, l)
	}
	in := says("bob", "hi")
	in.Caller = turn.Caller{Address: "192.0.2.9", Class: "chat", Rate: limits.Rate{PerMinute: 1, Burst: 1}}
	take(t, s, in)
	if _, err := s.Take(t.Context(), in, nil); !errors.As(err, new(*turn.Limited)) {
		t.Errorf("over the limit in memory: %v", err)
	}
}

func TestSlowTurnsAskForLess(t *testing.T) {
	h := pressed(t, func(c *capacity.Capacity) {
		for range 10 {
			c.Took(9 * time.Second)
		}
	})
	for _, place := range []string{"Cuenca", "Loja", "Quito", "Ambato", "Manta"} {
		h.remember(t, "ana", "My sister lived in "+place+".")
	}
	var asked engine.Request
	h.Engines = engines(func(_ context.Context, r engine.Request) (engine.Answer, error) {
		asked = r
		return engine.Answer{Text: "There."}, nil
	})
	reply := take(t, h.tell(), says("ana", "Where did my sister live?"))
	if !asked.Thrifty || len(asked.Recalled) != 3 || !slices.Equal(words(reply.Degraded), []string{"sync chat: slow"}) {
		t.Errorf("thrifty %v, %d recalled, without %q", asked.Thrifty, len(asked.Recalled), words(reply.Degraded))
	}
}

func TestShortOfMemoryNewSessionsAreShedFirst(t *testing.T) {
	for name, c := range map[string]struct {
		held   float64
		change func(*turn.Turn)
		shed   bool
	}{
		"a new session":             {0.92, func(*turn.Turn) {}, true},
		"a new session, with a key": {0.92, func(in *turn.Turn) { in.Caller.Key = "k" }, true},
		"one that goes on":          {0.92, func(in *turn.Turn) { in.SessionID = "old" }, false},
		"one that brings its history": {0.92, func(in *turn.Turn) {
			in.Messages = append([]engine.Message{{Role: engine.Assistant, Content: "Hi."}}, in.Messages...)
		}, false},
		"one that goes on, with memory gone": {0.96, func(in *turn.Turn) { in.SessionID = "old" }, true},
		"a new one with enough of it":        {0.85, func(*turn.Turn) {}, false},
	} {
		h := build(t)
		h.Capacity = capacity.New(capacity.Config{Memory: func() float64 { return c.held }})
		h.Capacity.Step(t.Context(), time.Now())
		in := says("ana", "hi")
		c.change(&in)
		if _, err := h.tell().Take(t.Context(), in, nil); errors.Is(err, turn.ErrShed) != c.shed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATurnWhoseCallerWaitsNoLongerIsNotWorkedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p := bare(func(ctx context.Context, _ engine.Request) (engine.Answer, error) {
			asked++
			<-ctx.Done()
			return engine.Answer{}, ctx.Err()
		})
		in := says("ana", "hi")
		in.Deadline = time.Now()
		if _, err := turn.New(p).Take(t.Context(), in, nil); !errors.Is(err, turn.ErrDeadline) || asked != 0 {
			t.Errorf("before it began: %v, %d engines asked", err, asked)
		}
		in.Deadline = time.Now().Add(50 * time.Millisecond)
		if _, err := turn.New(p).Take(t.Context(), in, nil); !errors.Is(err, turn.ErrDeadline) || asked != 1 {
			t.Errorf("while it was under way: %v, %d engines asked", err, asked)
		}
	})
}

// guardless hears nothing of what it is told.
type guardless struct{}

func (guardless) Called(context.Context, guard.Outcome)             {}
func (guardless) Changed(guard.Change)                              {}
func (guardless) FailedOpen(context.Context, guard.Degraded, error) {}
