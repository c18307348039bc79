package turn

import (
	"errors"
	"fmt"
	"time"
)

// ErrShed means too many turns are under way for anyone to add one; try again after ShedRetry.
var ErrShed = errors.New("admit: too many turns under way")

// ShedRetry is when a shed caller may come back.
const ShedRetry = time.Second

// ErrDeadline means that the turn did not end within limits.Turn.
var ErrDeadline = errors.New("the turn's deadline passed")

// ErrUnreadable means that the sessions answered, and hold nonsense under this turn's keys.
var ErrUnreadable = errors.New("unreadable")

// Limited means that this caller has used its share.
type Limited struct{ Verdict }

func (e *Limited) Error() string {
	return fmt.Sprintf("admit: rate limit %s used up, next in %s", e.Policy, e.RetryAfter)
}

// HopsError means that the call went round too often: Hops is how many hops it had made.
type HopsError struct{ Hops int }

func (e *HopsError) Error() string { return fmt.Sprintf("admit: %d hops are too many", e.Hops) }

// Refused means that a gate does not let the turn through; Reason is for the caller.
type Refused struct{ Gate, Reason string }

func (e *Refused) Error() string { return "admit: refused by " + e.Gate + ": " + e.Reason }

// Invalid means that a field of the turn cannot be right; Reason is for the caller.
type Invalid struct{ Field, Reason string }

func (e *Invalid) Error() string { return "admit: " + e.Field + " " + e.Reason }
