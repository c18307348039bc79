package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/aguante-chat/aguante/functions/materialize/internal/extract"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Source is the source of the events that materialize tells.
const Source = "/materialize"

// When an event may come again that could not be written now.
const (
	busy = time.Second     // the backlog is full, or this instance stops
	down = 5 * time.Second // the store failed
)

// Outcomes of an event: the label of aguante_materialized_total.
const (
	written   = "written"
	duplicate = "duplicate" // it was in the graph already
	forgotten = "forgotten" // its user has been forgotten since
	erased    = "erased"    // it asked for a user to be forgotten
	skipped   = "skipped"   // the flag materializers-enabled says no
	refused   = "refused"   // never to be sent again
	failed    = "failed"    // to be sent again
)

// Store is what of a graph.Store a Worker needs.
type Store interface {
	Write(ctx context.Context, writes []graph.Write) ([]graph.Written, error)
	Forget(ctx context.Context, user string, at time.Time) (turns int, err error)
}

// Flags tells whose turns are materialized.
type Flags interface {
	MaterializersFor(session string) bool
}

// Parts are what a Worker is made of.
type Parts struct {
	Store     Store
	Guard     *guard.Guard // of the store
	Flags     Flags
	Memory    func() float64 // share of what the process may have that it holds; nil: enough is left
	Telemetry *telemetry.Telemetry
}

// errMemory means that one more turn might be one too many for the process.
var errMemory = errors.New("memory is short")

// Worker takes events into the graph. Safe for concurrent use.
type Worker struct {
	Parts
	batch *batcher
}

// New returns a working Worker. Close it.
func New(p Parts) *Worker {
	w := &Worker{Parts: p}
	w.batch = newBatcher(w.writeBatch, p.Telemetry.Metrics.BacklogTurns, p.Telemetry.Metrics.WorkerLastSeen.WithLabelValues("materialize"))
	return w
}

// Take is one event's story. The reply is turn.materialized; an error says whether the event should come again.
func (w *Worker) Take(ctx context.Context, e event.Event) (reply *event.Event, err error) {
	began, outcome := time.Now(), ""
	ctx, span := w.Telemetry.Tracer.Start(ctx, "materialize "+e.Type())
	defer func() {
		w.Telemetry.Metrics.Materialized.WithLabelValues(outcome).Inc()
		span.SetAttributes(attribute.String("outcome", outcome))
		if err != nil {
			span.SetStatus(codes.Error, outcome)
		}
		span.End()
	}()
	switch e.Type() {
	case event.TurnCompleted:
		if w.full() {
			outcome, err = failed, &event.Again{After: down, Err: errMemory}
			break
		}
		reply, outcome, err = w.turn(ctx, e, began)
	case event.UserForgotten:
		outcome, err = w.forget(ctx, e, began)
	default:
		outcome, err = refused, never(http.StatusUnprocessableEntity, fmt.Errorf("materialize takes no %.100q", e.Type()))
	}
	return reply, err
}

// full tells whether memory is short: better an event that comes again than a process that is killed with all it has.
func (w *Worker) full() bool { return w.Memory != nil && w.Memory() > limits.MemoryShort.Enter }

// Load is the share of its time that the worker has no room for one more turn, lately: it writes as many as it can at once.
func (w *Worker) Load() float64 { return w.batch.load.value() }

// turn: accept → extract → write → tell. With the flag off a turn is taken and left out of memory: it must not wait at
// the broker, nor become a dead letter, for a function that is switched off.
func (w *Worker) turn(ctx context.Context, e event.Event, began time.Time) (*event.Event, string, error) {
	write, err := accept(e, began)
	if err != nil {
		return nil, refused, err
	}
	if !w.Flags.MaterializersFor(write.Turn.SessionID) {
		return nil, skipped, nil
	}
	drawn := extract.Extract(write.Turn)
	write.Mentions, write.Facts = drawn.Mentions, drawn.Facts
	done, err := w.batch.put(ctx, write)
	if err != nil {
		outcome, err := verdict(err)
		return nil, outcome, err
	}
	w.Telemetry.Metrics.MaterializeDuration.Observe(time.Since(began).Seconds())
	return tell(e, write, done)
}

// tell makes the reply: what was written. Nothing is told of a user who was forgotten. Its id is the same at every
// delivery of e.
func tell(e event.Event, w graph.Write, done graph.Written) (*event.Event, string, error) {
	outcome := written
	switch {
	case done.Forgotten:
		return nil, forgotten, nil
	case done.Duplicate:
		outcome = duplicate
	}
	sum := sha256.Sum256([]byte(e.Source() + "\n" + e.ID()))
	reply, err := event.New(event.TurnMaterialized, Source, hex.EncodeToString(sum[:16]), w.Turn.SessionID, event.Hops(e)+1, event.Materialized{
		TurnID: w.Turn.ID, SessionID: w.Turn.SessionID, User: w.Turn.User,
		Mentions: len(w.Mentions), Facts: len(w.Facts), Duplicate: done.Duplicate,
	})
	if err != nil {
		return nil, failed, err
	}
	return &reply, outcome, nil
}

func (w *Worker) forget(ctx context.Context, e event.Event, now time.Time) (string, error) {
	who, err := acceptForgotten(e, now)
	if err != nil {
		return refused, err
	}
	_, err = guard.Do(ctx, w.Guard, func(ctx context.Context) (int, error) { return w.Store.Forget(ctx, who.User, who.At) })
	if err != nil {
		return verdict(err)
	}
	return erased, nil
}

func (w *Worker) writeBatch(ctx context.Context, writes []graph.Write) ([]graph.Written, error) {
	return guard.Do(ctx, w.Guard, func(ctx context.Context) ([]graph.Written, error) {
		done, err := w.Store.Write(ctx, writes)
		if errors.Is(err, graph.ErrInvalid) {
			err = guard.Neutral(err)
		}
		return done, err
	})
}

// verdict says of a failed write whether it may ever succeed.
func verdict(err error) (string, error) {
	switch {
	case errors.Is(err, graph.ErrInvalid):
		return refused, never(http.StatusUnprocessableEntity, err)
	case errors.Is(err, errBacklog), errors.Is(err, errClosed):
		return failed, &event.Again{After: busy, Err: err}
	}
	return failed, &event.Again{After: down, Err: err}
}

// Close writes what has been taken, and takes no more.
func (w *Worker) Close(ctx context.Context) error { return w.batch.close(ctx) }
