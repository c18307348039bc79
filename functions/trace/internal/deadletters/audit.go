package deadletters

import (
	"cmp"
	"context"
	"database/sql"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// What came of what was done to a letter.
const (
	Sent     = "sent"      // the broker took it, and it is not back
	CameBack = "came back" // it was sent, and its receiver refused it once more
	NotSent  = "not sent"  // the broker did not take it
	Expired  = "expired"   // too old, or too much: it is gone
)

// auditMost bounds the audit's entries.
const auditMost = 10_000

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

// Entry is one line of the audit: who did what with a letter, when, and what came of it. It outlives the letter and
// holds nothing of what was in it.
type Entry struct {
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Letter  string    `json:"letter_id"`
	Type    string    `json:"type"`
	Outcome string    `json:"outcome"`
	Detail  string    `json:"detail,omitempty"`
}

// retention is who lets letters expire.
const retention = "retention"

// userHeader is where a proxy that knows its users names them, oauth2-proxy for one.
const userHeader = "X-Forwarded-User"

// Operator tells who sends r: the user whom the proxy before the console names, and the address of the connection,
// which cannot be made up.
func Operator(r *http.Request) string {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	user := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, r.Header.Get(userHeader))
	if user == "" {
		return address
	}
	return strings.ToValidUTF8(user[:min(len(user), 128)], "") + " (" + address + ")"
}

// Audit gives at most limit entries, newest first.
func (s *Store) Audit(ctx context.Context, limit int) (entries []Entry, err error) {
	entries = []Entry{}
	err = s.file.Read(ctx, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT at, who, letter, type, outcome, detail FROM dead_letter_audit
			ORDER BY at DESC, rowid DESC LIMIT ?`, limit)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var e Entry
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

// note writes one entry, as part of a larger write.
func note(ctx context.Context, tx *sql.Tx, e Entry) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO dead_letter_audit VALUES (?, ?, ?, ?, ?, ?)",
		e.At.UnixMicro(), e.Who, e.Letter, e.Type, e.Outcome, e.Detail)
	return err
}

// noteReturn says of what was sent that it came back.
func noteReturn(ctx context.Context, tx *sql.Tx, letter string) error {
	_, err := tx.ExecContext(ctx, "UPDATE dead_letter_audit SET outcome = ? WHERE letter = ? AND outcome = ?", CameBack, letter, Sent)
	return err
}

// trimAudit drops entries from before oldest, and those beyond auditMost.
func trimAudit(ctx context.Context, tx *sql.Tx, oldest time.Time) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM dead_letter_audit WHERE at < ?1 OR rowid IN
		(SELECT rowid FROM dead_letter_audit ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?2)`, oldest.UnixMicro(), auditMost)
	return err
}

// failed notes that a letter could not be sent again. Where even that cannot be written there is the log.
func (s *Store) failed(ctx context.Context, l Letter, who string, why error) {
	_, title, _ := Explain(why)
	err := s.file.Write(context.WithoutCancel(ctx), func(ctx context.Context, tx *sql.Tx) error {
		return note(ctx, tx, Entry{At: time.Now(), Who: who, Letter: l.ID, Type: l.Type, Outcome: NotSent, Detail: title})
	})
	s.log.Warn("dead letter not sent again", "id", l.ID, "type", l.Type, "who", who, "error", cmp.Or(err, why))
}
