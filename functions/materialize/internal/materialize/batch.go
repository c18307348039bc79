package materialize

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// maxBatch is the most turns of one commit.
const maxBatch = 64

// heartbeat is how often an idle batcher shows that it lives.
const heartbeat = 10 * time.Second

var (
	errBacklog = errors.New("too many turns wait to be written")
	errAmong   = errors.New("among the turns of one commit is one that cannot be written")
	errClosed  = errors.New("materialize is stopping")
)

// batcher is a group commit: whoever waits while one batch is being written makes up the next. A lone turn never waits.
// After a failure turns are written one at a time, then two, four and so on: a turn that no store can write does not
// take others down with it again and again, and a store that comes back is asked for little first.
type batcher struct {
	write   func(context.Context, []graph.Write) ([]graph.Written, error)
	waiting chan *waiter
	backlog prometheus.Gauge // turns that wait or are being written
	seen    prometheus.Gauge // when run last went round: a batcher that hangs is not seen
	load    *load
	most    int // turns of the next batch; run's own

	mu      sync.RWMutex // held for reading while a turn joins, for writing to close
	closed  bool
	stopped chan struct{}
	abort   context.CancelFunc
}

type waiter struct {
	write   graph.Write
	written graph.Written
	err     error
	done    chan struct{}
}

func newBatcher(write func(context.Context, []graph.Write) ([]graph.Written, error), backlog, seen prometheus.Gauge) *batcher {
	ctx, abort := context.WithCancel(context.Background())
	b := &batcher{write: write, backlog: backlog, seen: seen, load: newLoad(time.Now), most: maxBatch, abort: abort,
		waiting: make(chan *waiter, limits.MutationBacklog.Hard), stopped: make(chan struct{})}
	go b.run(ctx)
	return b
}

// put writes one turn and returns once it is durable. A caller who leaves does not take the turn back. A write that no
// store can keep is graph.ErrInvalid, and not put among others.
func (b *batcher) put(ctx context.Context, w graph.Write) (graph.Written, error) {
	if _, err := graph.NewEntry(w); err != nil {
		return graph.Written{}, err
	}
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

func (b *batcher) run(ctx context.Context) {
	defer close(b.stopped)
	idle := time.NewTicker(heartbeat)
	defer idle.Stop()
	for {
		b.seen.SetToCurrentTime()
		select {
		case first, open := <-b.waiting:
			if !open {
				return
			}
			batch := b.gather(first)
			b.load.is(len(batch) >= b.most) // a smaller batch has room: one more turn costs next to nothing
			b.commit(ctx, batch)
			b.load.is(false)
		case <-idle.C:
		}
	}
}

// gather takes whoever waits already, and waits for nobody.
func (b *batcher) gather(first *waiter) []*waiter {
	batch := []*waiter{first}
	for len(batch) < b.most {
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
func (b *batcher) commit(ctx context.Context, batch []*waiter) {
	writes := make([]graph.Write, len(batch))
	for i, w := range batch {
		writes[i] = w.write
	}
	written, err := b.write(ctx, writes)
	b.most = min(2*b.most, maxBatch)
	if err != nil {
		b.most = 1
		if len(batch) > 1 && errors.Is(err, graph.ErrInvalid) {
			err = errAmong // whose fault it is shows when they come again, one at a time
		}
	}
	b.backlog.Sub(float64(len(batch)))
	for i, w := range batch {
		if w.err = err; err == nil {
			w.written = written[i]
		}
		close(w.done)
	}
}

// close lets the turns that have joined be written, and takes no more. When ctx ends, what is still unwritten is given up.
func (b *batcher) close(ctx context.Context) error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.waiting)
	}
	b.mu.Unlock()
	defer b.abort()
	select {
	case <-b.stopped:
		return nil
	case <-ctx.Done():
		b.abort()
		<-b.stopped
		return ctx.Err()
	}
}
