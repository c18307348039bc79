package deadletters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// growth is how many bytes are kept between two looks at what may expire: 2 % of what may be kept.
const growth = limits.DeadLetterBytes / 50

// chunk is how many letters are looked at at once.
const chunk = 200

// Retain lets letters expire: those that wait when they last came before now-limits.DeadLetterAge, replayed ones
// limits.DecisionAge after that, and any that are beyond maxBytes, data and attributes together: replayed ones first, then
// those that came longest ago. One that waited is lost with it: it is counted, logged and audited. It says how many went.
// Several instances may do so at once.
func (s *Store) Retain(ctx context.Context, now time.Time, maxBytes int64) (gone int, err error) {
	defer s.count(ctx)
	replayed, _, err := s.expire(ctx, Replayed, now, maxBytes)
	if err != nil {
		return replayed, err
	}
	waited, lost, err := s.expire(ctx, Waiting, now, maxBytes)
	if len(lost) > 0 {
		s.Expired.Add(float64(len(lost)))
		s.log.Error("dead letters expired before anyone replayed them", "letters", len(lost), "first", lost[0].Letter, "why", lost[0].Detail)
	}
	return replayed + waited, errors.Join(err, s.keeper.Trim(ctx, now.Add(-limits.DeadLetterAge), auditMost))
}

// expire lets the letters in one state expire. What is lost with it is what the audit says of those that waited.
func (s *Store) expire(ctx context.Context, state string, now time.Time, maxBytes int64) (gone int, lost []Entry, err error) {
	oldest := now.Add(-limits.DeadLetterAge)
	if state == Replayed {
		oldest = now.Add(-limits.DecisionAge)
	}
	for {
		some, bytes, err := s.keeper.Oldest(ctx, state, chunk)
		if err != nil {
			return gone, lost, err
		}
		for _, a := range some {
			old := a.At.Before(oldest)
			if !old && bytes <= maxBytes {
				return gone, lost, nil
			}
			e := expiry(a, now, old, maxBytes)
			dropped, err := s.keeper.Drop(ctx, a, e)
			if err != nil {
				return gone, lost, err
			}
			bytes -= a.Bytes
			if dropped {
				gone++
			}
			if dropped && e != nil {
				lost = append(lost, *e)
			}
		}
		if len(some) < chunk {
			return gone, lost, nil
		}
	}
}

// expiry is what the audit says of a letter that goes; nil: it was replayed, and nothing is lost.
func expiry(a Aged, now time.Time, old bool, maxBytes int64) *Entry {
	if a.State != Waiting {
		return nil
	}
	e := Entry{At: now, Who: retention, Letter: a.ID, Type: a.Type, Outcome: Expired}
	e.Detail = fmt.Sprintf("more than %d MB were kept", maxBytes>>20)
	if old {
		e.Detail = fmt.Sprintf("older than %d days", limits.DeadLetterAge/(24*time.Hour))
	}
	return &e
}

// grow counts what was kept, and lets Grown know when that is much.
func (s *Store) grow(bytes int) {
	if s.grown.Add(int64(bytes)) < growth {
		return
	}
	s.grown.Store(0)
	select {
	case s.full <- struct{}{}:
	default:
	}
}

// Grown says when so much came that Retain should look.
func (s *Store) Grown() <-chan struct{} { return s.full }
