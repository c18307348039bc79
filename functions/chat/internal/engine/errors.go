package engine

import (
	"errors"
	"fmt"
	"time"
)

// ErrCut means that the answer broke off after some of it had been sent, and that no engine could go on with it: what the
// caller has is not the answer.
var ErrCut = errors.New("the engine's answer was cut off")

// ErrLeft means that the caller stopped listening.
var ErrLeft = errors.New("the caller left")

// Rejected means that an engine understood the request and refuses it: the caller should change it. Type, Code and
// Message are the engine's own words, for the caller and not for logs.
type Rejected struct {
	Engine  string
	Status  int
	Type    string
	Code    string
	Message string
}

func (e *Rejected) Error() string {
	return fmt.Sprintf("engine %s rejected the request: %d %s", e.Engine, e.Status, e.Code)
}

// Codes of a Rejected that mean more than a bad request.
const (
	ContextLength = "context_length_exceeded"
	ContentFilter = "content_filter"
)

// Spent means that what may be spent in a day was, and that every engine costs.
type Spent struct{}

func (*Spent) Error() string { return "the day's spend on engines is used up" }

// Failure means that an engine gave no answer, or none that is whole. Status is 0 when it did not answer at all.
type Failure struct {
	Engine     string
	Status     int
	RetryAfter time.Duration // as the engine asked; 0: it did not
	Err        error
}

func (e *Failure) Error() string { return fmt.Sprintf("engine %s: %v", e.Engine, e.Err) }

// Unwrap gives the cause: context.DeadlineExceeded for all that took too long.
func (e *Failure) Unwrap() error { return e.Err }
