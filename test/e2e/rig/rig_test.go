package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rig builds the command. Its tests want root, as it does, and a machine without a cluster.
func rig(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("rig wants root")
	}
	if _, err := running(); err == nil {
		t.Skip("a cluster is up here")
	}
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // for who is not root
		t.Fatal(err)
	}
	binary := filepath.Join(folder, "rig")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return binary
}

func TestWhatIsWrongIsSaidAndLeavesNothing(t *testing.T) {
	binary := rig(t)
	for _, c := range []struct {
		name    string
		shell   string // $0 is rig
		prepare func(*exec.Cmd)
		says    string
	}{
		{name: "no command", shell: "exec $0", says: "usage: rig COMMAND"},
		{name: "a command that is none", shell: "exec $0 start", says: "usage: rig COMMAND"},
		{name: "not root", shell: "exec $0 up", says: "a cluster of its own needs root: run it as root, or set KUBECONFIG to use another",
			prepare: func(c *exec.Cmd) { c.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534} }},
		{name: "its network is in use", shell: "ip addr add 198.18.7.1/32 dev lo && exec $0 up",
			says:    "the network 198.18.0.0/15 is in use: interface lo has 198.18.7.1/32",
			prepare: func(c *exec.Cmd) { c.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET }},
		{name: "no disk", shell: "mount --make-rprivate / && mount -t tmpfs -o size=64m none /var/lib && exec $0 up",
			says:    "/var/lib has 64 MB free and a run takes up to 6144 MB",
			prepare: func(c *exec.Cmd) { c.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS }},
		{name: "no Debian", shell: "PATH=/nowhere exec $0 up", says: "this machine lacks conntrack, containerd, "},
		{name: "no cluster", shell: "exec $0 env", says: "no cluster is up here: rig up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "sh", "-c", c.shell, binary)
			command.SysProcAttr = &syscall.SysProcAttr{}
			if c.prepare != nil {
				c.prepare(command)
			}
			output, err := command.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(string(output), "rig: "+c.says) {
				t.Errorf("%v: %s", err, output)
			}
			nothingIsLeft(t)
		})
	}
	t.Run("another one is at work", func(t *testing.T) {
		err := alone(func() error {
			output, err := exec.CommandContext(t.Context(), binary, "up").CombinedOutput()
			if !strings.HasPrefix(string(output), "rig: another rig is at work on this machine") {
				t.Errorf("%v: %s", err, output)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// nothingIsLeft looks for what a rig leaves when it does not clean up.
func nothingIsLeft(t *testing.T) {
	t.Helper()
	if _, err := running(); err == nil {
		t.Error("a node is running")
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is there: %v", err)
	}
	if _, err := net.InterfaceByName(cable); err == nil {
		t.Error("its cable is there")
	}
	for _, pattern := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			t.Errorf("its cgroups are there: %v", found)
		}
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(mounts, []byte(folder)) {
		t.Errorf("its mounts are there: %v", err)
	}
}

// TestAKilledRigTakesItsNodeAlongAndTheNextOneTidies wants what build makes; without it, it takes minutes.
func TestAKilledRigTakesItsNodeAlongAndTheNextOneTidies(t *testing.T) {
	binary, before := rig(t), settingsNow(t)
	var said bytes.Buffer
	command := exec.Command(binary, "with", "sleep", "600")
	command.Stderr = &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, 20*time.Minute, "the node is Ready", func() bool {
		return kubectl(t.Context(), nil, "wait", "--for=condition=Ready", "node/node", "--timeout=1s") == nil
	})
	if now := settingsNow(t); now == before {
		t.Error("the kubelet changes none of the settings that are kept: is this test of any use?")
	}
	_ = command.Process.Kill()
	_ = command.Wait()
	until(t, 30*time.Second, "the node is gone, and its network", func() bool {
		_, node := running()
		_, end := net.InterfaceByName(cable)
		return node != nil && end != nil
	})
	if output, err := exec.CommandContext(t.Context(), binary, "down").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
	nothingIsLeft(t)
	if now := settingsNow(t); now != before {
		t.Errorf("the kernel's settings were %s and are %s", before, now)
	}
}

func settingsNow(t *testing.T) string {
	t.Helper()
	var all []string
	for _, name := range changed {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name+"="+strings.TrimSpace(string(value)))
	}
	return strings.Join(all, " ")
}

func until(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}

func TestKnativesManifestsAreFittedToTheCluster(t *testing.T) {
	definitions, others, err := tailored([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: knative-serving}
spec: {template: {spec: {containers: [{image: ko://knative.dev/serving/cmd/controller, resources: {requests: {cpu: "1"}}, readinessProbe: {initialDelaySeconds: 20, periodSeconds: 5}, livenessProbe: {periodSeconds: 1}}]}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: activator}
---
# nothing
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config-network}
data: {_example: much}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: services.serving.knative.dev}
spec: {properties: {image: {type: string}, livenessProbe: {type: object, properties: {initialDelaySeconds: {type: integer}}}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: knative-serving}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(definitions); !strings.Contains(got, "kind: Namespace") || !strings.Contains(got, "livenessProbe") || strings.Contains(got, "Deployment") {
		t.Errorf("first: %s", got)
	}
	got := string(others)
	for _, want := range []string{"image: dev.local/serving-controller:e2e", "ingress-class: rig.ingress", "periodSeconds: 5"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	for _, not := range []string{"HorizontalPodAutoscaler", "_example", "initialDelaySeconds", "livenessProbe", "requests"} {
		if strings.Contains(got, not) {
			t.Errorf("%q in %s", not, got)
		}
	}
	if strings.Index(got, "Deployment") < strings.Index(got, "ConfigMap") {
		t.Error("programs come before what they need")
	}
	if _, _, err := tailored([]byte("kind: [")); err == nil {
		t.Error("no YAML is taken")
	}
}
