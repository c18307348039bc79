package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// running is the process id of the node, or an error that says there is none.
func running() (int, error) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range found {
		if line, err := os.ReadFile(file); err == nil && string(line) == argv0+"\x00node\x00" {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, errors.New("no cluster is up here: rig up")
}

// down ends the node, which ends everything in its namespaces, and removes what is left on disk and of its cgroups.
func down() error {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		pid, err := running()
		if err != nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the node, process %d, does not end", pid)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if _, err := net.InterfaceByName(cable); err == nil { // the kernel takes its time with a network that is left
		_ = ip("link delete " + cable)
	}
	if err := restoreSettings(); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := errors.Join(removeCgroups(), os.RemoveAll(folder)) // busy until the last process and the last mount are gone
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// removeCgroups removes the empty groups of the pods that were.
func removeCgroups() (fault error) {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/kubepods")
	for _, root := range append(roots, "/sys/fs/cgroup/kubepods") {
		var groups []string
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for _, group := range slices.Backward(groups) { // the innermost first
			if err := syscall.Rmdir(group); err != nil {
				fault = fmt.Errorf("remove %s: %w", group, err)
			}
		}
	}
	return fault
}

// changed are the kernel's settings that a kubelet changes for the whole machine.
var changed = []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"}

// keepSettings copies them, for restoreSettings to write back.
func keepSettings() error {
	for _, name := range changed {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return err
		}
		kept := filepath.Join(folder, "sysctl", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(kept), 0o755), os.WriteFile(kept, value, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

func restoreSettings() error {
	for _, name := range changed {
		value, err := os.ReadFile(filepath.Join(folder, "sysctl", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no node was started
		}
		if err = errors.Join(err, os.WriteFile("/proc/sys/"+name, value, 0o600)); err != nil {
			return err
		}
	}
	return nil
}
