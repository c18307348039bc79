package guard

import (
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/aguante-chat/aguante/shared/limits"
)

// headroom is how many times the calls under way an Adaptive lets in at most: a burst goes through before it has learnt.
const headroom = 5

// Adaptive limits how many calls may be under way to what can be done: it goes down while they take longer than they
// used to, and up again. Safe for concurrent use.
type Adaptive struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
}

// Permit is held by a call that an Adaptive let in. The zero Permit holds nothing.
type Permit struct{ permit adaptivelimiter.Permit }

// NewAdaptive returns an Adaptive within the bounds of l.
func NewAdaptive(l limits.Adaptive) *Adaptive {
	room := func(underWay int) float64 { return float64(max(l.Start, headroom*underWay)) }
	return &Adaptive{adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(l.Least), uint(l.Most), uint(l.Start)).
		WithMaxLimitFunc(room).
		Build()}
}

// Enter lets a call in, if there is room.
func (a *Adaptive) Enter() (Permit, bool) {
	permit, ok := a.limiter.TryAcquirePermit()
	return Permit{permit}, ok
}

// Limit is how many calls may be under way now.
func (a *Adaptive) Limit() int { return a.limiter.Limit() }

// Leave ends the call. How long it took counts if it ended by itself.
func (p Permit) Leave(ended bool) {
	switch {
	case p.permit == nil:
	case ended:
		p.permit.Record()
	default:
		p.permit.Drop()
	}
}
