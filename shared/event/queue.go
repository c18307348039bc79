package event

import (
	"context"
	"errors"
	"sync"
	"time"
)

// pause is how long a queue waits before it tries an event again. While a breaker is open a try costs nothing.
const pause = time.Second

// queue holds a bounded number of events and tries each until it is taken.
type queue struct {
	events  chan Event
	patient bool // once closed, go on trying until the time given is over
	try     func(ctx context.Context, e Event) error
	lost    func(e Event, err error)

	mu      sync.RWMutex
	closed  bool
	stop    chan struct{}
	ctx     context.Context // of the tries: ends with the time given to close
	cancel  context.CancelFunc
	workers sync.WaitGroup
}

func newQueue(size, workers int, patient bool, try func(context.Context, Event) error, lost func(Event, error)) *queue {
	q := &queue{events: make(chan Event, size), patient: patient, try: try, lost: lost, stop: make(chan struct{})}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	for range workers {
		q.workers.Go(q.work)
	}
	return q
}

// offer never blocks. It says false, and counts e as lost, when the queue is full or closed.
func (q *queue) offer(e Event) bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if !q.closed {
		select {
		case q.events <- e:
			return true
		default:
		}
	}
	q.lost(e, errors.New("full"))
	return false
}

// close tries what is left and returns when all is sent or lost, or soon after ctx ends.
func (q *queue) close(ctx context.Context) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.stop)
	}
	q.mu.Unlock()
	defer context.AfterFunc(ctx, q.cancel)()
	q.workers.Wait()
	q.cancel()
}

func (q *queue) work() {
	for {
		select {
		case e := <-q.events:
			q.deliver(e)
		case <-q.stop:
			q.drain()
			return
		}
	}
}

func (q *queue) drain() {
	for {
		select {
		case e := <-q.events:
			q.deliver(e)
		default:
			return
		}
	}
}

func (q *queue) deliver(e Event) {
	for {
		err := q.try(q.ctx, e)
		if err == nil {
			return
		}
		if never := (*Never)(nil); errors.As(err, &never) || !q.wait() {
			q.lost(e, err)
			return
		}
	}
}

// wait says whether to try once more.
func (q *queue) wait() bool {
	stop := q.stop
	select {
	case <-q.stop:
		if !q.patient {
			return false
		}
		stop = nil
	default:
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop: // one more at once
		return true
	case <-q.ctx.Done():
		return false
	}
}
