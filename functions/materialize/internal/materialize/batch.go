package materialize

import (
	"context"
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// maxBatch is the most turns of one commit.
const maxBatch = 64

var (
	errBacklog = errors.New("too many turns wait to be written")
	errClosed  = errors.New("materialize is stopping")
)

// batcher is a group commit: whoever waits while one batch is being written makes up the next. A lone turn never waits.
type batcher struct {
	write   func(context.Context, []graph.Write) ([]graph.Written, error)
	waiting chan *waiter
	backlog prometheus.Gauge // turns that wait or are being written

	mu      sync.RWMutex // held for reading while a turn joins, for writing to close
	closed  bool
	stopped chan struct{}
}

type waiter struct {
	write   graph.Write
	written graph.Written
	err     error
	done    chan struct{}
}

func newBatcher(write func(context.Context, []graph.Write) ([]graph.Written, error), backlog prometheus.Gauge) *batcher {
	b := &batcher{write: write, backlog: backlog, waiting: make(chan *waiter, limits.MutationBacklog.Hard), stopped: make(chan struct{})}
	go b.run()
	return b
}

// put writes one turn and returns once it is durable. A caller who leaves does not take the turn back.
func (b *batcher) put(ctx context.Context, w graph.Write) (graph.Written, error) {
	waiting := &waiter{write: w, done: make(chan struct{})}
	if err := b.join(waiting); err != nil {
		return graph.Written{}, err
	}
	select {
	case <-waiting.done:
		return waiting.written, waiting.err
	case <-ctx.Done():
		return graph.Written{}, ctx.Err()
	}
}

func (b *batcher) join(w *waiter) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return errClosed
	}
	select {
	case b.waiting <- w:
		b.backlog.Inc()
		return nil
	default:
		return errBacklog
	}
}

func (b *batcher) run() {
	defer close(b.stopped)
	for first := range b.waiting {
		b.commit(b.gather(first))
	}
}

// gather takes whoever waits already, and waits for nobody.
func (b *batcher) gather(first *waiter) []*waiter {
	batch := []*waiter{first}
	for len(batch) < maxBatch {
		select {
		case next, open := <-b.waiting:
			if !open {
				return batch
			}
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// commit writes a batch and tells everyone in it. The context is none of theirs: one who leaves must not undo the rest.
func (b *batcher) commit(batch []*waiter) {
	writes := make([]graph.Write, len(batch))
	for i, w := range batch {
		writes[i] = w.write
	}
	written, err := b.write(context.Background(), writes)
	b.backlog.Sub(float64(len(batch)))
	for i, w := range batch {
		if w.err = err; err == nil {
			w.written = written[i]
		}
		close(w.done)
	}
}

// close lets the turns that have joined be written, and takes no more.
func (b *batcher) close(ctx context.Context) error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.waiting)
	}
	b.mu.Unlock()
	select {
	case <-b.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
