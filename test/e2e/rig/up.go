package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	folder     = "/var/lib/aguante-rig" // all that a node writes; removed by down
	kubeconfig = folder + "/kubeconfig"
	argv0      = "aguante-rig" // how a node is told from other processes
	cable      = "aguante-rig" // the machine's end of it
	needed     = 6 << 30       // bytes free for a run, beside the caches
)

var began = time.Now()

func say(format string, a ...any) {
	fmt.Fprintf(os.Stderr, "rig %4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
}

// alone runs f while no other process does.
func alone(f func() error) error {
	l, err := net.Listen("unix", "@"+argv0) // no file: it goes with this process
	if err != nil {
		return errors.New("another rig is at work on this machine: wait for it, or end it")
	}
	defer l.Close()
	return f()
}

// up stands the cluster up. With dies it goes when this process does.
func up(ctx context.Context, dies bool) (err error) {
	if err := prepare(ctx); err != nil {
		return err
	}
	if err := down(); err != nil {
		return err
	}
	binaries, err := build(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, down())
		}
	}()
	if err := start(binaries, dies); err != nil {
		return err
	}
	if err := nodeReady(ctx, binaries); err != nil {
		return fmt.Errorf("%w%s", err, lastWords())
	}
	say("node Ready")
	if err := load(ctx, system(binaries)); err != nil {
		return err
	}
	if err := knative(ctx, binaries); err != nil {
		return err
	}
	say("Serving and Eventing Available")
	if err := image(ctx); err != nil {
		return err
	}
	if err := stores(ctx); err != nil {
		return err
	}
	say("images of the functions and their stores loaded; the cluster is up: eval $(rig env)")
	return nil
}

// with runs a command in a cluster of its own.
func with(ctx context.Context, command []string) (err error) {
	if err := up(ctx, true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, down()) }()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Env, c.Stdin, c.Stdout, c.Stderr = append(os.Environ(), variables()...), os.Stdin, os.Stdout, os.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	return c.Run()
}

// variables lead to the cluster.
func variables() []string {
	return []string{"AGUANTE_E2E=1", "KUBECONFIG=" + kubeconfig, "KO_DOCKER_REPO=" + repository, "AGUANTE_E2E_INGRESS=" + nodeAddress + ":80",
		"PATH=" + folder + "/bin:" + os.Getenv("PATH")}
}

func env() error {
	if _, err := running(); err != nil {
		return err
	}
	for _, v := range variables() {
		fmt.Println("export " + v)
	}
	return nil
}

// prepare says what this machine lacks, and installs what Debian has.
func prepare(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster of its own needs root: run it as root, or set KUBECONFIG to use another")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return err
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < needed {
		return fmt.Errorf("%s has %d MB free and a run takes up to %d MB", folder, free>>20, needed>>20)
	}
	if err := networkIsFree(); err != nil {
		return err
	}
	return install(ctx)
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

// start starts the node's first process in namespaces of its own, and lays a cable to it.
func start(binaries string, dies bool) error {
	if err := os.MkdirAll(filepath.Join(folder, "bin"), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(binaries, "kubernetes"), filepath.Join(folder, "bin", "kubectl")); err != nil {
		return err
	}
	if err := keepSettings(); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(folder, "node.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command("/proc/self/exe", "node")
	command.Args[0] = argv0
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "RIG_BINARIES=" + binaries}
	command.Dir, command.Stdout, command.Stderr = "/", log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC}
	if dies {
		command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the node: %w", err)
	}
	go func() { _ = command.Wait() }()
	for _, arguments := range []string{
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", cable, command.Process.Pid),
		"addr add " + hostAddress + "/30 dev " + cable, "link set " + cable + " up", "route add " + network + " via " + nodeAddress,
	} {
		if err := ip(arguments); err != nil {
			return err
		}
	}
	return nil
}

func kubectl(ctx context.Context, input []byte, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, folder+"/bin/kubectl", arguments...)
	command.Env, command.Stdin = append(os.Environ(), "KUBECONFIG="+kubeconfig), bytes.NewReader(input)
	var said bytes.Buffer
	command.Stderr = &said
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, said.Bytes())
	}
	return output, err
}

// nodeReady waits for the API server and then for its node.
func nodeReady(ctx context.Context, binaries string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		_, err := kubectl(ctx, nil, "wait", "--for=condition=Ready", "node/node", "--timeout=60s")
		if err == nil {
			return nil
		}
		if _, ended := running(); ended != nil || ctx.Err() != nil {
			return errors.Join(err, ended)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// lastWords is what the node said when it ended.
func lastWords() string {
	said, _ := os.ReadFile(filepath.Join(folder, "node.log"))
	return "\n" + string(said)
}
