package deadletters

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// growth is how many bytes are kept between two looks at what may expire: 2 % of what may be kept.
const growth = limits.DeadLetterBytes / 50

// expired are the letters that have to go, and why. Replayed ones go first, then those that came longest ago.
const expired = `SELECT id, type, waiting, last_at < ?1 AS old FROM (
		SELECT id, type, waiting, last_at, replayed_at,
			sum(size + length(attributes)) OVER (ORDER BY waiting DESC, last_at DESC, id) AS kept
		FROM dead_letters)
	WHERE CASE WHEN waiting THEN last_at < ?1 ELSE replayed_at < ?2 END OR kept > ?3`

// Retain lets letters expire: those that wait when they last came before now-limits.DeadLetterAge, replayed ones
// limits.DecisionAge after that, and any that are beyond maxBytes, data and attributes together. One that waited is lost with it: it is
// counted, logged and audited. It says how many went.
func (s *Store) Retain(ctx context.Context, now time.Time, maxBytes int64) (gone int, err error) {
	oldest, replayed := now.Add(-limits.DeadLetterAge), now.Add(-limits.DecisionAge)
	var lost []Entry
	err = s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gone, lost = 0, nil
		ids, waited, err := expiring(ctx, tx, oldest, replayed, maxBytes)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, "DELETE FROM dead_letters WHERE id = ?", id); err != nil {
				return err
			}
		}
		for i := range waited {
			waited[i].At, waited[i].Who, waited[i].Outcome = now, retention, Expired
			if err := note(ctx, tx, waited[i]); err != nil {
				return err
			}
		}
		gone, lost = len(ids), waited
		return trimAudit(ctx, tx, oldest)
	})
	if err != nil {
		return 0, err
	}
	if len(lost) > 0 {
		s.Expired.Add(float64(len(lost)))
		s.log.Error("dead letters expired before anyone replayed them", "letters", len(lost), "first", lost[0].Letter, "why", lost[0].Detail)
	}
	return gone, nil
}

// expiring lists what has to go, and what of it still waited.
func expiring(ctx context.Context, tx *sql.Tx, oldest, replayed time.Time, maxBytes int64) (ids []string, waited []Entry, err error) {
	rows, err := tx.QueryContext(ctx, expired, oldest.UnixMicro(), replayed.UnixMicro(), maxBytes)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var e Entry
		var waiting, old bool
		if err := rows.Scan(&e.Letter, &e.Type, &waiting, &old); err != nil {
			return nil, nil, err
		}
		ids = append(ids, e.Letter)
		if !waiting {
			continue
		}
		e.Detail = fmt.Sprintf("more than %d MB were kept", maxBytes>>20)
		if old {
			e.Detail = fmt.Sprintf("older than %d days", limits.DeadLetterAge/(24*time.Hour))
		}
		waited = append(waited, e)
	}
	return ids, waited, rows.Err()
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
