// Package sqlite keeps decision traces and dead letters in one file, which one instance owns.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Dependency is the file's guard: as many calls at once as the mutation backlog allows (WS2), the next is sent away.
// The figures name no disk; a breaker that probes every ten seconds notices soon that there is room again.
var Dependency = limits.Dependency{Name: "trace-store", Zone: limits.ZoneAsync, Timeout: 2 * time.Second,
	InFlight: limits.MutationBacklog.Hard, Breaker: limits.Breaker{Failures: 5, Open: 10 * time.Second}}

const (
	busyTimeout   = time.Second      // waiting for another process's lock; shorter than Dependency.Timeout
	commitTimeout = 10 * time.Second // of one group, whose callers may have left already
	maxGroup      = 256              // writes that share a transaction
)

// op is one write inside the group's transaction. An error takes the whole group back, so what its input can cause
// must be checked before. It may run after its caller has left.
type op func(ctx context.Context, tx *sql.Tx) error

// File is the SQLite file. It is safe for concurrent use.
type File struct {
	path   string
	schema []string
	guard  *guard.Guard

	writes  chan write
	closing chan struct{}
	closed  chan struct{}

	mu    sync.Mutex
	pools *pools
	fault *store.Fault
}

type write struct {
	ctx  context.Context
	do   op
	done chan error
}

// New returns the file at path, without touching the disk. It works until Close, also when ctx ends before.
func New(ctx context.Context, path string, observer guard.Observer, log *slog.Logger) *File {
	return newFile(ctx, path, observer, log, tracesSchema, lettersSchema, forgottenSchema)
}

// newFile is New with the tables of schema (CREATE … IF NOT EXISTS).
func newFile(ctx context.Context, path string, observer guard.Observer, log *slog.Logger, schema ...string) *File {
	f := &File{
		path: path, schema: schema, guard: guard.New(Dependency, observer), fault: store.NewFault(log.With("path", path)),
		writes: make(chan write, maxGroup), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	go f.run(context.WithoutCancel(ctx))
	return f
}

// write runs do in a transaction, together with the writes that came while the last one was committed. It returns
// once the commit is in the file: a killed process loses nothing of it. A power cut may take back the last moments
// (synchronous=NORMAL), never what came before them.
func (f *File) write(ctx context.Context, do op) error {
	_, err := guard.Do(ctx, f.guard, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, f.enqueue(ctx, write{ctx: ctx, do: do, done: make(chan error, 1)})
	})
	return err
}

func (f *File) enqueue(ctx context.Context, w write) error {
	select {
	case f.writes <- w:
	case <-ctx.Done():
		return fmt.Errorf("store: %w", ctx.Err())
	case <-f.closing:
		return store.ErrClosed
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("store: %w", ctx.Err())
	case <-f.closed:
		return store.ErrClosed
	}
}

// read runs query on connections that cannot write and do not wait for writers.
func (f *File) read(ctx context.Context, query func(ctx context.Context, db *sql.DB) error) error {
	_, err := guard.Do(ctx, f.guard, func(ctx context.Context) (struct{}, error) {
		err := f.query(ctx, query)
		if errors.Is(err, store.ErrNotFound) {
			return struct{}{}, guard.Neutral(err)
		}
		return struct{}{}, err
	})
	return err
}

func (f *File) query(ctx context.Context, query func(ctx context.Context, db *sql.DB) error) error {
	p, err := f.open(ctx)
	if err == nil {
		err = query(ctx, p.read)
	}
	if errors.Is(err, store.ErrNotFound) || ctx.Err() != nil {
		return err
	}
	f.note(p, err)
	return describe(err)
}

func (f *File) run(ctx context.Context) {
	defer close(f.closed)
	for {
		select {
		case w := <-f.writes:
			f.settle(ctx, f.gather([]write{w}))
		case <-f.closing:
			f.settle(ctx, f.gather(nil))
			return
		}
	}
}

// gather adds the writes that wait already: a group grows with the load and costs a lone write no waiting.
func (f *File) gather(group []write) []write {
	for len(group) < maxGroup {
		select {
		case w := <-f.writes:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

func (f *File) settle(ctx context.Context, group []write) {
	if len(group) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	p, err := f.open(ctx)
	if err == nil {
		err = commit(ctx, p.write, group)
	}
	f.note(p, err)
	for _, w := range group {
		w.done <- describe(err)
	}
}

func commit(ctx context.Context, db *sql.DB, group []write) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, w := range group {
		if w.ctx.Err() != nil {
			continue
		}
		if err := w.do(ctx, tx); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// Close commits what waits and closes the file. Calls after it get ErrClosed.
func (f *File) Close() error {
	f.mu.Lock()
	select {
	case <-f.closing:
	default:
		close(f.closing)
	}
	f.mu.Unlock()
	<-f.closed
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pools
	f.pools = nil
	return p.close()
}

// Status is the state of the file's guard, with the file's own fault as its last error.
func (f *File) Status() guard.Status { return f.fault.In(f.guard.Status()) }

// Fault is what the last call failed with, in words for an operator; nil when it worked.
func (f *File) Fault() error { return f.fault.Err() }

// Compact gives room that was freed back to the disk, a few megabytes at a time, and empties the log in which
// overwritten pages linger.
func (f *File) Compact(ctx context.Context) error {
	_, err := guard.Do(ctx, f.guard, func(ctx context.Context) (struct{}, error) {
		p, err := f.open(ctx)
		if err != nil {
			return struct{}{}, describe(err)
		}
		_, vacuum := p.write.ExecContext(ctx, "PRAGMA incremental_vacuum(1024)")
		_, empty := p.write.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		return struct{}{}, describe(errors.Join(vacuum, empty))
	})
	return err
}
