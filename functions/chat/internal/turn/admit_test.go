package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// engines answers as its function does.
type engines func(ctx context.Context, r engine.Request) (engine.Answer, error)

func (e engines) Answer(ctx context.Context, r engine.Request, _ engine.Emit) (engine.Answer, error) {
	return e(ctx, r)
}
func (engines) Statuses() []guard.Status { return nil }

// bare is a Teller without Redis and graph, so that tests may run on their own time.
func bare(e engines) turn.Parts {
	s := &sent{way: event.WayBroker}
	return turn.Parts{Engines: e, Outbox: s, Publisher: s, Flags: allOn(), Telemetry: telemetry.Nop(), Source: "/chat"}
}

func ok(context.Context, engine.Request) (engine.Answer, error) {
	return engine.Answer{Text: "Hi.", Engine: "fake"}, nil
}

func TestStopsATurnThatCannotBeRight(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*turn.Turn)
		field string
	}{
		"no messages":       {func(in *turn.Turn) { in.Messages = nil }, "messages"},
		"too many":          {func(in *turn.Turn) { in.Messages = make([]engine.Message, 1001) }, "messages"},
		"no content":        {func(in *turn.Turn) { in.Messages[0].Content = " \n" }, "messages[0]"},
		"no role":           {func(in *turn.Turn) { in.Messages[0].Role = "" }, "messages[0]"},
		"too long":          {func(in *turn.Turn) { in.Messages[0].Content = strings.Repeat("x", limits.MaxBody+1) }, "messages[0]"},
		"no UTF-8":          {func(in *turn.Turn) { in.Messages[0].Content = "\xff" }, "messages[0]"},
		"NUL":               {func(in *turn.Turn) { in.Messages[0].Content = "a\x00" }, "messages[0]"},
		"long user":         {func(in *turn.Turn) { in.User = strings.Repeat("x", limits.MaxID+1) }, "user"},
		"control in user":   {func(in *turn.Turn) { in.User = "a\nb" }, "user"},
		"path in session":   {func(in *turn.Turn) { in.SessionID = "../../etc" }, "session_id"},
		"tag in session":    {func(in *turn.Turn) { in.SessionID = "{a}" }, "session_id"},
		"too many choices":  {func(in *turn.Turn) { in.Params = map[string]json.RawMessage{"n": json.RawMessage("129")} }, "n"},
		"nonsense choices":  {func(in *turn.Turn) { in.Params = map[string]json.RawMessage{"n": json.RawMessage(`"x"`)} }, "n"},
		"long speaker name": {func(in *turn.Turn) { in.Messages[0].Name = strings.Repeat("x", limits.MaxID+1) }, "messages[0]"},
	} {
		p := bare(ok)
		in := says("ana", "hi")
		c.spoil(&in)
		_, err := turn.New(p).Take(t.Context(), in, nil)
		if invalid := (*turn.Invalid)(nil); !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
		if got := data[decision.Trace](t, p.Outbox.(*sent), event.TurnDecided).Outcome; got != decision.Refused {
			t.Errorf("%s is decided as %s", name, got)
		}
	}
}

