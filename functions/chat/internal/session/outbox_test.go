package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// posted gathers what drainers post, and fails those that it is told to.
type posted struct {
	mu   sync.Mutex
	ids  map[string]int
	fail func(id string) error
}

func (p *posted) post(_ context.Context, e event.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		if err := p.fail(e.ID()); err != nil {
			return err
		}
	}
	if p.ids == nil {
		p.ids = map[string]int{}
	}
	p.ids[e.ID()]++
	return nil
}

// patiently is Redis's guard on a busy machine.
var patiently = limits.Dependency{Name: "redis", Timeout: 5 * time.Second, InFlight: 10, Breaker: limits.Redis.Breaker}

func drainer(s *Store, consumer string, p *posted) *Drainer {
	t := telemetry.Nop()
	return &Drainer{Store: s, Redis: guard.New(patiently, nil), Consumer: consumer, Post: p.post, Waiting: t.Metrics.OutboxTurns, Log: t.Log}
}

func keep(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		e, err := event.New(event.TurnCompleted, "/chat", id, "s1", 1, graph.Turn{ID: id, User: "ana", SessionID: "s1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Keep(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("t%03d", i))
	}
	return ids
}

func TestDrainsTheOutboxAndDeletesWhatWasPosted(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ids := numbered(150)
		keep(t, s, ids...)
		p := &posted{}
		d := drainer(s, "one", p)
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(p.ids)); !slices.Equal(got, ids) {
			t.Errorf("posted %q", got)
		}
		if left := s.client.XLen(t.Context(), outboxKey).Val(); left != 0 || testutil.ToFloat64(d.Waiting) != 0 {
			t.Errorf("%d events are left, the gauge says %v", left, testutil.ToFloat64(d.Waiting))
		}
	})
}

func TestKeepsWhatNobodyTakes(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		keep(t, s, numbered(10)...)
		p := &posted{fail: func(string) error { return errors.New("the broker is down") }}
		d := drainer(s, "one", p)
		for range 3 {
			if err := d.Drain(t.Context()); err == nil {
				t.Fatal("no error")
			}
		}
		if got := testutil.ToFloat64(d.Waiting); got != 10 {
			t.Errorf("the gauge says %v", got)
		}
		p.fail = nil
		if err := d.Drain(t.Context()); err != nil || len(p.ids) != 10 {
			t.Errorf("posted %d, %v", len(p.ids), err)
		}
	})
}

func TestOneBadEventHoldsUpNoOther(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		keep(t, s, numbered(5)...)
		p := &posted{fail: func(id string) error {
			if id == "t001" {
				return errors.New("too much for the broker")
			}
			return nil
		}}
		if err := drainer(s, "one", p).Drain(t.Context()); err == nil || len(p.ids) != 4 {
			t.Errorf("posted %d, %v", len(p.ids), err)
		}
	})
}

func TestPutsAsideWhatWillNeverBeTaken(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		keep(t, s, "t000")
		if err := s.client.XAdd(t.Context(), &redis.XAddArgs{Stream: outboxKey, Values: []any{"event", "garbage"}}).Err(); err != nil {
			t.Fatal(err)
		}
		p := &posted{fail: func(string) error { return &event.Never{Status: 422, Err: errors.New("too many hops")} }}
		if err := drainer(s, "one", p).Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, aside := s.client.XLen(t.Context(), outboxKey).Val(), s.client.XLen(t.Context(), unsentKey).Val()
		if left != 0 || aside != 2 {
			t.Errorf("%d left, %d put aside", left, aside)
		}
	})
}

func TestADrainerThatLeavesTakesItsNameWithIt(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		names := func() (all []string) {
			for _, c := range s.client.XInfoConsumers(t.Context(), outboxKey, drainGroup).Val() {
				all = append(all, c.Name)
			}
			return all
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		drainer(s, "early", &posted{}).Run(ctx) // there is no outbox yet
		keep(t, s, "t000", "t001")
		fails := &posted{fail: func(string) error { return errors.New("down") }}
		busy := drainer(s, "busy", fails)
		if err := busy.Drain(t.Context()); err == nil {
			t.Fatal("no error")
		}
		if busy.Run(ctx); !slices.Equal(names(), []string{"busy"}) {
			t.Errorf("who has events left must stay to be claimed from: %v", names())
		}
		fails.fail = nil
		if err := busy.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if busy.Run(ctx); len(names()) != 0 {
			t.Errorf("left behind: %v", names())
		}
	})
}

func TestClaimsWhatADeadInstanceTook(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr()+patient)
	server.SetTime(time.Now())
	keep(t, s, numbered(3)...)
	if some, err := s.take(t.Context(), "dead"); err != nil || len(some) != 3 {
		t.Fatalf("took %d, %v", len(some), err)
	}
	p := &posted{}
	d := drainer(s, "alive", p)
	if err := d.Drain(t.Context()); err != nil || len(p.ids) != 0 {
		t.Fatalf("took %d from one that may be at work, %v", len(p.ids), err)
	}
	server.SetTime(time.Now().Add(2 * claimAfter))
	if err := d.Drain(t.Context()); err != nil || len(p.ids) != 3 {
		t.Errorf("posted %d, %v", len(p.ids), err)
	}
}
