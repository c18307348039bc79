package guard

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// Call is one guarded call under way.
type Call struct {
	guard       *Guard
	parent, ctx context.Context
	cancel      context.CancelFunc
	began       time.Time
	ended       bool
}

// End ends the call: permits are released, the outcome is counted and told. It returns err, as ErrTimeout when the
// dependency's time had run out.
func (c *Call) End(err error) error {
	c.ended = true
	result := c.judge(err)
	if result == Timeout {
		err = timedOut(err)
	}
	c.cancel()
	c.guard.bulkhead.ReleasePermit()
	c.count(result, err)
	c.tell(result, err)
	return err
}

// judge says what an error means for the dependency. A caller who left is no verdict on it, and neither is a caller's
// deadline that came before half the dependency's own time was used.
func (c *Call) judge(err error) Result {
	switch {
	case err == nil || isNeutral(err):
		return OK
	case isAbandoned(err):
		return Left
	}
	switch left := over(c.parent); {
	case errors.Is(left, context.DeadlineExceeded) && time.Since(c.began) >= c.guard.dependency.Timeout/2:
		return Timeout
	case left != nil:
		return Left
	case over(c.ctx) != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	}
	return Error
}

// over says why ctx has ended. A connection that was given its deadline may be back before ctx knows.
func over(ctx context.Context) error {
	if deadline, is := ctx.Deadline(); is && !time.Now().Before(deadline) && ctx.Err() == nil {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// count tells the breaker. A half-open breaker waits for its one probe: if that caller left, it must probe again.
func (c *Call) count(result Result, err error) {
	g := c.guard
	switch result {
	case OK:
		g.breaker.RecordSuccess()
	case Left:
		if g.breaker.State() == circuitbreaker.HalfOpenState {
			g.abandoned.Store(true)
			g.breaker.RecordFailure()
		}
	default:
		g.mu.Lock()
		g.lastError = err
		g.mu.Unlock()
		g.breaker.RecordFailure()
	}
}

// panicked is deferred by Do: a call that panics has failed, and holds no permit.
func (c *Call) panicked() {
	if !c.ended {
		_ = c.End(errors.New("guard: the call panicked"))
	}
}

func (c *Call) refused(err error) error {
	c.tell(ResultOf(err), err)
	return err
}

func (c *Call) tell(result Result, err error) {
	if o := c.guard.observer; o != nil {
		o.Called(c.parent, Outcome{Dependency: c.guard.dependency.Name, Zone: c.guard.dependency.Zone,
			Result: result, Took: time.Since(c.began), Err: err})
	}
}