func TestTakesWhatIsOnlyUnusual(t *testing.T) {
	for name, change := range map[string]func(*turn.Turn){
		"user with accents": func(in *turn.Turn) { in.User = "Lucía Ñandú 日本" },
		"session of signs":  func(in *turn.Turn) { in.SessionID = "a.b_c~d:e@f-1" },
		"several choices":   func(in *turn.Turn) { in.Params = map[string]json.RawMessage{"n": json.RawMessage("2")} },
		"parts":             func(in *turn.Turn) { in.Messages[0] = engine.Message{Role: "user", Raw: json.RawMessage(`{}`)} },
		"three hops":        func(in *turn.Turn) { in.Hop = limits.MaxHops },
	} {
		in := says("ana", "hi")
		change(&in)
		if _, err := turn.New(bare(ok)).Take(t.Context(), in, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStopsATurnThatGoesInCircles(t *testing.T) {
	p := bare(ok)
	in := says("ana", "hi")
	in.Hop = limits.MaxHops + 1
	_, err := turn.New(p).Take(t.Context(), in, nil)
	if hops := (*turn.HopsError)(nil); !errors.As(err, &hops) || hops.Hops != 4 || testutil.ToFloat64(p.Telemetry.Metrics.HopsRefused) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestShedsAtTheHardLimitAndSparesTheGraphAtTheSoftOne(t *testing.T) {
	h := build(t)
	release, entered := make(chan struct{}), make(chan struct{}, limits.ConcurrentChats.Hard)
	h.Engines = engines(func(context.Context, engine.Request) (engine.Answer, error) {
		entered <- struct{}{}
		<-release
		return engine.Answer{Text: "Hi."}, nil
	})
	s := h.tell()
	replies := make(chan turn.Reply, limits.ConcurrentChats.Hard)
	enter := func(n int) {
		in := says("ana", "hi")
		in.SessionID, in.Caller.Key = "old", "k"
		in.Caller.Rate = limits.Rate{PerMinute: 60000, Burst: 10000}
		for range n {
			go func() {
				reply, err := s.Take(t.Context(), in, nil)
				if err != nil {
					t.Error(err)
				}
				replies <- reply
			}()
			<-entered
		}
	}
	enter(limits.ConcurrentChats.Soft)
	enter(limits.ConcurrentChats.Hard - limits.ConcurrentChats.Soft)
	if _, err := s.Take(t.Context(), says("ana", "hi"), nil); !errors.Is(err, turn.ErrShed) {
		t.Errorf("over the hard limit: %v", err)
	}
	if got := testutil.ToFloat64(h.Telemetry.Metrics.Shed); got != 1 {
		t.Errorf("%v counted as shed", got)
	}
	close(release)
	spared := 0
	for range limits.ConcurrentChats.Hard {
		if slices.Contains(words((<-replies).Degraded), "graph neo4j: busy") {
			spared++
		}
	}
	if want := limits.ConcurrentChats.Hard - limits.ConcurrentChats.Soft; spared != want {
		t.Errorf("the graph was spared %d times, want %d", spared, want)
	}
	if _, err := s.Take(t.Context(), says("bob", "hi"), nil); err != nil {
		t.Errorf("after all have left: %v", err)
	}
}

func TestEndsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bare(func(ctx context.Context, _ engine.Request) (engine.Answer, error) {
			<-ctx.Done()
			return engine.Answer{}, ctx.Err()
		})
		began := time.Now()
		_, err := turn.New(p).Take(t.Context(), says("ana", "hi"), nil)
		if took := time.Since(began); !errors.Is(err, turn.ErrDeadline) || took != limits.Turn {
			t.Errorf("got %v after %s", err, took)
		}
		s := p.Outbox.(*sent)
		if trace := data[decision.Trace](t, s, event.TurnDecided); trace.Outcome != decision.Failure || len(s.events) != 1 {
			t.Errorf("decided %+v, %d events", trace, len(s.events))
		}
	})
}

func TestEngineErrorsComeThroughAndNothingIsRecorded(t *testing.T) {
	for _, want := range []error{engine.ErrCut, engine.ErrLeft, &engine.Rejected{Status: 400}} {
		p := bare(func(context.Context, engine.Request) (engine.Answer, error) { return engine.Answer{}, want })
		reply, err := turn.New(p).Take(t.Context(), says("ana", "hi"), nil)
		if !errors.Is(err, want) || reply.TurnID == "" || reply.Limit == nil || len(p.Outbox.(*sent).events) != 1 {
			t.Errorf("%v: got %+v, %v", want, reply, err)
		}
	}
}

func TestLimitsACallerWithoutAskingAnyone(t *testing.T) {
	h := build(t)
	s := h.tell()
	in := says("ana", "hi")
	in.Caller.Rate = limits.Rate{PerMinute: 1, Burst: 2}
	take(t, s, in)
	take(t, s, in)
	h.redis.FlushAll() // whoever asks Redis now is let in
	reply, err := s.Take(t.Context(), in, nil)
	limited := (*turn.Limited)(nil)
	if !errors.As(err, &limited) || limited.RetryAfter <= 0 || limited.RetryAfter > time.Minute || limited.Limit != 2 || reply.Limit == nil {
		t.Fatalf("got %+v, %v", reply, err)
	}
	if trace := data[decision.Trace](t, h.sent, event.TurnDecided); trace.Outcome != decision.Refused || len(trace.Decisions) != 1 || trace.Decisions[0].Inputs["counted_in"] != "local" {
		t.Errorf("decided %+v", trace)
	}
	other := in
	other.Caller.Address = "192.0.2.2"
	take(t, s, other)
	count := h.Telemetry.Metrics.RateLimitDecisions
	if a, l := testutil.ToFloat64(count.WithLabelValues("allowed", "redis")), testutil.ToFloat64(count.WithLabelValues("limited", "local")); a != 3 || l != 1 {
		t.Errorf("%v allowed by Redis, %v limited locally", a, l)
	}
}

// Two instances share one rate in Redis; without it each grants the whole, or its part if that is what is wanted.
func TestInstancesShareARate(t *testing.T) {
	for name, c := range map[string]struct {
		down, strict bool
		want         int
	}{
		"Redis counts for all":    {want: 6},
		"without Redis":           {down: true, want: 12},
		"without Redis, strict":   {down: true, strict: true, want: 6},
		"strict, but Redis is up": {strict: true, want: 6},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			h.Replicas = 2
			h.Flags = flags{"rate-limit-strict": c.strict}
			if c.down {
				h.redis.Close()
			}
			allowed := 0
			for _, s := range []*turn.Teller{h.tell(), h.tell()} {
				for range 10 {
					if _, err := s.Allow(t.Context(), turn.Caller{Key: "k", Class: "chat", Rate: limits.Rate{PerMinute: 1, Burst: 6}}); err == nil {
						allowed++
					}
				}
			}
			if allowed != c.want {
				t.Errorf("%d allowed, want %d", allowed, c.want)
			}
		})
	}
}
