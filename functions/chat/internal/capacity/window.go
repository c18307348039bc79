package capacity

import (
	"sync/atomic"
	"time"
)

// bounds are what durations are sorted by. Every threshold is among them, so that a p99 is never on the wrong side of one.
var bounds = [...]time.Duration{
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 8 * time.Second, 15 * time.Second, 30 * time.Second,
}

// few is how many slow calls make no p99, however few calls there are.
const few = 2

// window counts how long calls took, and how many failed, over the last seconds. Adding costs two atomic additions.
type window struct {
	slots []slot // one a second
	now   atomic.Int64
}

type slot struct {
	took   [len(bounds)]atomic.Int64 // by upper bound; what took longer than all is in the last
	failed atomic.Int64
}

func newWindow(seconds int) *window { return &window{slots: make([]slot, seconds)} }

func (w *window) add(took time.Duration, failed bool) {
	s := &w.slots[w.now.Load()]
	i := 0
	for i < len(bounds)-1 && took > bounds[i] {
		i++
	}
	s.took[i].Add(1)
	if failed {
		s.failed.Add(1)
	}
}

// pass lets a second pass; the oldest one is forgotten. It must not be called by two at once.
func (w *window) pass() {
	next := (w.now.Load() + 1) % int64(len(w.slots))
	s := &w.slots[next]
	for i := range s.took {
		s.took[i].Store(0)
	}
	s.failed.Store(0)
	w.now.Store(next)
}

// look gives the p99 in seconds, rounded up to a bound, and the share of calls that failed; zero where a few calls alone
// would make it.
func (w *window) look() (p99, failed float64) {
	var took [len(bounds)]int64
	var total, bad int64
	for i := range w.slots {
		for b := range took {
			n := w.slots[i].took[b].Load()
			took[b] += n
			total += n
		}
		bad += w.slots[i].failed.Load()
	}
	if bad > few {
		failed = float64(bad) / float64(total)
	}
	above := int64(0)
	for b := len(bounds) - 1; b >= 0; b-- {
		if above += took[b]; above > max(few, total/100) {
			return bounds[b].Seconds(), failed
		}
	}
	return 0, failed
}
