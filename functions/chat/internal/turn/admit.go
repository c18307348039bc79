package turn

import (
	"context"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/limits"
)

// entry is what admission learnt of a turn, and what it set off for the chapters after it.
type entry struct {
	verdict  *Verdict
	opened   Opened
	graph    *reading // the graph's recall, under way
	degraded lacks
	leave    func()
}

// admit lets the turn in, or stops it: *HopsError, *Invalid, ErrShed, *Limited, *Refused. It sets the turn's one deadline. The
// graph is read beside the Redis round trip; a turn that is stopped cancels it.
func (s *Teller) admit(ctx context.Context, t Turn) (context.Context, *entry, error) {
	stage, done := s.stage(ctx, decision.Admit)
	defer done()
	e := &entry{leave: func() {}}
	if err := s.hops(stage, t); err != nil {
		return ctx, e, err
	}
	if err := t.validate(); err != nil {
		return ctx, e, refuse(stage, "what a turn may hold", err)
	}
	busy, err := s.enter(stage)
	if err != nil {
		return ctx, e, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Turn, ErrDeadline)
	e.leave = func() { cancel(); s.underWay.Add(-1) }
	if err = s.limit(ctx, t, e, func() { e.graph = s.read(ctx, t, busy) }); err == nil {
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

// enter counts the turn in, unless the instance is full.
func (s *Teller) enter(ctx context.Context) (busy bool, err error) {
	full := limits.ConcurrentChats
	underWay := int(s.underWay.Add(1))
	if underWay > full.Hard {
		s.underWay.Add(-1)
		s.Telemetry.Metrics.Shed.Inc()
		policy := fmt.Sprintf("at most %d turns under way", full.Hard)
		return false, refuse(ctx, policy, ErrShed)
	}
	return underWay > full.Soft, nil
}

// refuse records that err stops the turn by policy, and returns err.
func refuse(ctx context.Context, policy string, err error) error {
	decision.From(ctx).Add(time.Now(), decision.Decision{
		Stage: decision.Admit, Kind: decision.Policy, Policy: policy,
		Selected: "refused", Outcome: decision.Refused, Error: err.Error(),
	})
	return err
}
