package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

// History gives the messages of a session, oldest first: one user's or, with user empty, of all who have any.
func (s *Store) History(ctx context.Context, user, sessionID string) (turn.Kept, error) {
	p := s.client.Pipeline()
	owners := p.SMembers(ctx, ownersKey(sessionID))
	deleted := p.Exists(ctx, deletedKey(sessionID))
	if _, err := exec(ctx, p); err != nil {
		return turn.Kept{}, fmt.Errorf("session: history: %w", err)
	}
	p = s.client.Pipeline()
	var lists []*redis.StringSliceCmd
	for _, owner := range owners.Val() {
		if user == "" || owner == digest(user) {
			lists = append(lists, p.LRange(ctx, messagesKeyOf(sessionID, owner), 0, -1))
		}
	}
	if len(lists) > 0 {
		if _, err := exec(ctx, p); err != nil {
			return turn.Kept{}, fmt.Errorf("session: history: %w", err)
		}
	}
	kept := turn.Kept{Deleted: deleted.Val() > 0}
	for _, list := range lists {
		said, _ := decodeMessages(list) // what cannot be read is not shown
		kept.Said = append(kept.Said, said...)
	}
	slices.SortStableFunc(kept.Said, func(a, b turn.Said) int { return a.At.Compare(b.At) })
	return kept, nil
}

// Delete removes a session's messages, whoever's they are, and marks it as deleted.
func (s *Store) Delete(ctx context.Context, sessionID string) error {
	owners, err := s.client.SMembers(ctx, ownersKey(sessionID)).Result()
	if err != nil && !answered(err) {
		return fmt.Errorf("session: delete: %w", err)
	}
	keys := []string{ownersKey(sessionID)}
	for _, owner := range owners {
		keys = append(keys, messagesKeyOf(sessionID, owner))
	}
	p := s.client.TxPipeline()
	p.Set(ctx, deletedKey(sessionID), 1, limits.SessionAge)
	p.Del(ctx, keys...)
	if _, err := p.Exec(ctx); err != nil {
		return fmt.Errorf("session: delete: %w", err)
	}
	return nil
}

// forgetAtOnce bounds the sessions in one round trip of Forget.
const forgetAtOnce = 500

// Forget erases a user's messages in all sessions of theirs, and their cached recall.
func (s *Store) Forget(ctx context.Context, user string) error {
	sessions, err := s.client.ZRange(ctx, sessionsKey(user), 0, -1).Result()
	if err != nil && !answered(err) {
		return fmt.Errorf("session: forget: %w", err)
	}
	for some := range slices.Chunk(sessions, forgetAtOnce) {
		p := s.client.Pipeline()
		for _, id := range some {
			p.Del(ctx, messagesKey(id, user))
			p.SRem(ctx, ownersKey(id), digest(user))
		}
		if _, err := exec(ctx, p); err != nil {
			return fmt.Errorf("session: forget: %w", err)
		}
	}
	p := s.client.Pipeline()
	p.Del(ctx, recallKey(user))
	p.Del(ctx, sessionsKey(user)) // last: until then Forget can be tried again
	if _, err := exec(ctx, p); err != nil {
		return fmt.Errorf("session: forget: %w", err)
	}
	return nil
}
