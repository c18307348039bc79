// Package guard is the one door through which every call leaves the process: bulkhead, breaker, timeout, call, and the
// outcome told to an observer. Do returns the error; FailOpen returns the fallback that the caller names.
package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

var (
	// ErrRejected means that the bulkhead is full: the call was not made.
	ErrRejected = errors.New("guard: bulkhead full")
	// ErrOpen means that the breaker is open: the call was not made.
	ErrOpen = errors.New("guard: breaker open")
	// ErrTimeout means that the call took longer than its dependency's timeout.
	ErrTimeout = errors.New("guard: timeout")
)

// Guard guards one dependency. It is safe for concurrent use.
type Guard struct {
	dependency limits.Dependency
	observer   Observer
	bulkhead   bulkhead.Bulkhead[any]
	breaker    circuitbreaker.CircuitBreaker[any]

	made      time.Time
	openUntil atomic.Int64 // when an open breaker may be probed, by now; zero while it is not open
	abandoned atomic.Bool  // the probe's caller left: probe again at once

	mu        sync.Mutex
	trips     int       // times opened since it was last closed: the open time doubles with each
	since     time.Time // when the breaker changed last
	lastError error     // what was counted against the dependency last
}

// New returns a guard of d, closed. What happens at it is told to o, which may be nil.
func New(d limits.Dependency, o Observer) *Guard {
	now := time.Now()
	g := &Guard{dependency: d, observer: o, made: now, since: now}
	g.bulkhead = bulkhead.New[any](uint(d.InFlight))
	g.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(uint(d.Breaker.Failures)).
		WithSuccessThreshold(1).
		WithDelay(forever).
		OnStateChanged(g.changed).
		Build()
	return g
}

// forever: failsafe-go computes a changing delay only for its own executions, so the guard half-opens the breaker itself.
const forever = 100 * 365 * 24 * time.Hour

// now is how long the guard has been there, in nanoseconds. It goes on evenly when the clock is set.
func (g *Guard) now() int64 { return int64(time.Since(g.made)) }

// permitted asks the breaker, and half-opens it for one probe once its open time is over.
func (g *Guard) permitted() bool {
	if g.breaker.TryAcquirePermit() {
		return true
	}
	until := g.openUntil.Load()
	if until == 0 || g.now() < until || !g.openUntil.CompareAndSwap(until, 0) {
		return false
	}
	g.breaker.HalfOpen()
	return g.breaker.TryAcquirePermit()
}

// openTime is how long the breaker, opening now, stays open: Open, doubling up to MaxOpen with each probe that fails.
// The caller holds mu.
func (g *Guard) openTime() time.Duration {
	if g.abandoned.Swap(false) {
		return 0
	}
	b := g.dependency.Breaker
	g.trips++
	return min(b.Open<<min(g.trips-1, 16), max(b.Open, b.MaxOpen))
}

// Do makes the call if the dependency's guard lets it through, for at most the dependency's timeout. The error is the
// call's own, ErrTimeout, or ErrRejected or ErrOpen when the call was not made. The call must honour its context.
func Do[T any](ctx context.Context, g *Guard, call func(context.Context) (T, error)) (result T, err error) {
	var c Call // on the stack: a guarded call costs no allocation beyond its context's
	if ctx, err = g.begin(ctx, &c); err != nil {
		return result, err
	}
	defer c.panicked()
	result, err = call(ctx)
	return result, c.End(err)
}

// FailOpen is Do for a dependency that the caller can do without: instead of an error it returns the fallback and
// says what is lacking. A nil Degraded means that the call worked.
func FailOpen[T any](ctx context.Context, g *Guard, fallback T, call func(context.Context) (T, error)) (T, *Degraded) {
	result, err := Do(ctx, g, call)
	if err == nil {
		return result, nil
	}
	lack := &Degraded{Zone: g.dependency.Zone, Dependency: g.dependency.Name, Reason: string(ResultOf(err))}
	if g.observer != nil {
		g.observer.FailedOpen(ctx, *lack, err)
	}
	return fallback, lack
}

// Begin is the first half of a call that outlives a function: a stream. The call's context ends after the dependency's
// timeout; End must be called once, with the error that the stream ended with.
func (g *Guard) Begin(ctx context.Context) (context.Context, *Call, error) {
	c := new(Call)
	ctx, err := g.begin(ctx, c)
	if err != nil {
		return ctx, nil, err
	}
	return ctx, c, nil
}

func (g *Guard) begin(ctx context.Context, c *Call) (context.Context, error) {
	c.guard, c.parent, c.began = g, ctx, time.Now()
	if !g.bulkhead.TryAcquirePermit() {
		return ctx, c.refused(ErrRejected)
	}
	if !g.permitted() {
		g.bulkhead.ReleasePermit()
		return ctx, c.refused(ErrOpen)
	}
	c.ctx, c.cancel = context.WithDeadline(ctx, c.began.Add(g.dependency.Timeout))
	return c.ctx, nil
}

// Dependency is what g guards.
func (g *Guard) Dependency() limits.Dependency { return g.dependency }

// Status is what /health says of a dependency.
type Status struct {
	Dependency string    `json:"dependency"`
	Zone       string    `json:"zone"`
	State      string    `json:"state"` // closed, open or half-open
	Since      time.Time `json:"since"`
	LastError  string    `json:"last_error,omitempty"` // while the breaker is not closed
}

// Status is the guard's state now.
func (g *Guard) Status() Status {
	state := g.breaker.State()
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{Dependency: g.dependency.Name, Zone: g.dependency.Zone, State: state.String(), Since: g.since}
	if state != circuitbreaker.ClosedState && g.lastError != nil {
		s.LastError = g.lastError.Error()
	}
	return s
}

// changed is told by the breaker, outside its lock.
func (g *Guard) changed(e circuitbreaker.StateChangedEvent) {
	now := time.Now()
	g.mu.Lock()
	g.since = now
	cause := g.lastError
	switch e.NewState {
	case circuitbreaker.OpenState:
		g.openUntil.Store(g.now() + int64(g.openTime()))
	case circuitbreaker.ClosedState:
		g.trips, cause = 0, nil
	}
	g.mu.Unlock()
	if g.observer != nil {
		g.observer.Changed(Change{Dependency: g.dependency.Name, From: e.OldState.String(), To: e.NewState.String(), Err: cause, At: now})
	}
}

// Neutral marks an error with which the dependency answered as it should (a missing key, a bad request): the caller gets
// it, the breaker does not count it.
func Neutral(err error) error {
	if err == nil {
		return nil
	}
	return neutral{err}
}

type neutral struct{ error }

func isNeutral(err error) bool {
	var n neutral
	return errors.As(err, &n)
}

func (n neutral) Unwrap() error { return n.error }

// Abandoned marks the error of a call that was given up for a reason of ours: no verdict on the dependency, as when the
// caller leaves.
func Abandoned(err error) error {
	if err == nil {
		return nil
	}
	return abandoned{err}
}

type abandoned struct{ error }

func isAbandoned(err error) bool {
	var a abandoned
	return errors.As(err, &a)
}

func (a abandoned) Unwrap() error { return a.error }

func timedOut(err error) error { return fmt.Errorf("%w: %w", ErrTimeout, err) }
