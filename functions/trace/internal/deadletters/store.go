package deadletters

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aguante-chat/aguante/shared/event"
)

// Poster sends an event to the broker once.
type Poster interface {
	Post(ctx context.Context, e event.Event) error
}

// Store is what trace does with dead letters, wherever they are kept.
type Store struct {
	keeper Keeper
	broker Poster // nil: there is nobody to send them to
	Metrics
	log *slog.Logger

	counting sync.Mutex    // the gauge is set to what was read last
	grown    atomic.Int64  // bytes that came since Retain was last asked for
	full     chan struct{} // holds one
}

// Metrics of the dead letters.
type Metrics struct {
	Waiting     prometheus.Gauge
	Expired     prometheus.Counter // that waited
	HopsRefused prometheus.Counter // replays of letters that come back each time
}

// New returns the dead letters in keeper. Replays go to broker.
func New(keeper Keeper, broker Poster, m Metrics, log *slog.Logger) *Store {
	return &Store{keeper: keeper, broker: broker, Metrics: m, log: log, full: make(chan struct{}, 1)}
}

// Keep stores e, or counts that it came again. A letter that comes back after its replay waits again.
func (s *Store) Keep(ctx context.Context, e event.Event, now time.Time) error {
	all, err := attributes(e)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	a := Arrival{ID: identity(e), Type: e.Type(), Sent: e.Time(), At: now, Attributes: text, Data: e.Data()}
	if a.Sent.IsZero() {
		a.Sent = now
	}
	a.Owner, a.Unreadable = owner(e)
	if err := s.keeper.Keep(ctx, a); err != nil {
		return err
	}
	s.count(ctx)
	s.grow(len(a.Data) + len(text))
	return nil
}

// List returns at most limit letters, those that came last first, and how many wait.
func (s *Store) List(ctx context.Context, limit int) (letters []Letter, waiting int, err error) {
	if waiting, err = s.keeper.Waiting(ctx); err != nil {
		return nil, 0, err
	}
	kept, err := s.keeper.List(ctx, limit)
	if err != nil {
		return nil, 0, err
	}
	letters = make([]Letter, len(kept))
	for i, k := range kept {
		if letters[i], _, err = k.read(); err != nil {
			return nil, 0, fmt.Errorf("list: %w", err)
		}
	}
	return letters, waiting, nil
}

// Waiting is how many letters wait for an operator.
func (s *Store) Waiting(ctx context.Context) (int, error) { return s.keeper.Waiting(ctx) }

// count sets the gauge. Where the keeper does not answer it stays as it was until the next look, a minute later.
func (s *Store) count(ctx context.Context) {
	s.counting.Lock()
	defer s.counting.Unlock()
	if waiting, err := s.keeper.Waiting(ctx); err == nil {
		s.Metrics.Waiting.Set(float64(waiting))
	}
}
