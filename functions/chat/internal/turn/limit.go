package turn

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
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
		s.ask(ctx, t, e)
		switch {
		case e.opened.Verdict != nil:
			verdict, source = *e.opened.Verdict, "redis"
			s.share.learn(c.ID(), verdict)
		case s.Flags.Enabled(serve.StrictRate):
			verdict = s.share.take("strict "+c.ID(), c.Class, s.strict(c.Rate))
		}
	}
	e.verdict = &verdict
	return s.judge(ctx, began, t, verdict, source, e.degraded)
}

// ask asks Redis for the rate and the session or, while it is slow, beside everything else for the session alone.
func (s *Teller) ask(ctx context.Context, t Turn, e *entry) {
	var missing lacks
	if why := s.slow(t.Caller); why != "" {
		e.later, missing = s.openBeside(ctx, t, why)
	} else {
		e.opened, missing = s.open(ctx, t)
	}
	e.degraded = e.degraded.and(missing)
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

// judge counts and records the verdict, and turns a bad one into an error.
func (s *Teller) judge(ctx context.Context, began time.Time, t Turn, v Verdict, source string, missing lacks) error {
	var err error
	word := "allowed"
	if !v.Allowed {
		word, err = "limited", &Limited{v}
	}
	s.Telemetry.Metrics.RateLimitDecisions.WithLabelValues(word, source).Inc()
	if r := decision.From(ctx); r != nil {
		r.Add(began, judged(t, v, source, missing, err))
	}
	return err
}

// judged is the decision that a verdict is, with err the refusal.
func judged(t Turn, v Verdict, source string, missing lacks, err error) decision.Decision {
	c := t.Caller
	d := decision.Decision{
		Stage: decision.Admit, Kind: decision.Policy, Outcome: decision.Success,
		Inputs:        map[string]any{"caller": c.kind(), "class": c.Class, "route": t.Route, "counted_in": source},
		Policy:        fmt.Sprintf("%d requests a minute, %d at once", c.Rate.PerMinute, c.Rate.Burst),
		Selected:      fmt.Sprintf("let in, %d left", v.Remaining),
		FallbackChain: missing.words(),
	}
	if len(missing) > 0 {
		d.Outcome, d.Dependency = decision.Fallback, missing[0].Dependency
	}
	if err != nil {
		d.Selected = fmt.Sprintf("refused, next in %s", v.RetryAfter.Round(time.Millisecond))
		d.Outcome, d.Error = decision.Refused, err.Error()
	}
	return d
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

// Verdict is what a rate limit said of one request.
type Verdict struct {
	Allowed    bool
	Limit      int           // requests at once
	Remaining  int           // of them
	Reset      time.Duration // until all of them are back
	RetryAfter time.Duration // until one of them is back; 0 when allowed
	Policy     string        // for the RateLimit-Policy header: name, quota, window in seconds, burst
}

// Judge is GCRA, the generic cell rate algorithm (ITU-T I.371, annex A): every request fills a bucket that leaks at
// the rate, and one that would overflow the burst is not allowed and fills nothing. filled is the time the bucket
// needs to leak empty, before this request.
func Judge(class string, r limits.Rate, filled time.Duration) Verdict {
	each, whole := Interval(r), Interval(r)*time.Duration(r.Burst)
	v := Verdict{Limit: r.Burst, Reset: filled, Policy: `"` + class + `";q=` + strconv.Itoa(r.PerMinute) + ";w=60;burst=" + strconv.Itoa(r.Burst)}
	if filled+each > whole {
		v.RetryAfter = filled + each - whole
		return v
	}
	v.Allowed = true
	v.Reset += each
	v.Remaining = int((whole - v.Reset) / each)
	return v
}

// Interval is the time between two requests at the rate r, in whole microseconds: Redis counts in them.
func Interval(r limits.Rate) time.Duration {
	return (time.Minute / time.Duration(max(1, r.PerMinute))).Truncate(time.Microsecond)
}

// shareKeys bounds the callers that one instance keeps in mind: 100 bytes each.
const shareKeys = 50_000

// share is the rate limit in memory. While Redis answers it mirrors what Redis said last, and a caller over the limit
// here is over it everywhere; when Redis fails it goes on from there.
type share struct {
	now  func() time.Time
	mu   sync.Mutex
	full map[string]time.Time // when each caller's bucket will have leaked empty
}

func newShare(now func() time.Time) *share {
	return &share{now: now, full: map[string]time.Time{}}
}

// take judges one request of key and counts it if it is allowed.
func (s *share) take(key, class string, r limits.Rate) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	v := Judge(class, r, max(0, s.full[key].Sub(now)))
	if v.Allowed {
		s.put(key, now.Add(v.Reset))
	}
	return v
}

// learn takes over what Redis said of key.
func (s *share) learn(key string, v Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, s.now().Add(v.Reset))
}

// put makes room by dropping callers whose buckets are empty and then, where that is not enough, any: a tenth of all
// goes at once, so that a flood of callers pays for it rarely.
func (s *share) put(key string, full time.Time) {
	if _, known := s.full[key]; !known && len(s.full) >= shareKeys {
		now := s.now()
		maps.DeleteFunc(s.full, func(_ string, t time.Time) bool { return !t.After(now) })
		for k := range s.full {
			if len(s.full) <= shareKeys*9/10 {
				break
			}
			delete(s.full, k)
		}
	}
	s.full[key] = full
}
