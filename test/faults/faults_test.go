package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

// fault is one way to break a dependency. inject breaks it and says how to mend it.
type fault struct {
	name     string
	how      string
	inject   func(ctx context.Context, s *system) (heal func() error, err error)
	harmless bool          // nothing is lacking
	pings    bool          // but pings are answered
	partly   bool          // some turns feel it, and the breaker may stay closed
	lasts    time.Duration // how long, when partly
	callers  int           // when not the usual few
}

// Faults that any server can have.
var (
	dead = &fault{name: "dead", how: "SIGKILL", inject: func(ctx context.Context, s *system) (func() error, error) {
		return func() error { return s.server.Restart(ctx) }, s.server.Kill()
	}}
	frozen = &fault{name: "frozen", how: "SIGSTOP", inject: func(_ context.Context, s *system) (func() error, error) {
		return func() error { return s.server.Signal(syscall.SIGCONT) }, s.server.Signal(syscall.SIGSTOP)
	}}
	slow = &fault{name: "slow", how: "every answer 5 s late", inject: toxic("latency", toxiproxy.Attributes{"latency": 5000})}
	// cut and swallowed are dead and frozen for what shares its process with others.
	cut       = &fault{name: "dead", how: "connections cut and refused", inject: gone}
	swallowed = &fault{name: "frozen", how: "connections swallow everything", inject: toxic("timeout", toxiproxy.Attributes{"timeout": 0})}
	resetting = &fault{name: "resetting", how: "connections are reset", inject: toxic("reset_peer", toxiproxy.Attributes{"timeout": 0})}
	halfOpen  = &fault{name: "half-open", how: "accepts, never answers", inject: instead(silence)}
	garbage   = &fault{name: "garbage", how: "answers with random bytes", inject: instead(noise)}
	flapping  = &fault{name: "flapping", how: "2 s gone, 2 s there", inject: flap, partly: true, lasts: 10 * time.Second}
)

// Faults of Redis.
var (
	readOnly       = &fault{name: "read-only", how: "REPLICAOF", pings: true, inject: redisCommands("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")}
	outOfMemory    = &fault{name: "out of memory", how: "CONFIG SET maxmemory 1", pings: true, inject: redisCommands("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")}
	loading        = &fault{name: "LOADING", how: "answers LOADING", inject: instead(resp("-LOADING Redis is loading the dataset in memory"))}
	moved          = &fault{name: "MOVED", how: "answers MOVED", pings: true, inject: instead(resp("-MOVED 3999 127.0.0.1:6381"))}
	scriptsFlushed = &fault{name: "NOSCRIPT", how: "SCRIPT FLUSH all the time", harmless: true, inject: flushScripts}
)

// Faults of Neo4j.
var (
	deadlock     = &fault{name: "deadlock", how: "answers DeadlockDetected", inject: refusing("Neo.TransientError.Transaction.DeadlockDetected")}
	leaderSwitch = &fault{name: "leader switch", how: "answers NotALeader", inject: refusing("Neo.ClientError.Cluster.NotALeader")}
	fullPool     = &fault{name: "full pool", how: "40 callers, every answer 0.2 s late", partly: true, lasts: 8 * time.Second, callers: 40,
		inject: toxic("latency", toxiproxy.Attributes{"latency": 200})}
)

// fullDisk fills what is left beside the embedded graph.
var fullDisk = &fault{name: "full disk", how: "a small file system is full", inject: func(_ context.Context, s *system) (func() error, error) {
	ballast := filepath.Join(s.dir, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return nil, err
	}
	return func() error { return os.Remove(ballast) }, nil
}}

// smallDisk puts a file system of a few megabytes under the system's folder.
func (s *system) smallDisk() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", s.dir, "tmpfs", 0, "size=8m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	s.onClose(func() error { return syscall.Unmount(s.dir, syscall.MNT_DETACH) })
	return nil
}

// refusing has Neo4j refuse every transaction, as a server in a cluster does that others contend with.
func refusing(code string) func(context.Context, *system) (func() error, error) {
	return func(ctx context.Context, s *system) (func() error, error) {
		return instead(bolt(s.proxy.Upstream, code))(ctx, s)
	}
}

// toxic puts a Toxiproxy toxic on what the dependency answers.
func toxic(kind string, attributes toxiproxy.Attributes) func(context.Context, *system) (func() error, error) {
	return func(_ context.Context, s *system) (func() error, error) {
		t, err := s.proxy.AddToxic("", kind, "downstream", 1, attributes)
		if err != nil {
			return nil, err
		}
		return func() error { return s.proxy.RemoveToxic(t.Name) }, nil
	}
}

func gone(_ context.Context, s *system) (func() error, error) {
	return s.proxy.Enable, s.proxy.Disable()
}

// instead has another server answer in the dependency's place.
func instead(serve func(net.Conn)) func(context.Context, *system) (func() error, error) {
	return func(_ context.Context, s *system) (func() error, error) {
		impostor, err := listen(serve)
		if err != nil {
			return nil, err
		}
		upstream := s.proxy.Upstream
		return func() error { impostor.Close(); return divert(s.proxy, upstream) }, divert(s.proxy, impostor.Addr().String())
	}
}

// divert leads a proxy elsewhere; its connections are cut.
func divert(p *toxiproxy.Proxy, upstream string) error {
	p.Upstream = upstream
	return p.Save()
}

// flap takes the dependency away and gives it back, two seconds each.
func flap(ctx context.Context, s *system) (func() error, error) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	err := s.proxy.Disable()
	go func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for failed := err; ; {
			select {
			case <-tick.C:
				s.proxy.Enabled = !s.proxy.Enabled
				failed = errors.Join(failed, s.proxy.Save())
			case <-ctx.Done():
				done <- errors.Join(failed, s.proxy.Enable())
				return
			}
		}
	}()
	return func() error { stop(); return <-done }, err
}

func redisCommands(breaking, mending string) func(context.Context, *system) (func() error, error) {
	return func(_ context.Context, s *system) (func() error, error) {
		return func() error { return tellRedis(s.server.Address, mending) }, tellRedis(s.server.Address, breaking)
	}
}

// flushScripts has Redis forget its scripts every few milliseconds.
func flushScripts(ctx context.Context, s *system) (func() error, error) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		var failed error
		for ctx.Err() == nil && failed == nil {
			failed = tellRedis(s.server.Address, "SCRIPT FLUSH")
			time.Sleep(5 * time.Millisecond)
		}
		done <- failed
	}()
	return func() error { stop(); return <-done }, nil
}

// tellRedis sends one command and wants OK.
func tellRedis(address, command string) error {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+OK") {
		err = fmt.Errorf("%s was answered %q", command, answer)
	}
	return err
}
