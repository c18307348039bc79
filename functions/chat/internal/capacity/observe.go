package capacity

import (
	"context"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
)

// Took counts how long a turn took that was answered, or that failed.
func (c *Capacity) Took(d time.Duration) { c.turns.add(d, false) }

// ObserveGraph and ObserveRedis are next, and count how long the calls took of which it is told.
func (c *Capacity) ObserveGraph(next guard.Observer) guard.Observer { return observer{next, c.graph} }

// ObserveRedis is ObserveGraph for Redis.
func (c *Capacity) ObserveRedis(next guard.Observer) guard.Observer { return observer{next, c.redis} }

type observer struct {
	guard.Observer
	window *window
}

// Called counts the calls that were made and whose end says something of who was called.
func (o observer) Called(ctx context.Context, out guard.Outcome) {
	switch out.Result {
	case guard.OK:
		o.window.add(out.Took, false)
	case guard.Error, guard.Timeout:
		o.window.add(out.Took, true)
	}
	o.Observer.Called(ctx, out)
}

// observe looks at everything, and lets a second pass.
func (c *Capacity) observe(ctx context.Context) Observed {
	o := Observed{Chats: int(c.underWay.Load())}
	o.ChatP99, _ = c.turns.look()
	o.GraphP99, o.GraphBad = c.graph.look()
	o.RedisP99, o.RedisBad = c.redis.look()
	for _, w := range []*window{c.turns, c.graph, c.redis} {
		w.pass()
	}
	if c.Memory != nil {
		o.Memory = c.Memory()
	}
	if c.Spend != nil {
		o.Spend = max(0, slices.Index([]string{"", "soft", "hard"}, c.Spend()))
	}
	if c.Backlog != nil {
		o.Backlog = c.Backlog()
	}
	if c.Workers != nil && o.Backlog > 0 {
		o.Workers = c.Workers(ctx)
	}
	if c.Breakers != nil {
		o.Open = open(c.Breakers())
	}
	return o
}

// open counts the breakers that are not closed. A status that is no breaker's has another word for its state.
func open(all []guard.Status) (n int) {
	for _, s := range all {
		if s.State == "open" || s.State == "half-open" {
			n++
		}
	}
	return n
}
