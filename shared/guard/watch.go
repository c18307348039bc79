package guard

import (
	"context"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Watch asks the dependency by ping, every limits.PingEvery while its breaker is open, whether it answers again. Once it
// does the next call goes through, as if the open time were over: callers have it back soon after it is back, and while it
// is not, none of them pays for finding out. When that call fails all the same (a Redis that is read-only answers pings),
// pings are not believed until the next open time. Watch returns when ctx ends.
func (g *Guard) Watch(ctx context.Context, ping func(context.Context) error) {
	tick := time.NewTicker(limits.PingEvery)
	defer tick.Stop()
	believed, misled := 0, int64(0) // trips when a ping was believed last; end of the open time in which none is
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		until, trips := g.opened()
		switch {
		case until <= time.Now().UnixNano(): // not open, or probed by the next call anyway
		case believed > 0 && trips > believed:
			misled, believed = until, 0
		case until != misled && g.answers(ctx, ping):
			believed = trips
			g.openUntil.CompareAndSwap(until, time.Now().UnixNano())
		}
	}
}

// opened is until when the breaker stays open, zero if it is not, and how often it opened since it was last closed.
func (g *Guard) opened() (until int64, trips int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.openUntil.Load(), g.trips
}

// answers wants an answer as fast as calls do, and never slower than a dependency that is well.
func (g *Guard) answers(ctx context.Context, ping func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, min(g.dependency.Timeout, limits.PingTime))
	defer cancel()
	return ping(ctx) == nil
}
