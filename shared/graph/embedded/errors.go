package embedded

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with the file. The errors of a Store wrap one of these where it applies.
var (
	ErrDamaged = errors.New("the file is damaged or no memory graph")
	ErrVersion = errors.New("the file is of a newer version")
	ErrFull    = errors.New("the disk is full")
	ErrBusy    = errors.New("another process holds the file")
)

// explain wraps err with what was being done to which file, and where its own words do not say so, with what is wrong:
// the file, or that the context has ended.
func (s *Store) explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	why := ctx.Err()
	var e *sqlite.Error
	if why == nil && errors.As(err, &e) {
		why = cause(e.Code() & 0xff)
	}
	if why != nil && !errors.Is(err, why) {
		err = fmt.Errorf("%w: %w", why, err)
	}
	return fmt.Errorf("embedded graph: %s %s: %w", doing, s.path, err)
}

func cause(code int) error {
	switch code {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrDamaged
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrBusy
	}
	return nil
}
