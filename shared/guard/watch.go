package guard

import (
	"context"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Watch asks the dependency by ping, every limits.PingEvery while its breaker is open, whether it answers again. Once it
// does the next call goes through, as if the open time were over: callers have it back soon after it is back, and while it
// is not, none of them pays for finding out. When that call fails all the same (a Redis that is read-only answers pings),
// pings are not believed until the open time is over. When no call comes a second answer closes the breaker: what is
// called only while something else is down must not look broken until then. Watch returns when ctx ends.
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
		now := g.now()
		switch {
		case until == 0: // closed, or probed by a call under way
		case believed > 0 && trips > believed:
			misled, believed = until, 0
		case until == misled && now < until, !g.answers(ctx, ping):
		case now < until:
			believed = trips
			g.openUntil.CompareAndSwap(until, now)
		case g.openUntil.CompareAndSwap(until, 0):
			g.breaker.Close()
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
