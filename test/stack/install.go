package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// install makes sure that command is on the PATH: it installs its Debian package as root, or says what to install.
func install(ctx context.Context, command, debianPackage string) error {
	if _, err := exec.LookPath(command); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("stack: tests need %s: install it (on Debian: sudo apt-get install %s)", command, debianPackage)
	}
	for _, arguments := range [][]string{{"update", "-q"}, {"install", "-qy", "--no-install-recommends", debianPackage}} {
		apt := exec.CommandContext(ctx, "apt-get", arguments...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := apt.CombinedOutput(); err != nil {
			return fmt.Errorf("stack: apt-get %s: %w: %s", arguments[0], err, output)
		}
	}
	return nil
}

// Chromium is the path of a Chromium browser, installed when it is missing.
func Chromium(ctx context.Context) (string, error) {
	if err := install(ctx, "chromium", "chromium"); err != nil {
		return "", err
	}
	return exec.LookPath("chromium")
}
