package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/shared/event"
)

// maxOutbox bounds the events that wait in Redis: at 2 KB a turn, a fifth of the memory that WS2 grants it.
const maxOutbox = 100_000

// ErrOutboxFull means that no more events are kept.
var ErrOutboxFull = errors.New("session: the outbox is full")

// Keep adds e to the outbox, a stream that a Drainer empties. It is on Redis when Keep returns.
func (s *Store) Keep(ctx context.Context, e event.Event) error {
	if s.waiting.Load() >= maxOutbox {
		return ErrOutboxFull
	}
	text, err := e.MarshalJSON()
	if err != nil {
		return fmt.Errorf("session: outbox: %w", err)
	}
	if err := s.client.XAdd(ctx, &redis.XAddArgs{Stream: outboxKey, Values: []any{"event", text}}).Err(); err != nil {
		return fmt.Errorf("session: outbox: %w", err)
	}
	s.waiting.Add(1)
	return nil
}

// kept is one entry of the outbox. A nil event: it is none.
type kept struct {
	id    string
	text  string
	event *event.Event
}

const (
	drainGroup  = "chat"
	drainAtOnce = 64
)

// Waiting is how many events were in the outbox when it was looked at last.
func (s *Store) Waiting() int { return int(s.waiting.Load()) }

// count looks how many events are in the outbox.
func (s *Store) count(ctx context.Context) error {
	waiting, err := s.client.XLen(ctx, outboxKey).Result()
	if err != nil {
		return fmt.Errorf("session: outbox: %w", err)
	}
	s.waiting.Store(waiting)
	return nil
}

// take gives some events of the outbox to consumer: its own from before, those that another took and did not finish
// within claimAfter, and new ones.
func (s *Store) take(ctx context.Context, consumer string) ([]kept, error) {
	if err := s.count(ctx); err != nil || s.waiting.Load() == 0 {
		return nil, err
	}
	p := s.client.Pipeline()
	p.XGroupCreate(ctx, outboxKey, drainGroup, "0") // an error when there is one
	own := p.XReadGroup(ctx, readGroup(consumer, "0"))
	idle := p.XAutoClaim(ctx, &redis.XAutoClaimArgs{
		Stream: outboxKey, Group: drainGroup, Consumer: consumer, MinIdle: claimAfter, Start: "0", Count: drainAtOnce,
	})
	fresh := p.XReadGroup(ctx, readGroup(consumer, ">"))
	_, _ = p.Exec(ctx)

	messages, _, err := idle.Result()
	for _, read := range []*redis.XStreamSliceCmd{own, fresh} {
		streams, readErr := read.Result()
		if readErr != nil && !errors.Is(readErr, redis.Nil) {
			err = errors.Join(err, readErr)
		}
		for _, stream := range streams {
			messages = append(messages, stream.Messages...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("session: outbox: %w", err)
	}
	return events(messages), nil
}

func readGroup(consumer, from string) *redis.XReadGroupArgs {
	return &redis.XReadGroupArgs{
		Group: drainGroup, Consumer: consumer, Streams: []string{outboxKey, from}, Count: drainAtOnce, Block: -1,
	}
}

// events reads messages as events, each id once.
func events(messages []redis.XMessage) []kept {
	var all []kept
	seen := map[string]bool{}
	for _, m := range messages {
		if seen[m.ID] {
			continue
		}
		seen[m.ID] = true
		k := kept{id: m.ID}
		k.text, _ = m.Values["event"].(string)
		var e event.Event
		if e.UnmarshalJSON([]byte(k.text)) == nil {
			k.event = &e
		}
		all = append(all, k)
	}
	return all
}

// done removes an event from the outbox.
func (s *Store) done(ctx context.Context, id string) error {
	p := s.client.TxPipeline()
	p.XAck(ctx, outboxKey, drainGroup, id)
	p.XDel(ctx, outboxKey, id)
	if _, err := p.Exec(ctx); err != nil {
		return fmt.Errorf("session: outbox: %w", err)
	}
	s.waiting.Add(-1)
	return nil
}

// leave removes consumer's name, unless events are still its own: those another one claims.
func (s *Store) leave(ctx context.Context, consumer string) error {
	own, err := s.client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: outboxKey, Group: drainGroup, Start: "-", End: "+", Count: 1, Consumer: consumer,
	}).Result()
	if err != nil || len(own) > 0 {
		if err != nil && strings.HasPrefix(err.Error(), "NOGROUP") {
			return nil // nothing was ever kept
		}
		return err
	}
	return s.client.XGroupDelConsumer(ctx, outboxKey, drainGroup, consumer).Err()
}
