package materialize

import (
	"math"
	"sync"
	"time"
)

// loadTime is how far back a load looks: what was that long ago counts 1/e of what is now.
const loadTime = 5 * time.Second

// load is the share of its time that something is busy, lately. Safe for concurrent use.
type load struct {
	now func() time.Time

	mu    sync.Mutex
	busy  bool
	since time.Time // busy has been as it is
	share float64   // at since
}

func newLoad(now func() time.Time) *load { return &load{now: now, since: now()} }

// is tells the load whether it is busy from now on.
func (l *load) is(busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.share, l.busy, l.since = l.at(now), busy, now
}

// value is the load now, 0 to 1.
func (l *load) value() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at(l.now())
}

// at approaches 1 while it is busy, and 0 while it is not.
func (l *load) at(now time.Time) float64 {
	old := math.Exp(-float64(now.Sub(l.since)) / float64(loadTime))
	if l.busy {
		return 1 - old*(1-l.share)
	}
	return old * l.share
}
