package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const kubernetesVersion = "v1.35.4" // as in go.mod: Knative refuses a server that says v0.0.0

// build compiles everything that the cluster runs and gives its folder in the user's cache. What is there is used again
// until a pinned version or a source here changes.
func build(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	key, err := sources("go.mod", "go.sum", "kubernetes", "edge", "pause")
	if err != nil {
		return "", fmt.Errorf("%w: run rig in its own folder (go -C test/e2e/rig run .)", err)
	}
	dir := filepath.Join(cache, "aguante", "rig-"+key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work := dir + ".part"
	say("building Kubernetes, etcd and Knative: some six minutes on two cores, once")
	flags := "-s -w"
	for name, value := range map[string]string{"gitVersion": kubernetesVersion, "gitMajor": "1", "gitMinor": strings.Split(kubernetesVersion, ".")[1]} {
		flags += " -X k8s.io/component-base/version." + name + "=" + value
	}
	if err := compile(ctx, work, flags, "./kubernetes", "./edge", "./pause"); err != nil {
		return "", err
	}
	commands, err := knativeCommands(ctx)
	if err != nil {
		return "", err
	}
	for project, packages := range commands { // two of each name: controller, webhook
		if err := compile(ctx, filepath.Join(work, project), "-s -w", packages...); err != nil {
			return "", err
		}
	}
	if err := copyManifests(ctx, work); err != nil {
		return "", err
	}
	old, _ := filepath.Glob(filepath.Join(cache, "aguante", "rig-*"))
	if err := os.Rename(work, dir); err != nil {
		return "", err
	}
	for _, o := range old {
		if o != work {
			_ = os.RemoveAll(o) // of another version
		}
	}
	return dir, nil
}

// sources is a short hash of files and of all files in folders, by name.
func sources(paths ...string) (string, error) {
	h := sha256.New()
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			fmt.Fprintln(h, path, len(content))
			_, _ = h.Write(content)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:12], nil
}

// knativeCommands are the tools of go.mod: import paths by project (serving, eventing).
func knativeCommands(ctx context.Context) (map[string][]string, error) {
	list := exec.CommandContext(ctx, "go", "list", "tool")
	list.Env, list.Stderr = append(os.Environ(), "GOWORK=off"), os.Stderr
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list tool: %w", err)
	}
	commands := map[string][]string{}
	for _, path := range strings.Fields(string(output)) {
		project := strings.Split(path, "/")[1]
		commands[project] = append(commands[project], path)
	}
	return commands, nil
}

// manifests are the files that Knative's own releases are made of, by module. Its controller of integrations does not start
// without the names of their images.
var manifests = map[string][]string{
	"knative.dev/networking": {"config/*.yaml"},
	"knative.dev/caching":    {"config/image.yaml"},
	"knative.dev/serving":    {"config/core/*.yaml", "config/core/*/*.yaml"},
	"knative.dev/eventing": {"config/core/*.yaml", "config/core/*/*.yaml", "config/brokers/mt-channel-broker/*.yaml",
		"config/brokers/mt-channel-broker/*/*.yaml", "config/channels/in-memory-channel/*.yaml",
		"config/channels/in-memory-channel/*/*.yaml", "third_party/eventing-integrations-latest/*-images.yaml"},
}

// copyManifests gathers the manifests in one file.
func copyManifests(ctx context.Context, dir string) error {
	var all []byte
	for _, module := range slices.Sorted(maps.Keys(manifests)) {
		list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
		list.Env, list.Stderr = append(os.Environ(), "GOWORK=off"), os.Stderr
		at, err := list.Output()
		if err != nil {
			return fmt.Errorf("go list %s: %w", module, err)
		}
		for _, pattern := range manifests[module] {
			files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(at)), pattern))
			if err != nil {
				return err
			}
			for _, file := range files {
				content, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				all = append(append(all, "---\n"...), content...)
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "knative.yaml"), all, 0o644)
}

// compile builds static binaries into dir, at a low priority: it takes minutes of all cores.
func compile(ctx context.Context, dir, flags string, packages ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	arguments := append([]string{"-n", "10", "go", "build", "-tags=cluster", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", dir + "/"}, packages...)
	command := exec.CommandContext(ctx, "nice", arguments...)
	command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", strings.Join(packages, " "), err, output)
	}
	return nil
}
