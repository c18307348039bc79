package session

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// Every key begins with "aguante:". Users and callers are in keys as digests: keys are seen by operators and monitors.
// The keys of one session share the hash tag {session}, those of one user the tag {user}, so that a cluster keeps each
// group on one node; so do those of one stream with {turn}.

// digest stands for a user or a caller, 128 bits of SHA-256.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// rateKey holds until when the caller's bucket leaks, in microseconds of Redis's clock.
func rateKey(c turn.Caller) string { return "aguante:rate:{" + digest(c.ID()) + "}" }

// messagesKey lists the messages that one user and the assistant said in a session. A session id that two users chose
// names two conversations: neither reads the other's.
func messagesKey(sessionID, user string) string { return messagesKeyOf(sessionID, digest(user)) }

func messagesKeyOf(sessionID, userDigest string) string {
	return "aguante:session:{" + sessionID + "}:" + userDigest
}

// ownersKey is the set of the users, as digests, who have messages in a session.
func ownersKey(sessionID string) string { return "aguante:session:{" + sessionID + "}:users" }

// deletedKey marks a session that was deleted.
func deletedKey(sessionID string) string { return "aguante:session:{" + sessionID + "}:deleted" }

// recallKey lists what each of a user's last turns said and recalled, as JSON, newest first.
func recallKey(user string) string { return "aguante:user:{" + digest(user) + "}:recall" }

// sessionsKey is the user's sessions by time of last use.
func sessionsKey(user string) string { return "aguante:user:{" + digest(user) + "}:sessions" }

// spendKey is what engines cost in a span of time, in USD.
func spendKey(now time.Time, span string) string { return "aguante:spend:" + now.UTC().Format(span) }

// piecesKey is the stream of what a turn's stream has said, and of how it ended.
func piecesKey(turnID string) string { return "aguante:stream:{" + turnID + "}" }

// headKey holds the turn of a stream, as JSON.
func headKey(turnID string) string { return "aguante:stream:{" + turnID + "}:turn" }

// holderKey names who tells a stream; it expires when they stop to write.
func holderKey(turnID string) string { return "aguante:stream:{" + turnID + "}:holder" }

// usedKey is what one API key used in a day: a hash of tokens and USD.
func usedKey(key string, now time.Time) string {
	return "aguante:spend:{" + digest(key) + "}:" + now.UTC().Format(time.DateOnly)
}

const (
	outboxKey = "aguante:outbox"      // stream of events that no one took yet
	unsentKey = "aguante:outbox:dead" // stream of events that no one will ever take
)
