package turn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// What users may ask of their memory beside taking turns. These fail closed: a caller who asks for exactly one thing is
// not served by half of it.

// ErrUnavailable means that what was asked for cannot be had at the moment; it wraps why.
var ErrUnavailable = errors.New("unavailable")

// ErrNoSession means that no such session is known.
var ErrNoSession = errors.New("no such session")

// sessionTurns is how much of a session the graph is asked for.
const sessionTurns = 500

// Allow counts a request of c that is no turn against its rate. The only error is *Limited: it fails open.
func (s *Teller) Allow(ctx context.Context, c Caller) (Verdict, error) {
	e := &entry{}
	err := s.limit(ctx, Turn{Caller: c}, e, func() {})
	return *e.verdict, err
}

// History gives a session's messages, oldest first: of one user or, with user empty, of whoever had it. What Redis
// does not hold is read from the graph. It fails with *Invalid, ErrNoSession or ErrUnavailable.
func (s *Teller) History(ctx context.Context, user, sessionID string) ([]Said, error) {
	if err := cmp.Or(ValidateSession(sessionID), ValidateUser(user)); err != nil {
		return nil, err
	}
	kept, err := redisCall(ctx, s, func(ctx context.Context) (Kept, error) {
		return s.Archive.History(ctx, user, sessionID)
	})
	switch {
	case len(kept.Said) > 0:
		return kept.Said, nil
	case kept.Deleted:
		return nil, ErrNoSession
	}
	turns, graphErr := graphCall(ctx, s, func(ctx context.Context) ([]graph.Turn, error) {
		return s.Memory.Session(ctx, user, sessionID, sessionTurns)
	})
	switch err = errors.Join(err, graphErr); {
	case len(turns) > 0:
		return said(turns), nil
	case err != nil:
		return nil, fmt.Errorf("history: %w: %w", ErrUnavailable, err)
	}
	return nil, ErrNoSession
}

// DeleteSession forgets a session's messages; what the user's memory learnt in it stays until the user is forgotten. A
// session that is not there is deleted already. It fails with *Invalid or ErrUnavailable.
func (s *Teller) DeleteSession(ctx context.Context, sessionID string) error {
	if err := ValidateSession(sessionID); err != nil {
		return err
	}
	_, err := redisCall(ctx, s, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.Archive.Delete(ctx, sessionID)
	})
	if err != nil {
		return fmt.Errorf("delete session: %w: %w", ErrUnavailable, err)
	}
	return nil
}

// Recall tells what the graph recalls of a user on q, best first, at most limit items. It fails with *Invalid or
// ErrUnavailable.
func (s *Teller) Recall(ctx context.Context, user, q string, limit int) ([]Recalled, error) {
	if err := ValidateUser(user); err != nil {
		return nil, err
	}
	items, err := graphCall(ctx, s, func(ctx context.Context) ([]graph.Item, error) {
		return s.Memory.Recall(ctx, graph.Query{User: user, Text: q, Now: time.Now(), Limit: limit})
	})
	if err != nil {
		return nil, fmt.Errorf("recall: %w: %w", ErrUnavailable, err)
	}
	return recalled(items), nil
}

// Forget erases all of a user's data: in Redis and the graph at once, everywhere by event. Without an error it is gone
// or, where a function is down, will be when that function reads the event. ErrUnavailable: ask again.
func (s *Teller) Forget(ctx context.Context, user string) error {
	if err := ValidateUser(user); err != nil {
		return err
	}
	now := time.Now()
	told := s.tellForgotten(ctx, user, now)
	_, graphErr := graphCall(ctx, s, func(ctx context.Context) (int, error) { return s.Memory.Forget(ctx, user, now) })
	if told {
		graphErr = nil
	}
	_, redisErr := redisCall(ctx, s, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.Archive.Forget(ctx, user)
	})
	if err := errors.Join(graphErr, redisErr); err != nil {
		return fmt.Errorf("forget: %w: %w", ErrUnavailable, err)
	}
	return nil
}

// tellForgotten sends user.forgotten and says whether it is in durable hands.
func (s *Teller) tellForgotten(ctx context.Context, user string, at time.Time) bool {
	if s.Outbox == nil {
		return false
	}
	e, err := event.New(event.UserForgotten, s.Source, "forgotten-"+newID(), "", 0, event.Forgotten{User: user, At: at})
	if err != nil {
		return false
	}
	way, _ := s.Outbox.Send(ctx, e)
	return slices.Contains([]string{event.WayBroker, event.WayDirect, event.WayOutbox}, way)
}

// Statuses tells the state of every dependency of a turn.
func (s *Teller) Statuses() []guard.Status {
	all := s.Engines.Statuses()
	if s.Sessions != nil {
		all = append(all, s.Redis.Status())
	}
	if s.Memory != nil {
		all = append(all, s.Graph.Status())
	}
	if s.Outbox != nil {
		all = append(all, s.Outbox.Statuses()...)
	}
	return all
}

// redisCall calls the archive through its guard. No Redis holds nothing, and that is no error.
func redisCall[T any](ctx context.Context, s *Teller, call func(context.Context) (T, error)) (T, error) {
	if s.Archive == nil {
		var none T
		return none, nil
	}
	return guard.Do(ctx, s.Redis, call)
}

// graphCall calls the memory through its guard. No graph holds nothing, and that is no error.
func graphCall[T any](ctx context.Context, s *Teller, call func(context.Context) (T, error)) (T, error) {
	if s.Memory == nil {
		var none T
		return none, nil
	}
	return guard.Do(ctx, s.Graph, call)
}

func (s *Teller) graphName() string {
	if s.Graph == nil {
		return limits.Neo4jRead.Name
	}
	return s.Graph.Dependency().Name
}
