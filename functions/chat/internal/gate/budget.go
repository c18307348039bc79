package gate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
)

// Ledger counts what the keys of all instances use.
type Ledger interface {
	// AddUsed adds to what each key, by name, used in the day (UTC) of now.
	AddUsed(ctx context.Context, used map[string]turn.Used, now time.Time) error
}

// Budget keeps each key within what it may use in a day (UTC). What a key used is read from Redis with its session and
// told to it every second, so that it counts for all instances with a delay of that. While Redis is down it is what Redis
// said last and what this instance counted since. A turn that is let in may end beyond the budget; the next is refused.
type Budget struct {
	ledger Ledger // nil: this instance's own count holds
	redis  *guard.Guard
	now    func() time.Time

	mu   sync.Mutex
	day  string
	keys map[string]*tally // keys that were used today: no more than the keys file has
}

// tally is what one key used today.
type tally struct{ told, own turn.Used } // as Redis said last, and what it has not been told

// NewBudget returns a Budget that tells ledger, by its guard, while Run runs.
func NewBudget(ledger Ledger, redis *guard.Guard) *Budget {
	return &Budget{ledger: ledger, redis: redis, now: time.Now, keys: map[string]*tally{}}
}

// Check refuses a turn whose key has used up its day. Callers without a budget are not counted here.
func (b *Budget) Check(t turn.Turn, o turn.Opened) *turn.Ruling {
	may := t.Caller.Budget
	if may == (turn.Budget{}) {
		return nil
	}
	used, source := b.used(t.Caller.Key, o.Used)
	r := &turn.Ruling{
		Gate: "budget", Policy: fmt.Sprintf("at most %d tokens and %.2f USD a day; 0 is no limit", may.Tokens, may.USD),
		Inputs: map[string]any{"caller": "key " + t.Caller.Key, "tokens": used.Tokens, "usd": used.USD, "counted_in": source},
	}
	switch {
	case may.Tokens > 0 && used.Tokens >= may.Tokens:
		r.Reason = fmt.Sprintf("This API key has used the %d tokens that it may use in a day. The day begins at midnight UTC.", may.Tokens)
	case may.USD > 0 && used.USD >= may.USD:
		r.Reason = fmt.Sprintf("This API key has spent the %.2f USD that it may spend in a day. The day begins at midnight UTC.", may.USD)
	}
	return r
}

// used is what a key used today, and who counted it. fresh is what Redis has just said; nil: it did not.
func (b *Budget) used(key string, fresh *turn.Used) (used turn.Used, source string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, source := b.tally(key), "local"
	if fresh != nil {
		k.told, source = *fresh, "redis"
	}
	return turn.Used{Tokens: k.told.Tokens + k.own.Tokens, USD: k.told.USD + k.own.USD}, source
}

// Add counts what a key used.
func (b *Budget) Add(c turn.Caller, u turn.Used) {
	if c.Budget == (turn.Budget{}) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.tally(c.Key)
	k.own.Tokens += u.Tokens
	k.own.USD += u.USD
}

// tally gives a key's tally of today. The caller holds mu.
func (b *Budget) tally(key string) *tally {
	if today := b.now().UTC().Format(time.DateOnly); today != b.day {
		b.day = today
		clear(b.keys)
	}
	if b.keys[key] == nil {
		b.keys[key] = &tally{}
	}
	return b.keys[key]
}

// Run tells the ledger what was used until ctx ends, and once more then.
func (b *Budget) Run(ctx context.Context) {
	if b.ledger == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			b.tell(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			b.tell(ctx)
		}
	}
}

// tell brings the ledger up to date. What it may not have got is told again: a key is rather counted too much.
func (b *Budget) tell(ctx context.Context) {
	b.mu.Lock()
	now, day, own := b.now(), b.day, map[string]turn.Used{}
	for key, k := range b.keys {
		if k.own != (turn.Used{}) {
			own[key] = k.own
		}
	}
	b.mu.Unlock()
	if len(own) == 0 || now.UTC().Format(time.DateOnly) != day {
		return
	}
	_, err := guard.Do(ctx, b.redis, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.ledger.AddUsed(ctx, own, now)
	})
	if err == nil {
		b.told(day, own)
	}
}

// told moves what the ledger has got to its side.
func (b *Budget) told(day string, own map[string]turn.Used) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, u := range own {
		k := b.keys[key]
		if day != b.day || k == nil {
			return
		}
		k.own = turn.Used{Tokens: k.own.Tokens - u.Tokens, USD: k.own.USD - u.USD}
		k.told = turn.Used{Tokens: k.told.Tokens + u.Tokens, USD: k.told.USD + u.USD}
	}
}
