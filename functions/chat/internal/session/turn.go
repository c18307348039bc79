package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

const (
	keptMessages = 200 // of a session; the oldest go first
	readMessages = 40  // of them, for a turn
	recallTurns  = 10  // of a user, in their cached recall
	recallMost   = 50  // items of it that are given back
	recallAge    = 24 * time.Hour
)

// Open is a turn's first round trip: the rate limit and what a key with a budget used, for a named caller, and the session's
// last messages. What Redis answers with nonsense is left out and named in Faults; an error means that Redis did not answer.
func (s *Store) Open(ctx context.Context, o turn.Opening) (turn.Opened, error) {
	var messages *redis.StringSliceCmd
	var deleted *redis.IntCmd
	var rate *redis.Cmd
	p := s.client.Pipeline()
	var used *redis.SliceCmd
	if o.Caller != (turn.Caller{}) {
		rate, used = count(ctx, p, o.Caller), askUsed(ctx, p, o.Caller)
	}
	if o.SessionID != "" {
		messages = p.LRange(ctx, messagesKey(o.SessionID, o.User), -readMessages, -1)
		deleted = p.Exists(ctx, deletedKey(o.SessionID))
	}
	if _, err := exec(ctx, p); err != nil {
		return turn.Opened{}, fmt.Errorf("session: open: %w", err)
	}

	var opened turn.Opened
	var err error
	if rate != nil {
		if opened.Verdict, err = verdict(rate, o.Caller); err != nil {
			opened.Faults = append(opened.Faults, "rate limit")
		}
	}
	if used != nil {
		if opened.Used, err = decodeUsed(used); err != nil {
			opened.Faults = append(opened.Faults, "budget")
		}
	}
	if messages != nil {
		if opened.History, err = decodeMessages(messages); err != nil {
			opened.Faults = append(opened.Faults, "session")
		}
		opened.Deleted = deleted.Val() > 0
	}
	return opened, nil
}

// Close is a turn's second round trip: what was said goes into the session, what was recalled into the cache.
// turn.ErrUnreadable: Redis holds something else under one of the keys.
func (s *Store) Close(ctx context.Context, c turn.Closing) error {
	now := time.Now()
	p := s.client.Pipeline()
	key := messagesKey(c.SessionID, c.User)
	for _, said := range c.Said {
		text, err := json.Marshal(said)
		if err != nil {
			return fmt.Errorf("session: close: %w", err)
		}
		p.RPush(ctx, key, text)
	}
	p.LTrim(ctx, key, -keptMessages, -1)
	p.Expire(ctx, key, limits.SessionAge)
	p.SAdd(ctx, ownersKey(c.SessionID), digest(c.User))
	p.Expire(ctx, ownersKey(c.SessionID), limits.SessionAge)
	if c.User != "" {
		closeUser(ctx, p, c, now)
	}
	nonsense, err := exec(ctx, p)
	switch {
	case err != nil:
		return fmt.Errorf("session: close: %w", err)
	case nonsense != nil:
		return fmt.Errorf("session: close: %w: %w", turn.ErrUnreadable, nonsense)
	}
	return nil
}

// closeUser keeps what belongs to the user and not to the session alone.
func closeUser(ctx context.Context, p redis.Pipeliner, c turn.Closing, now time.Time) {
	if cached, err := json.Marshal(c.Cached); err == nil {
		key := recallKey(c.User)
		p.LPush(ctx, key, cached)
		p.LTrim(ctx, key, 0, recallTurns-1)
		p.Expire(ctx, key, recallAge)
	}
	key := sessionsKey(c.User)
	p.ZAdd(ctx, key, redis.Z{Score: float64(now.Unix()), Member: c.SessionID})
	p.ZRemRangeByScore(ctx, key, "-inf", fmt.Sprint(now.Add(-limits.SessionAge).Unix()))
	p.Expire(ctx, key, limits.SessionAge)
}

// exec runs p. err is that of the first command that Redis did not answer; nonsense that of the first which it answered
// with an error about the key.
func exec(ctx context.Context, p redis.Pipeliner) (nonsense, err error) {
	cmds, err := p.Exec(ctx)
	if len(cmds) == 0 {
		return nil, err
	}
	for _, cmd := range cmds {
		switch err := cmd.Err(); {
		case err == nil || errors.Is(err, redis.Nil):
		case !answered(err):
			return nil, err
		case nonsense == nil:
			nonsense = err
		}
	}
	return nonsense, nil
}

// answered tells an error that Redis answered about one key from all others: no answer, loading, read-only, down.
func answered(err error) bool {
	refused := redis.Error(nil)
	return errors.As(err, &refused) && strings.Contains(refused.Error(), "WRONGTYPE")
}

func decodeMessages(cmd *redis.StringSliceCmd) ([]turn.Said, error) {
	texts, err := cmd.Result()
	if err != nil {
		return nil, fmt.Errorf("session: messages: %w", err)
	}
	all := make([]turn.Said, 0, len(texts))
	for _, text := range texts {
		var said turn.Said
		if e := decode(text, &said); e != nil || said.Role == "" {
			err = errors.New("session: a message that is none")
			continue
		}
		all = append(all, said)
	}
	return all, err
}

// decode takes 1 µs for a message, encoding/json 2.5: a turn reads dozens.
func decode(text string, v any) error {
	return jsonv2.Unmarshal([]byte(text), v, jsontext.AllowInvalidUTF8(true))
}

// Cached is what the user's last turns said and recalled, newest first, each thing once. turn.ErrUnreadable: Redis holds
// something else under its key.
func (s *Store) Cached(ctx context.Context, user string) ([]turn.Recalled, error) {
	turns, err := s.client.LRange(ctx, recallKey(user), 0, -1).Result()
	switch {
	case err != nil && answered(err):
		return nil, fmt.Errorf("session: cached recall: %w: %w", turn.ErrUnreadable, err)
	case err != nil:
		return nil, fmt.Errorf("session: cached recall: %w", err)
	}
	var all []turn.Recalled
	for _, text := range turns {
		var items []turn.Recalled
		if e := decode(text, &items); e != nil {
			err = fmt.Errorf("session: cached recall: %w: %w", turn.ErrUnreadable, e)
		}
		for _, r := range items {
			known := slices.ContainsFunc(all, func(o turn.Recalled) bool { return o.TurnID == r.TurnID && o.Fact == r.Fact })
			if !known && len(all) < recallMost {
				all = append(all, r)
			}
		}
	}
	return all, err
}
