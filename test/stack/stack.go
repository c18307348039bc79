// Package stack runs the real servers that tests speak to: redis-server from Debian and Neo4j Community from Maven
// Central. What is missing is installed as root, or named in the error. Every server listens on loopback, on a free
// port, in a folder of its own, and dies with the process that started it.
package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Variables that tell tests where the servers are.
const (
	RedisVariable = "AGUANTE_TEST_REDIS_URL"
	Neo4jVariable = "AGUANTE_TEST_NEO4J_URI"
)

// Server is one running server process. Signals go to it through Signal (SIGSTOP freezes it, SIGCONT thaws it).
type Server struct {
	Name    string
	Address string // host:port
	URL     string
	dir     string
	command *exec.Cmd
	ready   func(context.Context) error
	exited  chan struct{}
}

// start runs command in dir and waits until ready says so, the process ends or ctx does.
func start(ctx context.Context, s *Server, ready func(context.Context) error) (*Server, error) {
	log, err := os.Create(s.log())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.ready = ready
	s.command.Dir, s.command.Stdout, s.command.Stderr = s.dir, log, log
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("stack: start %s: %w", s.Name, err)
	}
	s.exited = make(chan struct{})
	go func() { _ = s.command.Wait(); close(s.exited) }()
	if err := s.await(ctx, ready); err != nil {
		output, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("stack: %s is not ready: %w; it printed: %s", s.Name, err, output), s.Stop())
	}
	return s, nil
}

func (s *Server) await(ctx context.Context, ready func(context.Context) error) error {
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-s.exited:
			return errors.New("it ended")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Signal sends a signal to the server's process.
func (s *Server) Signal(signal syscall.Signal) error { return s.command.Process.Signal(signal) }

// Kill ends the server at once, frozen or not, and keeps its folder: Restart brings it back with what it had on disk.
func (s *Server) Kill() error {
	if err := s.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.exited
	return nil
}

// Wait waits until the server has ended.
func (s *Server) Wait() { <-s.exited }

// Restart starts a killed server again, at the same address, and waits until it is ready.
func (s *Server) Restart(ctx context.Context) error {
	was := s.command
	s.command = exec.Command(was.Path, was.Args[1:]...)
	s.command.Env = was.Env
	_, err := start(ctx, s, s.ready)
	return err
}

// Output is what the server printed since it was last started.
func (s *Server) Output() string {
	output, _ := os.ReadFile(s.log())
	return string(output)
}

func (s *Server) log() string { return filepath.Join(s.dir, "output.log") }

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	_ = s.Signal(syscall.SIGCONT)
	_ = s.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		_ = s.Signal(syscall.SIGKILL)
		<-s.exited
	}
	return os.RemoveAll(s.dir)
}

// FreeAddress is a loopback address that nobody listens on, and that nobody is given by chance: systems take the ports of
// outgoing connections, and those of listeners that want any, from 32768 upwards.
func FreeAddress() (address string, err error) {
	for range 100 {
		address = fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", err
}
