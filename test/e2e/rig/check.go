package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// What a run takes beside the caches of what is built, in bytes. The cluster and the tests on it were seen to use 3.9 GB of memory.
const (
	neededDisk   = 6 << 30
	neededMemory = 5 << 30
)

// check says why no cluster can be stood up here.
func check() error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster of its own needs root: run it as root, or set KUBECONFIG to use another")
	}
	var disk syscall.Statfs_t
	parent := filepath.Dir(folder)
	if err := syscall.Statfs(parent, &disk); err != nil {
		return err
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < neededDisk {
		return fmt.Errorf("%s has %d MB free and a run takes up to %d MB", parent, free>>20, neededDisk>>20)
	}
	var memory syscall.Sysinfo_t
	if err := syscall.Sysinfo(&memory); err != nil {
		return err
	}
	if all := memory.Totalram * uint64(memory.Unit); all < neededMemory {
		return fmt.Errorf("this machine has %d MB of memory and a run takes up to %d MB", all>>20, neededMemory>>20)
	}
	probe := exec.Command("/bin/true")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if err := probe.Run(); err != nil {
		return fmt.Errorf("no namespaces are to be had here: %w", err)
	}
	return networkIsFree()
}

// networkIsFree says who else has addresses of the node's network.
func networkIsFree() error {
	_, ours, err := net.ParseCIDR(network)
	if err != nil {
		return err
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			return err
		}
		for _, a := range addresses {
			if ip, _, err := net.ParseCIDR(a.String()); err == nil && ours.Contains(ip) && i.Name != cable {
				return fmt.Errorf("the network %s is in use: interface %s has %s", network, i.Name, a)
			}
		}
	}
	return nil
}

// install installs the Debian packages that are missing.
func install(ctx context.Context) error {
	var missing []string
	for command, debian := range map[string]string{"containerd": "containerd", "runc": "runc", "iptables": "iptables",
		"conntrack": "conntrack", "ip": "iproute2", "redis-server": "redis-server", "java": "default-jre-headless", "/usr/lib/cni/ptp": "containernetworking-plugins"} {
		if _, err := exec.LookPath(command); err != nil {
			missing = append(missing, debian)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this machine lacks %s, and apt-get to install them: install them, or set KUBECONFIG to use another cluster", strings.Join(missing, ", "))
	}
	say("installing %s", strings.Join(missing, ", "))
	for _, arguments := range [][]string{{"update", "-q"}, append([]string{"install", "-qy", "--no-install-recommends"}, missing...)} {
		apt := exec.CommandContext(ctx, "apt-get", arguments...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := apt.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", arguments[0], err, output)
		}
	}
	return nil
}
