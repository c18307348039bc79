package broker

import (
	"context"
	"sync"
	"sync/atomic"
)

// queue counts the deliveries of one kind that the journal holds for a trigger, and tells its worker of new ones.
type queue struct {
	n     atomic.Int64
	fresh chan struct{} // holds one signal when something was added

	mu    sync.Mutex
	empty chan struct{} // closed when n comes down to zero; nil: nobody waits
}

func newQueue() *queue { return &queue{fresh: make(chan struct{}, 1)} }

func (q *queue) wake() {
	select {
	case q.fresh <- struct{}{}:
	default:
	}
}

func (q *queue) remove() {
	if q.n.Add(-1) > 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.empty != nil {
		close(q.empty)
		q.empty = nil
	}
}

// drained waits until the queue is empty or ctx ends.
func (q *queue) drained(ctx context.Context) {
	q.mu.Lock()
	if q.n.Load() == 0 {
		q.mu.Unlock()
		return
	}
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	empty := q.empty
	q.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}
