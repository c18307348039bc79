package capacity

import (
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Priority is who goes first when there is no room for all.
type Priority int

// Priorities, last first. A caller says itself that its session is an old one; it can say so of a new one too, and gains
// the little that is between them.
const (
	Stranger        Priority = iota // an anonymous caller's new session
	StrangerWithKey                 // the same of a caller with an API key
	Known                           // an anonymous caller's session that goes on
	KnownWithKey                    // the same of a caller with an API key
	Running                         // a stream that broke off goes on: it has been let in before
)

// shares of the room that turns of each priority may fill: the rest is kept for those before them.
var shares = [...]float64{Stranger: 0.85, StrangerWithKey: 0.90, Known: 0.95, KnownWithKey: 1, Running: 1}

// Place is what a turn that was let in holds. Leave it once.
type Place struct {
	*State
	Busy   bool // the soft limit of turns under way is passed
	of     *Capacity
	permit guard.Permit
}

// Enter lets a turn in or, with nil, sheds it: the hard limit of turns under way, or the one that adapts to what can be
// done, leaves no room for its priority, or a measure is in force against it. Running turns are never shed.
func (c *Capacity) Enter(p Priority) *Place {
	n, state := int(c.underWay.Add(1)), c.Now()
	place := &Place{State: state, Busy: n > limits.ConcurrentChats.Soft, of: c}
	if p == Running {
		return place
	}
	if state.sheds(p) || n > int(shares[p]*float64(c.limit())) || !place.enter() {
		c.underWay.Add(-1)
		return nil
	}
	return place
}

// enter asks the limit that adapts, which may have become lower a moment ago.
func (p *Place) enter() (ok bool) {
	if p.of.adaptive == nil {
		return true
	}
	p.permit, ok = p.of.adaptive.Enter()
	return ok
}

// limit is how many turns may be under way.
func (c *Capacity) limit() int {
	if c.adaptive == nil {
		return limits.ConcurrentChats.Hard
	}
	return c.adaptive.Limit()
}

// Leave ends the turn. One that came to an end says by how long it took what can be done; one that was stopped, or whose
// caller left, says nothing.
func (p *Place) Leave(ended bool) {
	p.of.underWay.Add(-1)
	p.permit.Leave(ended)
}
