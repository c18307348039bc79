// Package embedded keeps the memory graph in one SQLite file, without anything installed. Commits survive the death of
// the process and of the machine; several processes may share the file.
package embedded

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aguante-chat/aguante/shared/graph"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schema string

// version is that of schema.sql, kept in the file's user_version.
const version = 1

// readers is how many recalls run at once; SQLite has one writer.
const readers = 4

// Store is a graph.Store in a SQLite file.
type Store struct {
	path        string
	write, read *sql.DB
	changes     changes
	lookups     lookups
}

var _ graph.Store = (*Store)(nil)

// Open opens the file at path and makes it, with its folder, when it is missing. It fails with ErrDamaged on a file that
// is no such store and ErrVersion on one that a newer program wrote.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("embedded graph: %w", err)
	}
	s := &Store{path: path}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(s.explain(ctx, "open", err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.write, err = connect(s.path, 1, "_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=secure_delete(1)"); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.read, err = connect(s.path, readers, "_pragma=query_only(1)"); err != nil {
		return err
	}
	return errors.Join(s.changes.prepare(ctx, s.write), s.lookups.prepare(ctx, s.read))
}

func connect(path string, most int, options string) (*sql.DB, error) {
	file, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := (&url.URL{Scheme: "file", Path: file}).String()
	db, err := sql.Open("sqlite", name+"?_pragma=busy_timeout(5000)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&"+options)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

func (s *Store) migrate(ctx context.Context) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var found, tables int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	switch {
	case found > version:
		return fmt.Errorf("%w: %d, known up to %d", ErrVersion, found, version)
	case found == version:
		return nil
	case tables > 0:
		return fmt.Errorf("%w: it is some other database", ErrDamaged)
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}

// Ping reads the file's header.
func (s *Store) Ping(ctx context.Context) error {
	var found int
	return s.explain(ctx, "ping", s.read.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found))
}

// Close waits for calls under way.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
