package turn

import (
	"context"
	"errors"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// enter lets a turn in, if there is room for one of its priority.
func (s *Teller) enter(ctx context.Context, p capacity.Priority) (*capacity.Place, error) {
	place := s.Capacity.Enter(p)
	if place == nil {
		s.Telemetry.Metrics.Shed.Inc()
		return nil, refuse(ctx, "while there is no room for all: sessions that go on before new ones, with a key before without", ErrShed)
	}
	return place, nil
}

// leave gives the turn's place back. How long it took says something of what there is room for if it came to an end.
func (s *Teller) leave(place *capacity.Place, t Turn, err error) {
	ended := err == nil || errors.Is(err, ErrDeadline)
	if ended {
		s.Capacity.Took(time.Since(t.began))
	}
	place.Leave(ended)
}

// priority is where the turn stands when there is no room for all.
func (t Turn) priority() capacity.Priority {
	known := t.SessionID != "" && !t.isNew || t.bringsHistory()
	switch {
	case t.running:
		return capacity.Running
	case known && t.Caller.Key != "":
		return capacity.KnownWithKey
	case known:
		return capacity.Known
	case t.Caller.Key != "":
		return capacity.StrangerWithKey
	}
	return capacity.Stranger
}

// deadline is when the turn has to be over: what the caller has time for, and never more than limits.Turn.
func (t Turn) deadline() time.Time {
	latest := time.Now().Add(limits.Turn)
	if !t.Deadline.IsZero() && t.Deadline.Before(latest) {
		return t.Deadline
	}
	return latest
}

// late tells whether the caller waits no longer.
func (t Turn) late() bool { return !t.Deadline.IsZero() && !time.Now().Before(t.Deadline) }

// spared says what all turns do without for lack of room.
func (s *Teller) spared(place *capacity.Place) lacks {
	if word := place.Because(capacity.FewRecalls); word != "" {
		return lacks{{Zone: limits.ZoneSync, Dependency: "chat", Reason: word}}
	}
	return nil
}

// most is how many items an engine is given.
func most(place *capacity.Place) int {
	if place.Has(capacity.FewRecalls) {
		return recalledFew
	}
	return recalledMost
}

// slow says why Redis is not waited for at admission, if it is not. Of a caller with a budget it knows what is left.
func (s *Teller) slow(c Caller) string {
	if s.Sessions == nil || c.Budget != (Budget{}) || s.Capacity.Probe(capacity.LocalLimit) {
		return ""
	}
	return s.Capacity.Now().Because(capacity.LocalLimit)
}

// session is what Redis has of one.
type session struct {
	opened Opened
	lacks  lacks
}

// openBeside reads the session, if it is an old one, beside what else recall waits for, and lets Redis count nothing.
func (s *Teller) openBeside(ctx context.Context, t Turn, why string) (<-chan session, lacks) {
	lack := guard.Degraded{Zone: limits.Redis.Zone, Dependency: limits.Redis.Name, Reason: why}
	s.Telemetry.FailedOpen(ctx, lack, nil)
	if t.SessionID == "" || t.isNew {
		return nil, lacks{lack}
	}
	t.Caller = Caller{}
	later := make(chan session, 1)
	go func() {
		opened, lacks := s.open(ctx, t)
		later <- session{opened, lacks}
	}()
	return later, lacks{lack}
}

// open waits for what is read beside.
func (e *entry) open(ctx context.Context) lacks {
	if e.later == nil {
		return nil
	}
	select {
	case read := <-e.later:
		e.opened = read.opened
		return read.lacks
	case <-ctx.Done():
		return lacks{{Zone: limits.Redis.Zone, Dependency: limits.Redis.Name, Reason: string(guard.Timeout)}}
	}
}
