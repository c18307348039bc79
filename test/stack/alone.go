package stack

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Alone waits until no other test that called it runs on this machine, and has others wait until t ends. Packages are
// tested side by side; two systems that are broken on purpose at once would judge each other's load.
func Alone(t testing.TB) {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "aguante-alone.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("%s: %v", lock.Name(), err)
	}
}
