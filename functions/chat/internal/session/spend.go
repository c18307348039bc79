package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// spendAge is how long a day's figures are kept: as long as anyone asks for them, and once more.
const spendAge = 48 * time.Hour

// Spent adds usd to what engines cost, and gives what they did in the hour and the day (UTC) of now. The figures are kept
// for as long as anyone asks for them, and once more.
func (s *Store) Spent(ctx context.Context, usd float64, now time.Time) (hour, day float64, err error) {
	p := s.client.Pipeline()
	inHour, inDay := spendKey(now, "2006-01-02T15"), spendKey(now, "2006-01-02")
	hours, days := p.IncrByFloat(ctx, inHour, usd), p.IncrByFloat(ctx, inDay, usd)
	p.Expire(ctx, inHour, 2*time.Hour)
	p.Expire(ctx, inDay, spendAge)
	if _, err := p.Exec(ctx); err != nil {
		return 0, 0, fmt.Errorf("session: spend: %w", err)
	}
	return hours.Val(), days.Val(), nil
}

// Fields of what a key used.
const (
	usedTokens = "tokens"
	usedUSD    = "usd"
)

// AddUsed adds to what each key, by name, used in the day (UTC) of now.
func (s *Store) AddUsed(ctx context.Context, used map[string]turn.Used, now time.Time) error {
	p := s.client.Pipeline()
	for name, u := range used {
		key := usedKey(name, now)
		p.HIncrBy(ctx, key, usedTokens, u.Tokens)
		p.HIncrByFloat(ctx, key, usedUSD, u.USD)
		p.Expire(ctx, key, spendAge)
	}
	if _, err := p.Exec(ctx); err != nil {
		return fmt.Errorf("session: spend: %w", err)
	}
	return nil
}

// askUsed asks in p for what a caller with a budget used today; nil: the caller has none.
func askUsed(ctx context.Context, p redis.Pipeliner, c turn.Caller) *redis.SliceCmd {
	if c.Budget == (turn.Budget{}) {
		return nil
	}
	return p.HMGet(ctx, usedKey(c.Key, time.Now()), usedTokens, usedUSD)
}

// decodeUsed reads what askUsed was answered. What was not counted yet is 0.
func decodeUsed(answer *redis.SliceCmd) (*turn.Used, error) {
	fields, err := answer.Result()
	if err != nil || len(fields) != 2 {
		return nil, fmt.Errorf("session: spend: %w", errors.Join(err, turn.ErrUnreadable))
	}
	var u turn.Used
	if text, ok := fields[0].(string); ok {
		u.Tokens, err = strconv.ParseInt(text, 10, 64)
	}
	if text, ok := fields[1].(string); ok && err == nil {
		u.USD, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("session: spend: %w: %w", turn.ErrUnreadable, err)
	}
	return &u, nil
}
