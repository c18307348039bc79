package turn

import (
	"context"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

// limit asks for the caller's rate: in memory first, where a caller known to be over the limit costs nothing more,
// then in Redis, whose word counts and which gives the session too. Without Redis the word in memory stands.
func (s *Teller) limit(ctx context.Context, t Turn, e *entry, beside func()) error {
	began, c := time.Now(), t.Caller
	verdict, source := s.share.take(c.ID(), c.Class, c.Rate), "local"
	if verdict.Allowed {
		beside()
		e.opened, e.degraded = s.open(ctx, t)
		switch {
		case e.opened.Verdict != nil:
			verdict, source = *e.opened.Verdict, "redis"
			s.share.learn(c.ID(), verdict)
		case s.Flags.Enabled(serve.StrictRate):
			verdict = s.share.take("strict "+c.ID(), c.Class, s.strict(c.Rate))
		}
	}
	e.verdict = &verdict
	return s.judge(ctx, began, c, verdict, source, e.degraded)
}

// open makes the turn's first Redis round trip. What Redis answered with nonsense counts as lacking.
func (s *Teller) open(ctx context.Context, t Turn) (Opened, lacks) {
	if s.Sessions == nil {
		return Opened{}, lacks{notConfigured(limits.Redis)}
	}
	o := Opening{Caller: t.Caller, User: t.User, SessionID: t.SessionID}
	opened, lack := guard.FailOpen(ctx, s.Redis, Opened{}, func(ctx context.Context) (Opened, error) {
		return s.Sessions.Open(ctx, o)
	})
	if lack == nil && len(opened.Faults) > 0 {
		lack = &guard.Degraded{Zone: limits.Redis.Zone, Dependency: limits.Redis.Name, Reason: string(guard.Error)}
		s.Telemetry.FailedOpen(ctx, *lack, fmt.Errorf("admit: unreadable in Redis: %v", opened.Faults))
	}
	return opened, lacks{}.with(lack)
}

// strict is an instance's part of r when all instances share it.
func (s *Teller) strict(r limits.Rate) limits.Rate {
	n := max(1, s.Replicas)
	return limits.Rate{PerMinute: max(1, r.PerMinute/n), Burst: max(1, r.Burst/n)}
}

// judge records the verdict, and turns a bad one into an error.
func (s *Teller) judge(ctx context.Context, began time.Time, c Caller, v Verdict, source string, missing lacks) error {
	d := decision.Decision{
		Stage: decision.Admit, Kind: decision.Policy, Outcome: decision.Success,
		Inputs:        map[string]any{"caller": c.kind(), "class": c.Class, "counted_in": source},
		Policy:        fmt.Sprintf("%d requests a minute, %d at once", c.Rate.PerMinute, c.Rate.Burst),
		Selected:      fmt.Sprintf("let in, %d left", v.Remaining),
		FallbackChain: missing.words(),
	}
	if len(missing) > 0 {
		d.Outcome, d.Dependency = decision.Fallback, missing[0].Dependency
	}
	var err error
	word := "allowed"
	if !v.Allowed {
		word, err = "limited", &Limited{v}
		d.Selected = fmt.Sprintf("refused, next in %s", v.RetryAfter.Round(time.Millisecond))
		d.Outcome, d.Error = decision.Refused, err.Error()
	}
	s.Telemetry.Metrics.RateLimitDecisions.WithLabelValues(word, source).Inc()
	decision.From(ctx).Add(began, d)
	return err
}

// ID tells callers apart.
func (c Caller) ID() string {
	if c.Key != "" {
		return c.Class + " key " + c.Key
	}
	return c.Class + " address " + c.Address
}

// kind says what sort of caller it is, for people to read; addresses stay out of traces.
func (c Caller) kind() string {
	if c.Key != "" {
		return "key " + c.Key
	}
	return "anonymous"
}
