package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
)

// version of the schema, kept in the file. A file with a higher one was written by a newer program.
const version = 1

// pools are the connections to one opened file: a single writer, and readers.
type pools struct{ write, read *sql.DB }

func (p *pools) close() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.read.Close(), p.write.Close())
}

// open returns the connections, made now if there are none.
func (f *File) open(ctx context.Context) (*pools, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pools != nil {
		return f.pools, nil
	}
	select {
	case <-f.closed:
		return nil, store.ErrClosed
	default:
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, err
	}
	p, err := connect(f.path)
	if err != nil {
		return nil, err
	}
	if err := f.prepare(ctx, p.write); err != nil {
		return nil, errors.Join(err, p.close())
	}
	f.pools = p
	return p, nil
}

func connect(path string) (*pools, error) {
	busy := fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())
	writer, err := sql.Open("sqlite", address(path, url.Values{
		"_txlock": {"immediate"},
		// What is deleted is overwritten, and the file shrinks: forgetting is more than hiding.
		"_pragma": {busy, "auto_vacuum(incremental)", "journal_mode(wal)", "synchronous(normal)", "secure_delete(1)",
			"journal_size_limit(4194304)"},
	}))
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", address(path, url.Values{"_pragma": {busy, "query_only(1)"}}))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(4)
	return &pools{write: writer, read: reader}, nil
}

func address(path string, options url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
}

func (f *File) prepare(ctx context.Context, db *sql.DB) error {
	var found int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return err
	}
	if found > version {
		return fmt.Errorf("%s was written by a newer version (schema %d, this one knows %d)", f.path, found, version)
	}
	for _, statement := range slices.Concat(f.schema, []string{fmt.Sprintf("PRAGMA user_version = %d", version)}) {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// note keeps how the last call ended, and lets go of connections that cannot be trusted.
func (f *File) note(p *pools, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && p != nil && p == f.pools && broken(err) {
		f.pools = nil
		err = errors.Join(err, p.close())
	}
	f.fault.Note(describe(err))
}

// describe says in words what an operator can do something about.
func describe(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("store: the disk is full: %w", err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("store: another process holds the file: %w", err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("store: the file is damaged, move it away to start afresh: %w", err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("store: the file cannot be written: %w", err)
	}
	if err == nil || errors.Is(err, store.ErrClosed) {
		return err
	}
	return fmt.Errorf("store: %w", err)
}

func broken(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR:
		return true
	}
	return false
}

// code is the primary result code of SQLite, 0 when err is none of its errors.
func code(err error) int {
	var failed *sqlite.Error
	if errors.As(err, &failed) {
		return failed.Code() & 0xff
	}
	return 0
}
