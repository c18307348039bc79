package reread

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatTheFileSaidLastAndRightlyIsInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "number")
		var log bytes.Buffer
		f := Open(path, func(text []byte) (int, error) { return strconv.Atoi(string(text)) }, -1, slog.New(slog.NewTextHandler(&log, nil)), "bad number")
		began := time.Now()
		for i, step := range []struct {
			text  string // empty: there is no file
			now   int
			since time.Duration // after began, when the file is not used
			lines int
		}{
			{"", -1, 0, 1},
			{"", -1, 0, 1},
			{"x", -1, 0, 2}, // another fault, of a file that was bad before
			{"1", 1, -1, 2},
			{"y", 1, 4, 3},
			{"y", 1, 4, 3},
			{"2", 2, -1, 3},
			{"", 2, 7, 4},
		} {
			if i > 0 {
				time.Sleep(Every + time.Millisecond) // of the bubble's time
			}
			write(t, path, step.text, i)
			if now := f.Now(); now != step.now {
				t.Errorf("step %d: %d is in force, want %d", i, now, step.now)
			}
			since := time.Duration(-1)
			if at := f.FaultSince(); !at.IsZero() {
				since = at.Sub(began).Truncate(time.Second) / time.Second
			}
			if since != step.since || (f.Fault() == "") != (step.since < 0) {
				t.Errorf("step %d: fault %q since second %d, want %d", i, f.Fault(), since, step.since)
			}
			if lines := bytes.Count(log.Bytes(), []byte("\n")); lines != step.lines {
				t.Errorf("step %d: %d lines are logged, want %d: %s", i, lines, step.lines, log.String())
			}
		}
	})
}

// write puts text at path as of minute n, or removes what is there.
func write(t *testing.T, path, text string, n int) {
	if text == "" {
		_ = os.Remove(path)
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 0).Add(time.Duration(n) * time.Minute)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}
