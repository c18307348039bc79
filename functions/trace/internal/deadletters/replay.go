package deadletters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Why a letter was not replayed. The letter stays as it was.
var (
	ErrReplayed = errors.New("replay: it was replayed already, and did not come back")
	ErrCircles  = errors.New("replay: it came back as often as anything may go round")
	ErrUnderWay = errors.New("replay: it is being replayed")
	ErrNoBroker = errors.New("replay: there is no broker to send it to: set K_SINK or DEAD_LETTER_REPLAY")
	ErrNotTaken = errors.New("replay: the broker did not take it")
)

// Replay sends a letter's event to the broker again, with no hops behind it. Who took the event the first time takes
// it once more; all of ours notice. A letter that was replayed and did not come back is ErrReplayed unless again. The
// audit says that it was who.
func (s *Store) Replay(ctx context.Context, id string, again bool, who string) (Letter, error) {
	if s.broker == nil {
		return Letter{}, ErrNoBroker
	}
	k, release, err := s.keeper.Take(ctx, id)
	if err != nil {
		return Letter{}, err
	}
	defer release()
	l, attributes, err := k.read()
	if err != nil {
		return Letter{}, fmt.Errorf("replay: %w", err)
	}
	if l.State == Replayed && !again {
		return Letter{}, ErrReplayed
	}
	if l.Replays >= limits.MaxHops && !again {
		s.HopsRefused.Inc()
		return Letter{}, ErrCircles
	}
	if err := s.send(ctx, attributes, k.Data); err != nil {
		s.failed(ctx, l, who, err)
		return Letter{}, err
	}
	return s.replayed(context.WithoutCancel(ctx), l, who)
}

func (s *Store) send(ctx context.Context, attributes map[string]string, data []byte) error {
	e, err := revive(attributes, data)
	if err != nil {
		return fmt.Errorf("%w: it is no event any more: %w", ErrNotTaken, err)
	}
	if err := s.broker.Post(ctx, e); err != nil {
		return fmt.Errorf("%w: %w", ErrNotTaken, err)
	}
	return nil
}

// replayed notes the replay. If the letter came back meanwhile it waits on.
func (s *Store) replayed(ctx context.Context, l Letter, who string) (Letter, error) {
	l.State, l.ReplayedAt = Replayed, time.Now().UTC().Truncate(time.Microsecond)
	l.Replays++
	err := s.keeper.Replayed(ctx, l.Arrivals, Entry{At: l.ReplayedAt, Who: who, Letter: l.ID, Type: l.Type, Outcome: Sent})
	if err != nil {
		return Letter{}, fmt.Errorf("replay: it was sent, but that could not be noted: %w", err)
	}
	s.count(ctx)
	s.log.Info("dead letter replayed", "id", l.ID, "type", l.Type, "replays", l.Replays, "who", who)
	return l, nil
}

// queueMost bounds the letters of one ReplayAll.
const queueMost = 10_000

// ReplayAll replays the letters that wait, oldest first, until none is left, the time of one turn is over, or the
// broker's breaker opens. What was not replayed waits for the next call; err is the last reason why.
func (s *Store) ReplayAll(ctx context.Context, who string) (replayed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, limits.Turn)
	defer cancel()
	ids, err := s.keeper.Queue(ctx, queueMost)
	for _, id := range ids {
		_, failed := s.Replay(ctx, id, false, who)
		switch {
		case failed == nil:
			replayed++
		case errors.Is(failed, store.ErrNotFound), errors.Is(failed, ErrReplayed), errors.Is(failed, ErrUnderWay):
			// Someone else was faster.
		default:
			err = failed
		}
		if errors.Is(err, guard.ErrOpen) || errors.Is(err, ErrNoBroker) || ctx.Err() != nil {
			break
		}
	}
	return replayed, err
}
