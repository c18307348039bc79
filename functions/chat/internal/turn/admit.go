package turn

import (
	"context"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/limits"
)

// entry is what admission learnt of a turn, and what it set off for the chapters after it.
type entry struct {
	verdict  *Verdict
	opened   Opened
	later    <-chan session // what is kept of the session, when the turn is let in before it is known
	graph    *reading       // the graph's recall, under way
	degraded lacks
	place    *capacity.Place
	leave    func(err error)
}

// admit lets the turn in, or stops it: *HopsError, *Invalid, ErrDeadline, ErrShed, *Limited, *Refused. It sets the turn's one
// deadline. The graph is read beside the Redis round trip; a turn that is stopped cancels it.
func (s *Teller) admit(ctx context.Context, t Turn) (context.Context, *entry, error) {
	stage, done := s.stage(ctx, decision.Admit)
	defer done()
	e := &entry{leave: func(error) {}}
	if err := s.hops(stage, t); err != nil {
		return ctx, e, err
	}
	if err := t.validate(); err != nil {
		return ctx, e, refuse(stage, "what a turn may hold", err)
	}
	if t.late() {
		return ctx, e, refuse(stage, "the caller's deadline", ErrDeadline)
	}
	var err error
	if e.place, err = s.enter(stage, t.priority()); err != nil {
		return ctx, e, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, t.deadline(), ErrDeadline)
	e.leave = func(err error) { cancel(); s.leave(e.place, t, err) }
	e.degraded = s.spared(e.place)
	if err = s.limit(ctx, t, e, func() { e.graph = s.read(ctx, t, e.place) }); err == nil {
		err = s.pass(ctx, t, e.opened)
	}
	return ctx, e, err
}

// hops stops a call that goes round in circles.
func (s *Teller) hops(ctx context.Context, t Turn) error {
	if t.Hop <= limits.MaxHops {
		return nil
	}
	s.Telemetry.Metrics.HopsRefused.Inc()
	return refuse(ctx, fmt.Sprintf("at most %d hops", limits.MaxHops), &HopsError{Hops: t.Hop})
}

// refuse records that err stops the turn by policy, and returns err.
func refuse(ctx context.Context, policy string, err error) error {
	decision.From(ctx).Add(time.Now(), decision.Decision{
		Stage: decision.Admit, Kind: decision.Policy, Policy: policy,
		Selected: "refused", Outcome: decision.Refused, Error: err.Error(),
	})
	return err
}
