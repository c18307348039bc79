// Package trace is the function that keeps what turns decided and what nobody took: events in, an API, the operator
// console.
package trace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store/sqlite"
	"github.com/aguante-chat/aguante/functions/trace/page"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Source is the source of events that trace itself makes, and its name in health and metrics.
const Source = "/aguante/trace"

// tidyEvery is how often old traces are looked for and the heartbeat is given.
const tidyEvery = time.Minute

// sendAgain is when an event that could not be stored may come again.
const sendAgain = 10 * time.Second

type function struct {
	keeping   keeping
	decisions *decisions.Store
	letters   *deadletters.Store
	broker    *event.Sender // nil: there is none
	telemetry *telemetry.Telemetry

	stop  context.CancelFunc
	tasks sync.WaitGroup
}

// New wires trace. It starts whatever state its store and the broker are in: what it cannot do it says in Health.
func New(ctx context.Context, c Config) (*serve.Function, error) {
	f := &function{telemetry: cmp.Or(c.Telemetry, telemetry.Nop())}
	var err error
	if f.keeping, err = open(ctx, c, f.telemetry); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	f.decisions = decisions.New(f.keeping.Traces(), c.TraceContent)
	f.letters = deadletters.New(f.keeping.Letters(), f.connect(c),
		deadletters.Metrics{Waiting: f.telemetry.Metrics.DeadLetters, Expired: f.telemetry.Metrics.DeadLettersExpired,
			HopsRefused: f.telemetry.Metrics.HopsRefused}, f.telemetry.Log)
	handler, err := f.routes()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("trace: %w", err), f.keeping.Close())
	}
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	f.tasks.Go(func() { f.tidy(ctx) })
	return &serve.Function{Name: "trace", Handler: handler, Health: f.health, Close: f.close}, nil
}

// connect returns the way back to the broker, nil when there is none.
func (f *function) connect(c Config) deadletters.Poster {
	target := cmp.Or(c.DeadLetterReplay, c.Sink)
	if target == "" {
		return nil
	}
	f.broker = event.NewSender(event.SenderConfig{Broker: target, Observer: f.telemetry, Log: f.telemetry.Log})
	return f.broker
}

func (f *function) routes() (http.Handler, error) {
	console, err := page.New(f.decisions, f.letters, f.telemetry.Log)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	if err := console.Register(mux); err != nil {
		return nil, err
	}
	mux.Handle("POST /{$}", event.Handler(Source, f.accept,
		event.HandlerOptions{HopsRefused: f.telemetry.Metrics.HopsRefused, Log: f.telemetry.Log}))
	f.decisions.Register(mux)
	f.letters.Register(mux)
	serve.Probes(mux, f.health)
	return edge(mux), nil
}

// accept takes one event. What the store cannot take now should come again; what nobody can read never should.
func (f *function) accept(ctx context.Context, e event.Event) (*event.Event, error) {
	var err error
	switch e.Type() {
	case event.TurnDecided:
		err = f.keep(ctx, e)
	case event.UserForgotten:
		err = f.forget(ctx, e)
	default:
		err = never(fmt.Errorf("trace takes no %.100q", e.Type()))
	}
	if refused := (*event.Never)(nil); err == nil || errors.As(err, &refused) {
		return nil, err
	}
	return nil, &event.Again{After: sendAgain, Err: err}
}

func never(err error) error {
	return &event.Never{Status: http.StatusUnprocessableEntity, Err: err}
}

func (f *function) keep(ctx context.Context, e event.Event) error {
	t, err := decisions.Decode(e.Data(), time.Now())
	if err != nil {
		return never(err)
	}
	return f.decisions.Keep(ctx, t)
}

// forget erases a user's traces and the dead letters that hold their data.
func (f *function) forget(ctx context.Context, e event.Event) error {
	var who event.Forgotten
	if err := json.Unmarshal(e.Data(), &who); err != nil {
		return never(fmt.Errorf("user.forgotten: %w", err))
	}
	if who.User == "" || len(who.User) > limits.MaxID {
		return never(errors.New("user.forgotten: user: is missing or too long"))
	}
	return f.keeping.Forget(ctx, who.User, forgottenAt(who.At, e.Time(), time.Now()))
}

// forgottenAt is the first of the times that is given, and never in the future: what a user does after they were
// forgotten is kept.
func forgottenAt(at, sent, now time.Time) time.Time {
	if at.IsZero() {
		at = sent
	}
	if at.IsZero() || at.After(now) {
		return now
	}
	return at
}

// tidy gives the heartbeat and drops what is too old or too much, until ctx ends.
func (f *function) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		f.telemetry.Metrics.WorkerLastSeen.WithLabelValues("trace").SetToCurrentTime()
		if err := f.retain(ctx); err != nil && ctx.Err() == nil {
			f.telemetry.Log.Warn("old traces were not dropped", "error", err)
		}
		select {
		case <-tick.C:
		case <-f.decisions.Grown():
		case <-f.letters.Grown():
		case <-ctx.Done():
			return
		}
	}
}

func (f *function) retain(ctx context.Context) error {
	now := time.Now()
	dropped, err := f.decisions.Retain(ctx, now.Add(-limits.DecisionAge), limits.DecisionBytes)
	expired, lettersErr := f.letters.Retain(ctx, now, limits.DeadLetterBytes)
	err = errors.Join(err, lettersErr)
	if file, ok := f.keeping.(*sqlite.File); ok && dropped+expired > 0 && err == nil {
		return file.Compact(ctx) // Redis needs none
	}
	return err
}

// health is degraded as soon as one call to the store fails, not only when its breaker opens.
func (f *function) health() serve.Health {
	statuses := []guard.Status{f.keeping.Status()}
	if f.broker != nil {
		statuses = append(statuses, f.broker.Statuses()...)
	}
	h := serve.NewHealth(statuses...)
	if f.keeping.Fault() != nil {
		zone := h.Zones[limits.ZoneAsync]
		h.Status, zone.State = "degraded", "degraded"
		h.Zones[limits.ZoneAsync] = zone
	}
	return h
}

func (f *function) close(ctx context.Context) error {
	f.stop()
	f.tasks.Wait()
	if f.broker != nil {
		f.broker.Close(ctx)
	}
	return f.keeping.Close()
}
