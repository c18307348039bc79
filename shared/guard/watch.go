package guard

import (
	"context"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// firstDoubt is for how long pings are not believed after the first that misled. One call may fail for many a reason, and
// what is back is wanted back within 10 s.
const firstDoubt = 2 * limits.PingEvery

// Watch asks the dependency by ping, every limits.PingEvery while its breaker is open, whether it answers again. Once it
// does the next call goes through, as if the open time were over: callers have it back soon after it is back, and while it
// is not, none of them pays for finding out. When that call fails all the same (a Redis that is read-only answers pings),
// pings are not believed for a while, twice as long each time, up to the open time. When no call comes a second answer
// closes the breaker: what is called only while something else is down must not look broken until then. Watch returns when
// ctx ends.
func (g *Guard) Watch(ctx context.Context, ping func(context.Context) error) {
	tick := time.NewTicker(limits.PingEvery)
	defer tick.Stop()
	believed, doubt, doubtful := 0, firstDoubt, int64(0) // trips when a ping was believed last; until when none is
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		until, trips := g.opened()
		now := g.now()
		switch {
		case trips == 0:
			believed, doubt = 0, firstDoubt
		case until == 0: // probed by a call under way
		case believed > 0 && trips > believed:
			doubtful, believed = min(now+int64(doubt), until), 0
			doubt = min(2*doubt, g.dependency.Breaker.Open)
		case now < doubtful, !g.answers(ctx, ping):
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
