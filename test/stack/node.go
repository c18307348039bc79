package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Node installs the npm packages that folder's package-lock.json names, with all their files, once for each such lock.
// It gives a command that runs a script of folder with them, by the Node.js among them if there is one.
func Node(ctx context.Context, folder, script string) (*exec.Cmd, error) {
	modules, err := modulesOf(ctx, folder)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(modules, "node", "bin", "node")
	if _, err := os.Stat(program); err != nil {
		program = "node"
	}
	command := exec.CommandContext(ctx, program, filepath.Join(folder, script))
	command.Env = append(os.Environ(), "NODE_PATH="+modules)
	return command, nil
}

// modulesOf is the folder of the installed packages.
func modulesOf(ctx context.Context, folder string) (string, error) {
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	home := filepath.Join(cache, "aguante", "npm-"+hex.EncodeToString(sum[:8]))
	modules := filepath.Join(home, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := install(ctx, "npm", "npm"); err != nil {
		return "", err
	}
	return modules, npm(ctx, folder, lock, home)
}

// npm installs into a folder beside home and then gives it that name: half an installation is never taken for one.
func npm(ctx context.Context, folder string, lock []byte, home string) error {
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(home), "npm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	manifest, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"package.json": manifest, "package-lock.json": lock} {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
			return err
		}
	}
	command := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	command.Dir = work
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("stack: npm ci: %w: %s", err, output)
	}
	if err := os.Rename(work, home); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}
