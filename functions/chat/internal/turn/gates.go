package turn

import (
	"cmp"
	"context"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
)

// Gate may keep out a turn that is within its rate. A gate asks nobody: what it needs of Redis is in Opened.
type Gate interface {
	// Check rules on t; nil: the gate has nothing to say of it.
	Check(t Turn, o Opened) *Ruling
}

// Ruling is what a gate says of a turn. It holds nothing of what was said.
type Ruling struct {
	Gate   string         // its name in traces and metrics, and for callers who are refused
	Policy string         // the rule, in a few words
	Inputs map[string]any // what was weighed
	Mark   string         // what is odd about a turn that is let through all the same
	Reason string         // why the turn is refused, for the caller; empty: it is let through
}

// Budget is what a caller may use in a day, UTC; 0: as much as they like.
type Budget struct {
	Tokens int64
	USD    float64
}

// Used is what a caller used in a day, UTC. Of engines that do not tell their usage it is an estimate.
type Used struct {
	Tokens int64
	USD    float64
}

// Meter counts what callers use, also in turns that broke off.
type Meter interface {
	Add(c Caller, u Used)
}

// pass shows a turn to the gates, in order, until one keeps it out: *Refused. A turn that goes on with an answer was let
// in when it began.
func (s *Teller) pass(ctx context.Context, t Turn, o Opened) error {
	if t.Sent != "" {
		return nil
	}
	for _, g := range s.Gates {
		began := time.Now()
		r := g.Check(t, o)
		if r == nil {
			continue
		}
		err := r.err()
		s.Telemetry.Metrics.GateRulings.WithLabelValues(r.Gate, r.word()).Inc()
		d := decision.Decision{
			Stage: decision.Admit, Kind: decision.Policy, Policy: r.Policy, Inputs: r.Inputs,
			Selected: cmp.Or(r.Mark, "let through"), Outcome: decision.Success,
		}
		if err != nil {
			d.Selected, d.Outcome, d.Error = "refused", decision.Refused, err.Error()
		}
		decision.From(ctx).Add(began, d)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Ruling) err() error {
	if r.Reason == "" {
		return nil
	}
	return &Refused{Gate: r.Gate, Reason: r.Reason}
}

// word is the ruling in metrics.
func (r *Ruling) word() string {
	switch {
	case r.Reason != "":
		return "refused"
	case r.Mark != "":
		return "marked"
	}
	return "passed"
}

// meter counts what an answer used, whether it was whole or not.
func (s *Teller) meter(c Caller, tokens int, usd float64) {
	if s.Meter != nil && c.Key != "" && (tokens > 0 || usd > 0) {
		s.Meter.Add(c, Used{Tokens: int64(tokens), USD: usd})
	}
}
