package trace

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/redistest"
	"github.com/aguante-chat/aguante/shared/event"
)

func TestItStartsWithRedisDown(t *testing.T) {
	hurry(t)
	server := redistest.Start(t)
	server.Kill()
	r := run(t, Config{RedisURL: server.URL(), DeadLetterReplay: newSink(t).URL})
	r.unavailable()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	r.comesBack()
}

func TestARedisThatFailsIsSaidAndItComesBack(t *testing.T) {
	hurry(t)
	for name, fault := range map[string]struct {
		begin, end func(*redistest.Server, *slowly) error
	}{
		"killed": {func(s *redistest.Server, _ *slowly) error { s.Kill(); return nil },
			func(s *redistest.Server, _ *slowly) error { return s.Restart() }},
		"frozen": {func(s *redistest.Server, _ *slowly) error { s.Freeze(); return nil },
			func(s *redistest.Server, _ *slowly) error { s.Thaw(); return nil }},
		"slow": {func(_ *redistest.Server, way *slowly) error { way.takes.Store(int64(5 * time.Second)); return nil },
			func(_ *redistest.Server, way *slowly) error { way.takes.Store(0); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			way := newSlowly(t, server.Address)
			r := run(t, Config{RedisURL: "redis://" + way.Addr().String(), DeadLetterReplay: newSink(t).URL})
			r.decide(turn("before", "ana", today))
			if err := fault.begin(server, way); err != nil {
				t.Fatal(err)
			}
			r.unavailable()
			if err := fault.end(server, way); err != nil {
				t.Fatal(err)
			}
			r.comesBack()
			if name != "killed" && !slices.Contains(r.turns(""), "before") {
				t.Error("what was kept before is gone")
			}
		})
	}
}

// slowly is a way to Redis on which answers take as long as it is told.
type slowly struct {
	net.Listener
	takes atomic.Int64 // a time.Duration
	conns sync.WaitGroup
	over  chan struct{}
}

func newSlowly(t *testing.T, address string) *slowly {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &slowly{Listener: listener, over: make(chan struct{})}
	s.conns.Go(func() {
		for {
			caller, err := listener.Accept()
			if err != nil {
				return
			}
			s.conns.Go(func() { s.carry(caller, address) })
		}
	})
	t.Cleanup(func() {
		close(s.over)
		_ = listener.Close()
		s.conns.Wait()
	})
	return s
}

// carry takes one connection's bytes there and, late, back.
func (s *slowly) carry(caller net.Conn, address string) {
	redis, err := net.Dial("tcp", address)
	if err != nil {
		_ = caller.Close()
		return
	}
	s.conns.Go(func() {
		_, _ = io.Copy(redis, caller)
		_ = redis.Close()
	})
	defer caller.Close()
	answer := make([]byte, 64<<10)
	for {
		n, err := redis.Read(answer)
		if err != nil {
			return
		}
		select {
		case <-time.After(time.Duration(s.takes.Load())):
		case <-s.over:
			return
		}
		if _, err := caller.Write(answer[:n]); err != nil {
			return
		}
	}
}

// unavailable checks that events are to be sent again, and that the function says why and is ready all the same.
func (r *running) unavailable() {
	r.t.Helper()
	for range 4 { // until the breaker is open, and then
		a := r.send("/", event.TurnDecided, "1", turn("t1", "ana", today))
		if r.problem(a, http.StatusServiceUnavailable); a.header.Get("Retry-After") == "" {
			r.t.Error("no Retry-After")
		}
	}
	r.problem(r.send("/", event.UserForgotten, "2", event.Forgotten{User: "ana"}), http.StatusServiceUnavailable)
	r.problem(r.send("/dead-letters", "any", "1", "{}"), http.StatusServiceUnavailable)
	for _, path := range []string{"/decisions", "/decisions/t1", "/dead-letters", "/dead-letters/audit"} {
		r.problem(r.do(http.MethodGet, path, ""), http.StatusServiceUnavailable)
	}
	for _, path := range []string{"/", "/turns/t1", "/letters"} {
		if a := r.do(http.MethodGet, path, ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "Nothing is lost") {
			r.t.Errorf("%s: %d", path, a.status)
		}
	}
	replay := r.do(http.MethodPost, "/dead-letters/1/replay", "")
	if r.problem(replay, http.StatusServiceUnavailable); !strings.Contains(replay.body, "The trace store does not answer") {
		r.t.Errorf("a replay blames another: %s", replay.body)
	}
	if a := r.do(http.MethodPost, "/letters/replay", ""); a.header.Get("Location") != "/letters?failed=store&replayed=0" {
		r.t.Errorf("the console's replay goes to %s", a.header.Get("Location"))
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := r.do(http.MethodGet, path, ""); a.status != http.StatusOK {
			r.t.Errorf("%s: %d", path, a.status)
		}
	}
	health := r.do(http.MethodGet, "/health", "").body
	for _, want := range []string{`"status":"degraded"`, `"redis"`, `"state":"open"`, "last_error"} {
		if !strings.Contains(health, want) {
			r.t.Errorf("/health does not say %s: %s", want, health)
		}
	}
}

// comesBack sends an event again until it is taken, as a broker does.
func (r *running) comesBack() {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		a := r.send("/", event.TurnDecided, "1", turn("t1", "ana", today))
		if a.status == http.StatusAccepted {
			break
		}
		if time.Now().After(end) {
			r.t.Fatalf("not back: %d %s", a.status, a.body)
		}
	}
	if health := r.do(http.MethodGet, "/health", "").body; !strings.Contains(health, `"status":"ok"`) {
		r.t.Errorf("/health: %s", health)
	}
	if got := r.turns(""); !slices.Contains(got, "t1") {
		r.t.Errorf("listed: %v", got)
	}
}
