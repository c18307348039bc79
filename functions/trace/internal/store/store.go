// Package store is what the two places where trace keeps things have in common: sqlite, a file of one instance's own, and
// redis, shared by all instances. What is kept is said by those who use them, packages decisions and deadletters.
package store

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/serve"
)

// ErrNotFound means that there is no such thing; nothing is wrong with the store.
var ErrNotFound = errors.New("store: not found")

// ErrClosed means that the store was closed.
var ErrClosed = errors.New("store: closed")

// Fault is what the last call to a store failed with. It is safe for concurrent use.
type Fault struct {
	log *slog.Logger
	mu  sync.Mutex
	err error // nil: it worked
}

// NewFault returns no fault. Where it begins and ends is told to log, which names the store.
func NewFault(log *slog.Logger) *Fault { return &Fault{log: log} }

// Note keeps how a call ended, and logs when that changes.
func (f *Fault) Note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil && f.err != nil:
		f.log.Info("the trace store works again")
	case err != nil && f.err == nil:
		f.log.Error("the trace store fails: events are sent back to the broker until it works", "error", err)
	}
	f.err = err
}

// Err is what the last call failed with, in words for an operator; nil when it worked.
func (f *Fault) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// In is s with the fault, if there is one, as its last error.
func (f *Fault) In(s guard.Status) guard.Status {
	if err := f.Err(); err != nil {
		s.LastError = err.Error()
	}
	return s
}

// RetryAfter is when it is worth asking a store that failed again, in seconds.
const RetryAfter = "10"

// Unavailable answers a request that the store could not serve, unless the caller has left.
func Unavailable(w http.ResponseWriter, r *http.Request) {
	if r.Context().Err() != nil {
		return
	}
	w.Header().Set("Retry-After", RetryAfter)
	serve.Problem(w, r, http.StatusServiceUnavailable, "The trace store does not answer",
		"Nothing is lost: what is sent here meanwhile waits in the broker. /health says what is wrong.", nil)
}
