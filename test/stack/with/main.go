// Command with runs a command beside a real Redis and a real Neo4j, whose addresses it finds in
// AGUANTE_TEST_REDIS_URL and AGUANTE_TEST_NEO4J_URI. It ends with the command's exit code.
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
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

// installing is how long a fresh machine may take to install Redis, Java, Maven and Neo4j.
const installing = 15 * time.Minute

func main() {
	runtime.LockOSThread() // the servers die with this thread (Pdeathsig)
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: with COMMAND [ARGUMENT ...]")
		os.Exit(2)
	}
	err := run(os.Args[1], os.Args[2:])
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(max(exit.ExitCode(), 1))
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(name string, arguments []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	starting, cancel := context.WithTimeout(ctx, installing)
	defer cancel()
	environment := os.Environ()
	for _, s := range []struct {
		variable string
		start    func(context.Context) (*stack.Server, error)
	}{
		{stack.RedisVariable, func(ctx context.Context) (*stack.Server, error) { return stack.StartRedis(ctx) }},
		{stack.Neo4jVariable, stack.StartNeo4j},
	} {
		server, err := s.start(starting)
		if err != nil {
			return err
		}
		defer server.Stop()
		environment = append(environment, s.variable+"="+server.URL)
	}
	_, err := stack.Chromium(starting)
	if err = errors.Join(err, stack.Compiler(starting)); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env, command.Stdin, command.Stdout, command.Stderr = environment, os.Stdin, os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	return command.Run()
}
