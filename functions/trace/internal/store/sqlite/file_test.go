package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/guard"
)

// The file has all the time it needs, for this machine may be slow.
func TestMain(m *testing.M) {
	Dependency.Timeout = 20 * time.Second
	goleak.VerifyTestMain(m)
}

const notes = "CREATE TABLE IF NOT EXISTS notes (text TEXT PRIMARY KEY) STRICT"

func open(t *testing.T, path string) *File {
	t.Helper()
	f := newFile(t.Context(), path, nil, slog.New(slog.DiscardHandler), notes, forgottenSchema)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func jot(text string) op {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO notes VALUES (?) ON CONFLICT DO NOTHING", text)
		return err
	}
}

func count(t *testing.T, f *File) (n int) {
	t.Helper()
	err := f.read(t.Context(), func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT count(*) FROM notes").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConcurrentWritesAllArrive(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "deep", "er", "trace.db"))
	var writers sync.WaitGroup
	for i := range 200 {
		writers.Go(func() {
			if err := f.write(t.Context(), jot(fmt.Sprint("note ", i))); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if n := count(t, f); n != 200 {
		t.Fatalf("%d notes of 200", n)
	}
}

func TestWhatWasWrittenIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.db")
	f := open(t, path)
	if err := f.write(t.Context(), jot("kept")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.write(t.Context(), jot("late")); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("a closed file answered %v", err)
	}
	if n := count(t, open(t, path)); n != 1 {
		t.Fatalf("%d notes", n)
	}
}

func TestAFailedOpTakesItsGroupBackAndNoMore(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "trace.db"))
	broken := errors.New("broken")
	err := f.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(jot("half")(ctx, tx), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if err := f.write(t.Context(), jot("whole")); err != nil {
		t.Fatal(err)
	}
	if n := count(t, f); n != 1 {
		t.Fatalf("%d notes, want the whole one", n)
	}
}

func TestAWriterWhoLeftIsSkipped(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "trace.db"))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := f.write(ctx, jot("gone")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := f.write(t.Context(), jot("here")); err != nil {
		t.Fatal(err)
	}
	if n := count(t, f); n != 1 {
		t.Fatalf("%d notes", n)
	}
}

// full makes the file unable to grow, as a full disk does.
func full(t *testing.T, f *File) {
	t.Helper()
	p, err := f.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.write.Exec("PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsSaidAndOver(t *testing.T) {
	var log bytes.Buffer
	f := newFile(t.Context(), filepath.Join(t.TempDir(), "trace.db"), nil, slog.New(slog.NewTextHandler(&log, nil)), notes)
	defer f.Close()
	full(t, f)
	err := f.write(t.Context(), jot(strings.Repeat("x", 100_000)))
	if err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("got %v", err)
	}
	if f.Fault() == nil || f.Status().LastError == "" {
		t.Fatal("the fault is not told")
	}
	p, _ := f.open(t.Context())
	if _, err := p.write.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := f.write(t.Context(), jot(strings.Repeat("x", 100_000))); err != nil {
		t.Fatal(err)
	}
	if f.Fault() != nil {
		t.Fatalf("still at fault: %v", f.Fault())
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Fatalf("a failure and a recovery make two log lines, got %d:\n%s", n, &log)
	}
}

func TestALockedFileIsSaidAndReadsGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.db")
	f := open(t, path)
	if err := f.write(t.Context(), jot("before")); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", address(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := f.write(t.Context(), jot("during")); err == nil || !strings.Contains(err.Error(), "another process holds the file") {
		t.Fatalf("got %v", err)
	}
	if n := count(t, f); n != 1 {
		t.Fatalf("%d notes", n)
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := f.write(t.Context(), jot("after")); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedFileIsSaidAndMayBeReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("garbage!"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if err := f.write(t.Context(), jot("lost?")); err == nil || !strings.Contains(err.Error(), "the file is damaged") {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := f.write(t.Context(), jot("fresh")); err != nil {
		t.Fatalf("after the damaged file was moved away: %v", err)
	}
}

func TestAFolderThatCannotBeMadeOpensTheBreaker(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, filepath.Join(blocked, "trace.db"))
	for range Dependency.Breaker.Failures {
		if err := f.write(t.Context(), jot("x")); err == nil {
			t.Fatal("written into a file as if it were a folder")
		}
	}
	if err := f.write(t.Context(), jot("x")); !errors.Is(err, guard.ErrOpen) {
		t.Fatalf("got %v", err)
	}
}

func TestAFileOfANewerVersionIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.db")
	db, err := sql.Open("sqlite", address(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if err := open(t, path).write(t.Context(), jot("x")); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Fatalf("got %v", err)
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "a b?c#d%20é&mode=ro", "trace.db"))
	if err := f.write(t.Context(), jot("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.path); err != nil {
		t.Fatal(err)
	}
}

func TestForgottenHoldsUntilTheMoment(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "trace.db"))
	at := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	for _, moment := range []time.Time{at, at.Add(-time.Hour)} { // a late, older request takes nothing back
		err := f.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return remember(ctx, tx, "ana", moment) })
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		user   string
		moment time.Time
		want   bool
	}{
		{"ana", at.Add(-time.Second), true},
		{"ana", at, true},
		{"ana", at.Add(time.Microsecond), false},
		{"eva", at.Add(-time.Second), false},
		{"", at, false},
	} {
		var got bool
		err := f.write(t.Context(), func(ctx context.Context, tx *sql.Tx) (err error) {
			got, err = forgotten(ctx, tx, c.user, c.moment)
			return err
		})
		if err != nil || got != c.want {
			t.Errorf("%s at %s: %v, %v", c.user, c.moment, got, err)
		}
	}
}

func TestWhatIsDeletedIsNotInTheFiles(t *testing.T) {
	dir := t.TempDir()
	f := open(t, filepath.Join(dir, "trace.db"))
	const secret = "a secret that must go"
	if err := f.write(t.Context(), jot(secret)); err != nil {
		t.Fatal(err)
	}
	err := f.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM notes")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		if body, _ := os.ReadFile(file); bytes.Contains(body, []byte(secret)) {
			t.Errorf("%s still holds it", filepath.Base(file))
		}
	}
}
