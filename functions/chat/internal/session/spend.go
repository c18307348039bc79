package session

import (
	"context"
	"fmt"
	"time"
)

// Spent adds usd to what engines cost, and gives what they did in the hour and the day (UTC) of now. The figures are kept
// for as long as anyone asks for them, and once more.
func (s *Store) Spent(ctx context.Context, usd float64, now time.Time) (hour, day float64, err error) {
	p := s.client.Pipeline()
	inHour, inDay := spendKey(now, "2006-01-02T15"), spendKey(now, "2006-01-02")
	hours, days := p.IncrByFloat(ctx, inHour, usd), p.IncrByFloat(ctx, inDay, usd)
	p.Expire(ctx, inHour, 2*time.Hour)
	p.Expire(ctx, inDay, 48*time.Hour)
	if _, err := p.Exec(ctx); err != nil {
		return 0, 0, fmt.Errorf("session: spend: %w", err)
	}
	return hours.Val(), days.Val(), nil
}
