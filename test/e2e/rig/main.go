// Command rig stands up a real Kubernetes with real Knative on this machine alone, for the tests beside it: containerd,
// runc and the CNI plugins are Debian's, Kubernetes, etcd and Knative are built from the modules that go.mod pins and go
// straight into containerd, and a registry in memory takes what ko makes of the functions. All of it runs as one process tree in namespaces of its own and writes below one
// folder, so that taking it down, or having it killed, leaves the machine as it was. See docs/knative.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

const usage = `usage: rig COMMAND
  check         say whether a cluster can be stood up here
  up            stand the cluster up; what an old run left is removed first
  with COMMAND  the same, run COMMAND in it, and take it down
  env           print the variables that lead to the cluster: eval $(rig env)
  down          take the cluster down`

func main() {
	runtime.LockOSThread() // with: the node dies with this thread (Pdeathsig)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && os.Args[1] == "with" {
		os.Exit(max(exit.ExitCode(), 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	switch command := append(arguments, "")[0]; {
	case command == "check" && len(arguments) == 1:
		return check()
	case command == "up" && len(arguments) == 1:
		return alone(func() error { return up(ctx, false) })
	case command == "with" && len(arguments) > 1:
		return alone(func() error { return with(ctx, arguments[1:]) })
	case command == "env" && len(arguments) == 1:
		return env()
	case command == "down" && len(arguments) == 1:
		return down()
	case command == "node" && len(arguments) == 1: // the first process of the node, started by up
		return node()
	}
	return errors.New(usage)
}
