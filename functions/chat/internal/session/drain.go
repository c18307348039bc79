package session

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
)

const (
	drainEvery = time.Second
	drainRests = 30 * time.Second // at most, while nobody takes the events
	claimAfter = 30 * time.Second // then an event that another instance took is ours
	drainFails = 3                // in a row, and the rest waits
	deferMost  = 2 * time.Minute  // of the five that a turn may take until it is in the graph
)

// Drainer empties the outbox: every event goes to Post, and is deleted once that has worked. Several instances drain
// one outbox; an event whose instance died is claimed by another, so that it may be posted twice and is never lost.
type Drainer struct {
	Store    *Store
	Redis    *guard.Guard
	Consumer string // unique among the instances
	Post     func(ctx context.Context, e event.Event) error
	Defer    func() bool      // whether to leave the outbox as it is for now, two minutes at most; nil: never
	Waiting  prometheus.Gauge // aguante_outbox_turns
	Log      *slog.Logger

	draining sync.Mutex // Run and Drain share a consumer, and one takes at a time
	deferred time.Time  // since when the outbox is left as it is; zero: it is not
}

// Run drains until ctx ends, once a second and, while nobody takes the events, more and more seldom.
func (d *Drainer) Run(ctx context.Context) {
	defer d.leave(context.WithoutCancel(ctx))
	wait := drainEvery
	for rest(ctx, wait) {
		if err := d.Drain(ctx); err != nil {
			wait = min(2*wait, drainRests)
			continue
		}
		wait = drainEvery
	}
}

// rest waits for d, more or less, and tells whether ctx still goes on.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d/2 + rand.N(d)):
		return true
	}
}

// leave takes the consumer's name out of Redis: instances come and go, and every one has another.
func (d *Drainer) leave(ctx context.Context) {
	if err := d.redis(ctx, func(ctx context.Context) error { return d.Store.leave(ctx, d.Consumer) }); err != nil {
		d.Log.Debug("the outbox still names a consumer that has left", "error", err)
	}
}

// Drain posts what waits at the moment, unless that is deferred. Its error is that of Redis, or of the last event that nobody took.
func (d *Drainer) Drain(ctx context.Context) error {
	d.draining.Lock()
	defer d.draining.Unlock()
	for {
		if d.defers() {
			return d.count(ctx)
		}
		some, err := guard.Do(ctx, d.Redis, func(ctx context.Context) ([]kept, error) {
			return d.Store.take(ctx, d.Consumer)
		})
		d.Waiting.Set(float64(d.Store.waiting.Load()))
		if err != nil || len(some) == 0 {
			return err
		}
		if err := d.post(ctx, some); err != nil {
			return err
		}
	}
}

// defers tells whether to leave the outbox as it is. Whoever is busy for longer gets it all the same: a backlog that waits
// for a quiet hour might wait for ever.
func (d *Drainer) defers() bool {
	if d.Defer == nil || !d.Defer() {
		d.deferred = time.Time{}
		return false
	}
	if d.deferred.IsZero() {
		d.deferred = time.Now()
	}
	return time.Since(d.deferred) < deferMost
}

// count sees how many events wait, and takes none.
func (d *Drainer) count(ctx context.Context) error {
	err := d.redis(ctx, d.Store.count)
	d.Waiting.Set(float64(d.Store.waiting.Load()))
	return err
}

// post posts each of some. One that nobody takes does not hold up the others, unless several in a row fail.
func (d *Drainer) post(ctx context.Context, some []kept) error {
	var failed error
	inRow := 0
	for _, k := range some {
		err := d.one(ctx, k)
		if err == nil {
			inRow = 0
			continue
		}
		failed, inRow = err, inRow+1
		if inRow == drainFails || ctx.Err() != nil {
			break
		}
	}
	d.Waiting.Set(float64(d.Store.waiting.Load()))
	return failed
}

// one posts one event and removes it. An event that will never be taken is put aside, where an operator finds it.
func (d *Drainer) one(ctx context.Context, k kept) error {
	err := error(&event.Never{Err: errors.New("no event")})
	if k.event != nil {
		err = d.Post(ctx, *k.event)
	}
	if never := (*event.Never)(nil); errors.As(err, &never) {
		d.Log.ErrorContext(ctx, "an event of the outbox will never be taken", "id", k.id, "stream", unsentKey, "error", err)
		err = d.redis(ctx, func(ctx context.Context) error { return d.Store.putAside(ctx, k) })
	}
	if err != nil {
		return err
	}
	return d.redis(ctx, func(ctx context.Context) error { return d.Store.done(ctx, k.id) })
}

func (d *Drainer) redis(ctx context.Context, call func(context.Context) error) error {
	_, err := guard.Do(ctx, d.Redis, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// unsentMost bounds the events that are put aside.
const unsentMost = 1000

func (s *Store) putAside(ctx context.Context, k kept) error {
	return s.client.XAdd(ctx, &redis.XAddArgs{
		Stream: unsentKey, MaxLen: unsentMost, Approx: true, Values: []any{"event", k.text},
	}).Err()
}
