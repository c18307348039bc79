package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// portkeyVersion is of the npm package @portkey-ai/gateway.
const portkeyVersion = "1.15.2"

// With a later @hono/node-server the gateway cannot stream (Portkey-AI/gateway issue 1389).
const portkeyPackage = `{
  "dependencies": {"@portkey-ai/gateway": "` + portkeyVersion + `"},
  "overrides": {"@hono/node-server": "1.14.1"}
}
`

// startPortkey installs the npm gateway into the user's cache, once, and runs it with its own production settings.
func (h *house) startPortkey() error {
	folder, err := installPortkey()
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	command := exec.Command("node", filepath.Join(folder, "node_modules/@portkey-ai/gateway/build/start-server.js"), "--port="+port, "--headless")
	command.Env = append(os.Environ(), "NODE_ENV=production", "TRUSTED_CUSTOM_HOSTS=127.0.0.1")
	p, err := h.run(port, "/", command)
	h.ways = append(h.ways, &way{
		name: portkey, address: "127.0.0.1:" + port, process: p,
		headers: "x-portkey-provider: openai\r\nx-portkey-custom-host: http://" + h.engine + "/v1\r\n",
	})
	return err
}

func installPortkey() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "aguante", "portkey-"+portkeyVersion)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return "", errors.New("npm is needed: install Node.js (on Debian: sudo apt-get install npm)")
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "package.json"), []byte(portkeyPackage), 0o600); err != nil {
		return "", err
	}
	install := exec.Command("npm", "install", "--prefix", work, "--no-audit", "--no-fund")
	if output, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w: %s", err, output)
	}
	return folder, os.Rename(work, folder)
}
