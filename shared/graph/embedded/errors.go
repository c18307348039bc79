package embedded

import (
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

// explain wraps err with what was being done to which file, and where SQLite's own word for it says little, with what is
// wrong.
func (s *Store) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		if cause := cause(e.Code() & 0xff); cause != nil {
			return fmt.Errorf("embedded graph: %s %s: %w: %w", doing, s.path, cause, err)
		}
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
