package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

func turn(user, id, text string) graph.Write {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return graph.Write{SentAt: at, Turn: graph.Turn{ID: id, SessionID: "s", User: user,
		Messages: []graph.Message{{Role: "user", Content: text, At: at}}}}
}

func mustOpen(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustWrite(t *testing.T, s *Store, writes ...graph.Write) {
	t.Helper()
	if _, err := s.Write(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
}

func mustHave(t *testing.T, s *Store, turns int) {
	t.Helper()
	if found, err := s.Session(t.Context(), "ana", "s", 1<<20); err != nil || len(found) != turns {
		t.Errorf("%d turns and %v, want %d", len(found), err, turns)
	}
}

func TestAnyPathWillDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no such folder yet", "what? a #1 100% file.db")
	s := mustOpen(t, path)
	mustWrite(t, s, turn("ana", "t1", "coffee"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	mustHave(t, mustOpen(t, path), 1)
}

func TestTwoProcessesMayShareTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "graph.db")
	one, other := mustOpen(t, path), mustOpen(t, path)
	for i := range 20 {
		mustWrite(t, one, turn("ana", fmt.Sprint("one", i), "coffee"))
		mustWrite(t, other, turn("ana", fmt.Sprint("other", i), "tea"))
	}
	mustHave(t, one, 40)
	mustHave(t, other, 40)
}

// writeUntilKilled makes this test binary write to the file it names and say what was written.
const writeUntilKilled = "EMBEDDED_TEST_WRITE_UNTIL_KILLED"

func TestWhatWasAcknowledgedSurvivesTheKill(t *testing.T) {
	if path := os.Getenv(writeUntilKilled); path != "" {
		s := mustOpen(t, path)
		for i := 0; ; i++ {
			mustWrite(t, s, turn("ana", fmt.Sprint("t", i), "coffee"))
			fmt.Println("acknowledged", i)
		}
	}
	path := filepath.Join(t.TempDir(), "graph.db")
	writer := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	writer.Env = append(os.Environ(), writeUntilKilled+"="+path)
	output, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "acknowledged") {
			acknowledged++
		}
		if acknowledged == 100 {
			writer.Process.Kill()
		}
	}
	writer.Wait()
	s := mustOpen(t, path)
	turns, err := s.Session(t.Context(), "ana", "s", 1<<20)
	if err != nil || acknowledged < 100 || len(turns) < acknowledged {
		t.Errorf("%d turns of %d acknowledged ones are left: %v", len(turns), acknowledged, err)
	}
	items, err := s.Recall(t.Context(), graph.Query{User: "ana", Text: "coffee", Limit: 1})
	if err != nil || len(items) != 1 {
		t.Errorf("the index finds %v: %v", items, err)
	}
	mustWrite(t, s, turn("ana", "after", "tea"))
}

func TestAFileThatIsNoStoreIsRefused(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.db")
	db, err := connect(other, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE song (title TEXT)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{other, garbage} {
		if _, err := Open(t.Context(), path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Open(t.Context(), t.TempDir()); err == nil {
		t.Error("a folder was opened as a file")
	}
}

func TestANewerFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "graph.db")
	s := mustOpen(t, path)
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA user_version = 1000"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(t.Context(), path); !errors.Is(err, ErrVersion) {
		t.Error(err)
	}
}

func TestDamageIsCalledDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "graph.db")
	s := mustOpen(t, path)
	for i := range 50 {
		mustWrite(t, s, turn("ana", fmt.Sprint("t", i), strings.Repeat("coffee ", 100)))
	}
	s.Close()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 8192; i < len(file); i++ {
		file[i] ^= 0x5a
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), path)
	if err == nil {
		t.Cleanup(func() { s.Close() })
		_, err = s.Write(t.Context(), []graph.Write{turn("ana", "new", "tea")})
	}
	if !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

func TestAFullDiskLosesNothingThatWasWritten(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "graph.db"))
	mustWrite(t, s, turn("ana", "t1", "coffee"))
	limit := func(pages int) {
		if _, err := s.write.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes it for the pages there are
	_, err := s.Write(t.Context(), []graph.Write{turn("ana", "t2", strings.Repeat("coffee ", 9000))})
	if !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	mustHave(t, s, 1)
	limit(1 << 20)
	mustWrite(t, s, turn("ana", "t2", strings.Repeat("coffee ", 9000)))
	mustHave(t, s, 2)
}

func TestWhatIsForgottenIsNotLeftInTheFiles(t *testing.T) {
	folder := t.TempDir()
	s := mustOpen(t, filepath.Join(folder, "graph.db"))
	for i := range 300 {
		w := turn("ana.perez", fmt.Sprint("t", i), fmt.Sprintf("my xylophone %d is in Zaruma", i))
		w.Facts = []graph.Fact{{Subject: graph.Self, Relation: "plays", Object: fmt.Sprint("xylophone ", i)}}
		w.Mentions = []graph.Entity{{Name: "Zaruma", Kind: graph.Place}}
		mustWrite(t, s, w, turn("ben", fmt.Sprint("t", i), "I drink coffee"))
	}
	if n, err := s.Forget(t.Context(), "ana.perez", time.Now()); n != 300 || err != nil {
		t.Fatal(n, err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"ana.perez", "xylophon", "aruma"} {
			if n := bytes.Count(bytes.ToLower(content), []byte(word)); n > 0 {
				t.Errorf("%q is %d times in %s", word, n, filepath.Base(file))
			}
		}
	}
}
