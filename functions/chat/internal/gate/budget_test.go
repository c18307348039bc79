package gate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// ledger is a Redis for tallies.
type ledger struct {
	mu   sync.Mutex
	used map[string]turn.Used
	down bool
}

func (l *ledger) AddUsed(_ context.Context, used map[string]turn.Used, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return errors.New("down")
	}
	for key, u := range used {
		key += now.UTC().Format(time.DateOnly)
		sum := l.used[key]
		l.used[key] = turn.Used{Tokens: sum.Tokens + u.Tokens, USD: sum.USD + u.USD}
	}
	return nil
}

func (l *ledger) today(key string) *turn.Used {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil
	}
	u := l.used[key+time.Now().UTC().Format(time.DateOnly)]
	return &u
}

func shop(tokens int64, usd float64) turn.Caller {
	return turn.Caller{Key: "shop", Budget: turn.Budget{Tokens: tokens, USD: usd}}
}

func TestADaysBudget(t *testing.T) {
	for name, c := range map[string]struct {
		caller  turn.Caller
		used    turn.Used
		refused bool
	}{
		"no budget":          {turn.Caller{Key: "shop"}, turn.Used{Tokens: 1e9, USD: 1e9}, false},
		"within":             {shop(100, 1), turn.Used{Tokens: 99, USD: 0.99}, false},
		"tokens used up":     {shop(100, 1), turn.Used{Tokens: 100}, true},
		"money used up":      {shop(100, 1), turn.Used{USD: 1}, true},
		"only tokens count":  {shop(100, 0), turn.Used{USD: 50}, false},
		"only money counts":  {shop(0, 1), turn.Used{Tokens: 500}, false},
		"beyond both limits": {shop(100, 1), turn.Used{Tokens: 200, USD: 2}, true},
	} {
		b := NewBudget(nil, nil)
		b.Add(c.caller, c.used)
		r := b.Check(turn.Turn{Caller: c.caller}, turn.Opened{})
		if refused := r != nil && r.Reason != ""; refused != c.refused || r == nil && c.caller.Budget != (turn.Budget{}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Two instances share a budget by Redis. While it is down each goes on from what it said last, and afterwards it is told.
func TestInstancesShareABudgetAndFailOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := &ledger{used: map[string]turn.Used{}}
		ctx, stop := context.WithCancel(t.Context())
		a, b := NewBudget(redis, guard.New(limits.Redis, nil)), NewBudget(redis, guard.New(limits.Redis, nil))
		var running sync.WaitGroup
		running.Go(func() { a.Run(ctx) })
		running.Go(func() { b.Run(ctx) })
		defer running.Wait()
		defer stop()
		in := turn.Turn{Caller: shop(100, 0)}
		refused := func(x *Budget) (bool, any) {
			r := x.Check(in, turn.Opened{Used: redis.today("shop")})
			return r.Reason != "", r.Inputs["counted_in"]
		}
		a.Add(in.Caller, turn.Used{Tokens: 60})
		time.Sleep(1500 * time.Millisecond)
		b.Add(in.Caller, turn.Used{Tokens: 39})
		if no, source := refused(b); no || source != "redis" {
			t.Fatalf("at 99 of 100: refused %t, counted in %v", no, source)
		}
		redis.mu.Lock()
		redis.down = true
		redis.mu.Unlock()
		b.Add(in.Caller, turn.Used{Tokens: 1})
		if no, source := refused(b); !no || source != "local" {
			t.Errorf("b, which knows of all 100: refused %t, counted in %v", no, source)
		}
		if no, _ := refused(a); no {
			t.Error("a, which knows of 60, does not fail open")
		}
		redis.mu.Lock()
		redis.down = false
		redis.mu.Unlock()
		time.Sleep(2 * time.Minute) // the breaker closes
		if no, _ := refused(a); !no || redis.today("shop").Tokens != 100 {
			t.Errorf("when Redis is back: refused %t, %+v", no, redis.today("shop"))
		}
		time.Sleep(24 * time.Hour)
		if no, _ := refused(a); no {
			t.Error("the next day is refused")
		}
		a.Add(in.Caller, turn.Used{Tokens: 7})
		stop()
		running.Wait()
		if got := redis.today("shop").Tokens; got != 7 {
			t.Errorf("told at the end: %d", got)
		}
	})
}

// Whatever fails when, Redis ends up with all that was used, or more, never less.
func TestNothingUsedIsForgotten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		redis := &ledger{used: map[string]turn.Used{}}
		patient := limits.Redis
		patient.Breaker.Failures = 1000
		b := NewBudget(redis, guard.New(patient, nil))
		var sum int64
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			switch rapid.IntRange(0, 2).Draw(r, "step") {
			case 0:
				n := rapid.Int64Range(0, 50).Draw(r, "tokens")
				b.Add(shop(1, 0), turn.Used{Tokens: n})
				sum += n
			case 1:
				b.tell(context.Background())
			default:
				redis.down = !redis.down
			}
		}
		redis.down = false
		b.tell(context.Background())
		if got := redis.today("shop").Tokens; got != sum {
			r.Fatalf("%d of %d", got, sum)
		}
	})
}
