package session

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/local"
	"github.com/aguante-chat/aguante/functions/chat/internal/session/redistest"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// calls are all that a turn asks of Redis.
func calls(s *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"open": func(ctx context.Context) error { _, err := s.Open(ctx, opening("ana", "s1")); return err },
		"close": func(ctx context.Context) error {
			return s.Close(ctx, turn.Closing{User: "ana", SessionID: "s1", Said: said("t1", "hi")})
		},
	}
}

// One attempt, and the error back within the time that a call has: more would be time that the turn does not have.
func TestGivesUpInTime(t *testing.T) {
	server := redistest.Start(t)
	s, well := open(t, server.URL()), calls(open(t, server.URL()+patient))
	for name, call := range calls(s) {
		if err := well[name](t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		server.Freeze()
		began := time.Now()
		err := call(t.Context())
		if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s on a frozen Redis: %v after %s", name, err, time.Since(began))
		}
		server.Thaw()
	}
	server.Kill()
	for name, call := range calls(s) {
		if err := call(t.Context()); err == nil {
			t.Errorf("%s on a dead Redis: no error", name)
		}
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	s = open(t, server.URL()+patient)
	for name, call := range calls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s on a Redis that is back: %v", name, err)
		}
	}
}

func TestARedisThatRefusesAsAWholeIsAnError(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL()+patient)
	if err := s.client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := calls(s)["close"](t.Context()); err == nil || errors.Is(err, turn.ErrUnreadable) {
		t.Errorf("out of memory: %v", err)
	}
}

func TestTalksToNothingButRedis(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n<html>"))
			_ = conn.Close()
		}
	}()
	s := open(t, "redis://"+listener.Addr().String())
	for name, call := range calls(s) {
		if err := call(t.Context()); err == nil {
			t.Errorf("%s: no error from a server that is no Redis", name)
		}
	}
}

func TestRefusesAnAddressWithoutShowingItsPassword(t *testing.T) {
	for _, address := range []string{"redis://:secret@host:port:port", "http://:secret@host", "redis://:secret@host/nodb\x7f"} {
		s, err := New(address)
		if err == nil {
			_ = s.Disconnect()
			t.Errorf("%q is taken", address)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestATurnCostsTwoRoundTrips(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		t.Helper()
		nop := telemetry.Nop()
		chain, err := chain.Open(chain.Config{Last: local.Engine{}, Tracer: nop.Tracer, Meter: nop.Meter, Log: nop.Log})
		if err != nil {
			t.Fatal(err)
		}
		flags := serve.FollowFlags("", nop.Log)
		if err != nil {
			t.Fatal(err)
		}
		teller := turn.New(turn.Parts{
			Sessions: s, Archive: s, Memory: blank{}, Engines: chain, Redis: guard.New(patiently, nil),
			Graph: guard.New(limits.Neo4jRead, nil), Flags: flags, Telemetry: nop,
		})
		mustOpen(t, s, opening("", "")) // connects
		count := &trips{}
		s.client.AddHook(count)
		for n := range 3 {
			count.n = 0
			reply, err := teller.Take(t.Context(), turn.Turn{
				User: "ana", SessionID: "s1", Caller: caller, Messages: []engine.Message{{Role: engine.User, Content: "I live in Loja."}},
			}, nil)
			if err != nil || reply.Degraded != nil || count.n != 2 {
				t.Errorf("turn %d took %d round trips, %+v, %v", n, count.n, reply, err)
			}
		}
	})
}

// blank is a graph that holds nothing.
type blank struct{}

func (blank) Recall(context.Context, graph.Query) ([]graph.Item, error) { return nil, nil }

func (blank) Session(context.Context, string, string, int) ([]graph.Turn, error) { return nil, nil }

func (blank) Forget(context.Context, string, time.Time) (int, error) { return 0, nil }

// trips counts round trips: a pipeline is one, and so is a command outside of any.
type trips struct{ n int }

func (c *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.n++; return next(ctx, cmd) }
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n++
		return next(ctx, cmds)
	}
}
