package event

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aguante-chat/aguante/shared/limits"
)

// bufferWorkers is how many decision traces are sent at once.
const bufferWorkers = 4

// Buffer sends what may be lost, decision traces, without keeping anyone waiting: at most limits.DecisionBuffer.Hard
// events wait for the broker, the next is dropped and counted.
type Buffer struct {
	queue   *queue
	dropped prometheus.Counter
	log     *slog.Logger
	logged  atomic.Int64 // when a drop was logged last, in Unix seconds
}

// NewBuffer returns a buffer that posts through s and must be closed before it. Drops are counted in dropped.
func NewBuffer(s *Sender, dropped prometheus.Counter) *Buffer {
	b := &Buffer{dropped: dropped, log: s.Log}
	b.queue = newQueue(limits.DecisionBuffer.Hard, bufferWorkers, false, s.Post, b.drop)
	return b
}

// Offer takes e if there is room, and never blocks.
func (b *Buffer) Offer(e Event) bool { return b.queue.offer(e) }

// Close sends what is waiting, each event once, until ctx ends.
func (b *Buffer) Close(ctx context.Context) { b.queue.close(ctx) }

// drop counts every drop and logs one a second.
func (b *Buffer) drop(e Event, err error) {
	b.dropped.Inc()
	now := time.Now().Unix()
	if last := b.logged.Load(); last != now && b.logged.CompareAndSwap(last, now) {
		b.log.Warn("decision trace dropped; the metric counts them all", "id", e.ID(), "error", err)
	}
}
