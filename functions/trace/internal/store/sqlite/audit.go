package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
)

const auditSchema = `;
CREATE TABLE IF NOT EXISTS dead_letter_audit (
	at      INTEGER NOT NULL,
	who     TEXT NOT NULL,
	letter  TEXT NOT NULL, -- its id; it may be gone
	type    TEXT NOT NULL,
	outcome TEXT NOT NULL,
	detail  TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS dead_letter_audit_by_time ON dead_letter_audit (at);
CREATE INDEX IF NOT EXISTS dead_letter_audit_by_letter ON dead_letter_audit (letter)`

func (l *letters) Audit(ctx context.Context, limit int) (entries []deadletters.Entry, err error) {
	entries = []deadletters.Entry{}
	err = l.file.read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT at, who, letter, type, outcome, detail FROM dead_letter_audit
			ORDER BY at DESC, rowid DESC LIMIT ?`, limit)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var e deadletters.Entry
			var at int64
			if err := rows.Scan(&at, &e.Who, &e.Letter, &e.Type, &e.Outcome, &e.Detail); err != nil {
				return err
			}
			e.At = time.UnixMicro(at).UTC()
			entries = append(entries, e)
		}
		return rows.Err()
	})
	return entries, err
}

func (l *letters) Note(ctx context.Context, e deadletters.Entry) error {
	return l.file.write(ctx, func(ctx context.Context, tx *sql.Tx) error { return note(ctx, tx, e) })
}

// note writes one entry, as part of a larger write.
func note(ctx context.Context, tx *sql.Tx, e deadletters.Entry) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO dead_letter_audit VALUES (?, ?, ?, ?, ?, ?)",
		e.At.UnixMicro(), e.Who, e.Letter, e.Type, e.Outcome, e.Detail)
	return err
}

// noteReturn says of what was sent that it came back.
func noteReturn(ctx context.Context, tx *sql.Tx, letter string) error {
	_, err := tx.ExecContext(ctx, "UPDATE dead_letter_audit SET outcome = ? WHERE letter = ? AND outcome = ?",
		deadletters.CameBack, letter, deadletters.Sent)
	return err
}

func (l *letters) Trim(ctx context.Context, oldest time.Time, most int) error {
	return l.file.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM dead_letter_audit WHERE at < ?1 OR rowid IN
			(SELECT rowid FROM dead_letter_audit ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?2)`, oldest.UnixMicro(), most)
		return err
	})
}
