package deadletters

import (
	"cmp"
	"context"
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
func (s *Store) Audit(ctx context.Context, limit int) ([]Entry, error) {
	return s.keeper.Audit(ctx, limit)
}

// failed notes that a letter could not be sent again. Where even that cannot be written there is the log.
func (s *Store) failed(ctx context.Context, l Letter, who string, why error) {
	_, title, _ := Explain(why)
	err := s.keeper.Note(context.WithoutCancel(ctx),
		Entry{At: time.Now(), Who: who, Letter: l.ID, Type: l.Type, Outcome: NotSent, Detail: title})
	s.log.Warn("dead letter not sent again", "id", l.ID, "type", l.Type, "who", who, "error", cmp.Or(err, why))
}
