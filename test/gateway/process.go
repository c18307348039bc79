package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one server. It dies with this one.
type process struct {
	command *exec.Cmd
	output  strings.Builder
	exited  chan struct{}
}

// startProcess waits until the process answers anything at all at url.
func startProcess(ctx context.Context, url string, command *exec.Cmd) (*process, error) {
	p := &process{command: command, exited: make(chan struct{})}
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if command.Stderr == nil {
		command.Stderr = &p.output
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() { _ = command.Wait(); close(p.exited) }()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if answer, err := http.Get(url); err == nil {
			return p, answer.Body.Close()
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-p.exited:
			return p, fmt.Errorf("%s ended: %s", command.Path, p.output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		_ = p.command.Process.Kill()
		<-p.exited
	}
}

// cpu is the time that the process has run, in itself and in the kernel.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // from the third on
	user, userErr := strconv.Atoi(fields[11])
	system, systemErr := strconv.Atoi(fields[12])
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	return time.Duration(user+system) * tick, errors.Join(userErr, systemErr)
}

// resident is the memory that the process holds, in MB.
func (p *process) resident() (float64, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	return float64(pages*os.Getpagesize()) / (1 << 20), err
}

// freePort is one that nothing listens on now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
