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
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	folder     = "/var/lib/aguante-rig" // all that a node writes; removed by down
	kubeconfig = folder + "/kubeconfig"
	argv0      = "aguante-rig" // how a node is told from other processes
	cable      = "aguante-rig" // the machine's end of it
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
	if err := check(); err != nil {
		return err
	}
	if err := install(ctx); err != nil {
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
	if err := nodeReady(ctx); err != nil {
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
	if err := stores(ctx); err != nil {
		return err
	}
	say("images of Redis and Neo4j loaded; the cluster is up: eval $(rig env)")
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

// variables lead to the cluster and to its registry, which has a base image for ko and speaks plain HTTP.
func variables() []string {
	return []string{"KUBECONFIG=" + kubeconfig, "PATH=" + folder + "/bin:" + os.Getenv("PATH"), "AGUANTE_E2E_INGRESS=" + nodeAddress + ":80",
		"KO_DOCKER_REPO=" + registry + "/aguante", "KO_DEFAULTBASEIMAGE=" + registry + "/base", "KO_DEFAULTPLATFORMS=linux/" + runtime.GOARCH,
		"KO_FLAGS=--insecure-registry"}
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

// namespaces are those of the node.
const namespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC

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
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: namespaces}
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

func kubectl(ctx context.Context, input []byte, arguments ...string) error {
	command := exec.CommandContext(ctx, folder+"/bin/kubectl", arguments...)
	command.Env, command.Stdin = append(os.Environ(), "KUBECONFIG="+kubeconfig), bytes.NewReader(input)
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, said.Bytes())
	}
	return nil
}

// nodeReady waits for the API server and then for its node.
func nodeReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := kubectl(ctx, nil, "wait", "--for=condition=Ready", "node/node", "--timeout=60s")
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
