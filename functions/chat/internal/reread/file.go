// Package reread follows a file: what it says last, and rightly, is in force.
package reread

import (
	"log/slog"
	"os"
	"sync"
	"time"
)

// Every is how often a file is looked at, while somebody asks.
const Every = time.Second

// File is a file of a T, read again when it changes. Safe for concurrent use.
type File[T any] struct {
	path  string
	parse func(text []byte) (T, error)
	log   *slog.Logger
	bad   string // what the log says of a file that cannot be taken

	mu     sync.Mutex
	looked time.Time
	seen   time.Time // modification time of what was read last
	fault  error     // why the file as it is now is not used
	since  time.Time // when it was first not used; zero while it is
	now    T
}

// Open reads the file at path. A file that parse does not take leaves what was, which is first at the start, and is logged
// once with the words of bad.
func Open[T any](path string, parse func(text []byte) (T, error), first T, log *slog.Logger, bad string) *File[T] {
	f := &File[T]{path: path, parse: parse, log: log, bad: bad, now: first}
	f.look()
	return f
}

// Now is what is in force.
func (f *File[T]) Now() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) > Every {
		f.look()
	}
	return f.now
}

// look reads the file, and logs a fault that is new.
func (f *File[T]) look() {
	before := f.fault
	if err := f.read(); err != nil && (before == nil || before.Error() != err.Error()) {
		f.log.Error(f.bad, "error", err)
	}
}

// Fault says why the file as it is now is not used, or nothing.
func (f *File[T]) Fault() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == nil {
		return ""
	}
	return f.fault.Error()
}

// FaultSince is when the file began not to be used as it is: zero while it is.
func (f *File[T]) FaultSince() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since
}

// read takes what the file says if it has changed.
func (f *File[T]) read() error {
	f.looked = time.Now()
	info, err := os.Stat(f.path)
	if err == nil && info.ModTime().Equal(f.seen) {
		return f.fault
	}
	var text []byte
	if err == nil {
		f.seen = info.ModTime()
		text, err = os.ReadFile(f.path)
	}
	var next T
	if err == nil {
		next, err = f.parse(text)
	}
	switch f.fault = err; {
	case err == nil:
		f.now, f.since = next, time.Time{}
	case f.since.IsZero():
		f.since = f.looked
	}
	return err
}
