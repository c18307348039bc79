package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
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
}

// Faults that any server can have.
var (
	dead = &fault{name: "dead", how: "SIGKILL", inject: func(ctx context.Context, s *system) (func() error, error) {
		return func() error { return s.server.Restart(ctx) }, s.server.Kill()
	}}
	frozen = &fault{name: "frozen", how: "SIGSTOP", inject: func(_ context.Context, s *system) (func() error, error) {
		return func() error { return s.server.Signal(syscall.SIGCONT) }, s.server.Signal(syscall.SIGSTOP)
	}}
	slow = &fault{name: "slow", how: "every answer 5 s late",
		inject: toxic(`{"name": "slow", "type": "latency", "stream": "downstream", "attributes": {"latency": 5000}}`)}
	resetting = &fault{name: "resetting", how: "connections are reset",
		inject: toxic(`{"name": "reset", "type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 0}}`)}
	halfOpen = &fault{name: "half-open", how: "accepts, never answers", inject: instead(silence)}
	garbage  = &fault{name: "garbage", how: "answers with random bytes", inject: instead(noise)}
	flapping = &fault{name: "flapping", how: "2 s gone, 2 s there", inject: flap, partly: true, lasts: 10 * time.Second}
)

// Faults of Redis.
var (
	readOnly       = &fault{name: "read-only", how: "REPLICAOF", pings: true, inject: redisCommands("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")}
	outOfMemory    = &fault{name: "out of memory", how: "CONFIG SET maxmemory 1", pings: true, inject: redisCommands("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")}
	loading        = &fault{name: "LOADING", how: "answers LOADING", inject: instead(resp("-LOADING Redis is loading the dataset in memory"))}
	moved          = &fault{name: "MOVED", how: "answers MOVED", pings: true, inject: instead(resp("-MOVED 3999 127.0.0.1:6381"))}
	scriptsFlushed = &fault{name: "NOSCRIPT", how: "SCRIPT FLUSH all the time", harmless: true, inject: flushScripts}
)

// toxic puts a Toxiproxy toxic on the dependency's proxy.
func toxic(json string) func(context.Context, *system) (func() error, error) {
	return func(ctx context.Context, s *system) (func() error, error) {
		_, err := s.proxy.Toxics.AddToxicJson(strings.NewReader(json))
		return func() error { s.proxy.Toxics.ResetToxics(ctx); return nil }, err
	}
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
	return p.Update(&toxiproxy.Proxy{Name: p.Name, Listen: p.Listen, Upstream: upstream, Enabled: true})
}

// flap takes the dependency away and gives it back, two seconds each.
func flap(ctx context.Context, s *system) (func() error, error) {
	ctx, stop := context.WithCancel(ctx)
	var flapping sync.WaitGroup
	var failed error
	set := func(enabled bool) {
		failed = errors.Join(failed, s.proxy.Update(&toxiproxy.Proxy{Listen: s.proxy.Listen, Upstream: s.proxy.Upstream, Enabled: enabled}))
	}
	set(false)
	flapping.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				set(!s.proxy.Enabled)
			case <-ctx.Done():
				set(true)
				return
			}
		}
	})
	return func() error { stop(); flapping.Wait(); return failed }, nil
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
