package drill

import (
	"context"
	"errors"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// atOnce is how soon chat must be back to normal after what it lacked is back.
const atOnce = 10 * time.Second

func redisDown(ctx context.Context, r *run) error {
	fallen := false
	back, whole, err := r.outage(ctx, outage{
		inject: func() error { return r.down(r.faults, redis) },
		see:    func(l look) { fallen = l.fallback(redis) },
		felt:   func() bool { return count(r.in(during)).Degraded[redis] > 0 },
		back:   func(l look) bool { return !l.fallback(redis) },
		within: limits.Redis.Breaker.Open + atOnce,
	})
	if err != nil {
		return err
	}
	r.noErrors()
	r.check(fallen, "the fallback gauge is 1 during", "aguante_breaker_state of redis at the end of the fault: closed is %d", number(!fallen))
	r.check(whole, "the fallback gauge is 0 after", "closed: %t, %s after Redis was back", whole, brief(back))
	r.noneLost(ctx)
	return nil
}

func workersHung(ctx context.Context, r *run) error {
	var early int // turns materialized while nobody could
	_, _, err := r.outage(ctx, outage{
		inject: func() error { return r.hung(r.faults, materialize) },
		see:    func(look) {},
		felt:   func() bool { early = r.newest(ctx, during); return early == 0 },
		back:   func(l look) bool { return !l.open(broker, materialize) },
		within: delivered,
	})
	if err != nil {
		return err
	}
	r.noErrors()
	found, missing, twice := r.account(ctx, delivered)
	r.check(missing < 100, "backlog < 100 within 5 min", "%d turns are not in the graph %s after the workers were back", missing, brief(time.Since(r.mended)))
	r.check(missing == 0 && found > 0, "every turn is materialized, none lost", "%d answered, %d of them in the graph", found+missing, found)
	r.check(twice == 0, "none twice", "%d are there more than once", twice)
	return nil
}

func graphSlow(ctx context.Context, r *run) error {
	var began time.Time
	var legacy time.Duration // until the graph was left alone
	back, whole, err := r.outage(ctx, outage{
		inject: func() error { began = time.Now(); return r.slow(r.faults, r.memory, 5000) },
		see: func(l look) {
			if legacy == 0 && l.open("chat", r.memory) {
				legacy = time.Since(began)
			}
		},
		felt:   func() bool { return count(r.in(during)).Degraded[r.memory] > 0 },
		back:   func(l look) bool { return !l.open("chat", r.memory) },
		within: limits.Neo4jRead.Breaker.Open + atOnce,
	})
	if err != nil {
		return err
	}
	all := count(r.in(""))
	r.check(legacy > 0 && legacy <= 30*time.Second, "legacy mode within 30 s", "after %s", brief(legacy))
	r.noErrors()
	r.check(all.P99 < 8000, "p99 < 8 s", "%.0f ms", all.P99)
	r.check(whole && back <= atOnce, "back within 10 s of recovery", "back: %t, %s after the graph was fast again", whole && back <= atOnce, brief(back))
	r.noneLost(ctx)
	return nil
}

func gameDay(ctx context.Context, r *run) error {
	back, whole, err := r.outage(ctx, outage{
		inject: func() error {
			return errors.Join(r.down(r.faults, redis), r.hung(r.faults, materialize), r.slow(r.faults, r.memory, 5000))
		},
		see: func(look) {},
		felt: func() bool {
			without := count(r.in(during)).Degraded
			return without[redis] > 0 && without[r.memory] > 0
		},
		back:   func(l look) bool { return len(l.degraded()) == 0 },
		within: 2 * time.Minute,
	})
	if err != nil {
		return err
	}
	all := count(r.in(""))
	asked := all.Sent - all.Limited
	r.check(share(all.Answered, asked) > 95, "/chat > 95 % answered", "%d of %d, %.1f %%", all.Answered, asked, share(all.Answered, asked))
	wrong := all.Failed + all.Silent
	r.check(asked > 0 && share(wrong, asked) < 5, "error rate < 5 %", "%d of %d", wrong, asked)
	r.noneLost(ctx)
	drained := time.Since(r.mended)
	r.check(whole && drained < 2*time.Minute, "recovery < 2 min", "whole again: %t, %s after the faults were undone; every turn in the graph after %s at most",
		whole, brief(back), brief(drained))
	return nil
}

// noErrors is the check that no caller got a 5xx or nothing.
func (r *run) noErrors() {
	all := count(r.in(""))
	r.check(all.Failed+all.Silent == 0 && all.Answered > 0, "/chat never 5xx", "%d of %d answered 200, %d failed, %d unanswered, p99 %.0f ms",
		all.Answered, all.Sent, all.Failed, all.Silent, all.P99)
}

// newest says how often the newest answered turn of a phase is in the graph.
func (r *run) newest(ctx context.Context, phase string) int {
	turns := r.in(phase)
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].turnID != "" {
			times, _ := r.recalled(ctx, turns[i])
			return times
		}
	}
	return 1 // nobody was answered: nothing was felt of the workers
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
