package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

const (
	keptMessages = 200            // of a session; the oldest go first
	readMessages = 40             // of them, for a turn
	recallAge    = 24 * time.Hour // of a user's cached recall
)

// Open is a turn's first round trip: the rate limit, the session's last messages, the user's cached recall. What Redis
// answers with nonsense is left out and named in Faults; an error means that Redis did not answer.
func (s *Store) Open(ctx context.Context, o turn.Opening) (turn.Opened, error) {
	var messages *redis.StringSliceCmd
	var recall *redis.StringCmd
	var deleted *redis.IntCmd
	p := s.client.Pipeline()
	rate := count(ctx, p, o.Caller)
	if o.SessionID != "" {
		messages = p.LRange(ctx, messagesKey(o.SessionID, o.User), -readMessages, -1)
		deleted = p.Exists(ctx, deletedKey(o.SessionID))
	}
	if o.User != "" {
		recall = p.Get(ctx, recallKey(o.User))
	}
	if _, err := exec(ctx, p); err != nil {
		return turn.Opened{}, fmt.Errorf("session: open: %w", err)
	}

	var opened turn.Opened
	var err error
	if opened.Verdict, err = verdict(rate, o.Caller); err != nil {
		opened.Faults = append(opened.Faults, "rate limit")
	}
	if messages != nil {
		if opened.History, err = decodeMessages(messages); err != nil {
			opened.Faults = append(opened.Faults, "session")
		}
		opened.Deleted = deleted.Val() > 0
	}
	if recall != nil {
		if opened.Cached, err = decodeRecall(recall); err != nil {
			opened.Faults = append(opened.Faults, "cached recall")
		}
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
		p.Set(ctx, recallKey(c.User), cached, recallAge)
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
		if e := json.Unmarshal([]byte(text), &said); e != nil || said.Role == "" {
			err = errors.New("session: a message that is none")
			continue
		}
		all = append(all, said)
	}
	return all, err
}

func decodeRecall(cmd *redis.StringCmd) ([]turn.Recalled, error) {
	text, err := cmd.Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	var all []turn.Recalled
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("session: cached recall: %w", err)
	}
	return all, nil
}
