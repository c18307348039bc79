package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// install makes sure that command is on the PATH: it installs its Debian packages as root, or says what to install.
func install(ctx context.Context, command string, packages ...string) error {
	if _, err := exec.LookPath(command); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("stack: tests need %s: install it (on Debian: sudo apt-get install %s)", command, strings.Join(packages, " "))
	}
	installing := append([]string{"install", "-qy", "--no-install-recommends"}, packages...)
	for _, arguments := range [][]string{{"update", "-q"}, installing} {
		apt := exec.CommandContext(ctx, "apt-get", arguments...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := apt.CombinedOutput(); err != nil {
			return fmt.Errorf("stack: apt-get %s: %w: %s", arguments[0], err, output)
		}
	}
	return nil
}

// Compiler makes sure that there is a C compiler: Go's race detector needs one.
func Compiler(ctx context.Context) error { return install(ctx, "gcc", "gcc", "libc6-dev") }

// Chromium is the path of a Chromium browser, installed when it is missing.
func Chromium(ctx context.Context) (string, error) {
	if err := install(ctx, "chromium", "chromium"); err != nil {
		return "", err
	}
	return exec.LookPath("chromium")
}
