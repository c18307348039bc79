package guard

import (
	"context"
	"errors"
	"time"
)

// Result is how a call ended: the label outcome of aguante_dependency_calls_total.
type Result string

// Results of a call.
const (
	OK       Result = "ok"
	Error    Result = "error"
	Timeout  Result = "timeout"
	Rejected Result = "rejected" // the bulkhead was full
	Open     Result = "open"     // the breaker was open
	Left     Result = "left"     // the caller went away: no verdict on the dependency
)

// ResultOf is the result that an error returned by Do stands for.
func ResultOf(err error) Result {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrRejected):
		return Rejected
	case errors.Is(err, ErrOpen):
		return Open
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Left
	}
	return Error
}

// Outcome is one call's end.
type Outcome struct {
	Dependency string
	Zone       string
	Result     Result
	Took       time.Duration
	Err        error
}

// Change is a breaker's change of state: closed, open or half-open.
type Change struct {
	Dependency string
	From, To   string
	Err        error // what tripped it; nil when it closes
	At         time.Time
}

// Degraded says what an answer had to do without, and why: a Result, or a few words such as "not configured".
type Degraded struct {
	Zone       string `json:"zone"`
	Dependency string `json:"dependency"`
	Reason     string `json:"reason"`
}

// Observer is told what happens at guards. Its methods return at once.
type Observer interface {
	Called(ctx context.Context, o Outcome)
	Changed(c Change)
	FailedOpen(ctx context.Context, d Degraded, err error)
}
