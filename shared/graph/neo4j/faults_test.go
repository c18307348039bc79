package neo4j_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
)

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, uri := range []string{"", "127.0.0.1:7687", "http://127.0.0.1:7687", "bolt://127.0.0.1:port"} {
		if s, err := neo4j.Open(t.Context(), neo4j.Config{URI: uri}); err == nil {
			t.Errorf("%q was opened", uri)
			s.Close()
		}
	}
}

// TestAServerThatDoesNotServe opens servers of which none answers as Neo4j does; no call may outlast its caller.
func TestAServerThatDoesNotServe(t *testing.T) {
	for name, c := range map[string]struct {
		serve  func(net.Conn)
		silent bool
	}{
		"frozen":      {waitForClose, true},
		"hanging up":  {func(c net.Conn) { c.Close() }, false},
		"not Neo4j":   {func(c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); waitForClose(c) }, false},
		"half asleep": {func(c net.Conn) { c.Write([]byte{0, 0, 4, 5}); waitForClose(c) }, true}, // shakes hands, then nothing
	} {
		t.Run(name, func(t *testing.T) {
			s, err := neo4j.Open(t.Context(), neo4j.Config{URI: "bolt://" + listen(t, c.serve)})
			if err != nil {
				t.Fatal(err)
			}
			mustFail(t, s, c.silent)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("not there", func(t *testing.T) {
		s, err := neo4j.Open(t.Context(), neo4j.Config{URI: "bolt://127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		mustFail(t, s, false)
		s.Close()
	})
}

// mustFail calls everything, all at once, and again: in vain until the caller's time is up if the server is silent, and
// else not so long.
func mustFail(t *testing.T, s *neo4j.Store, silent bool) {
	t.Helper()
	patience := time.Minute
	if silent {
		patience = 200 * time.Millisecond
	}
	w := graph.Write{SentAt: time.Now(), Turn: graph.Turn{ID: "t1", SessionID: "s", User: "ana",
		Messages: []graph.Message{{Role: "user", Content: "coffee", At: time.Now()}}}}
	calls := map[string]func(ctx context.Context) error{
		"Ping":  s.Ping,
		"Write": func(ctx context.Context) error { _, err := s.Write(ctx, []graph.Write{w}); return err },
		"Recall": func(ctx context.Context) error {
			_, err := s.Recall(ctx, graph.Query{User: "ana", Text: "coffee", Limit: 1})
			return err
		},
		"Session": func(ctx context.Context) error { _, err := s.Session(ctx, "ana", "s", 1); return err },
		"Facts":   func(ctx context.Context) error { _, err := s.Facts(ctx, "ana"); return err },
		"Forget":  func(ctx context.Context) error { _, err := s.Forget(ctx, "ana", time.Now()); return err },
	}
	type result struct {
		call string
		err  error
	}
	results := make(chan result)
	const times = 10
	for name, call := range calls {
		for range times {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				results <- result{name, call(ctx)}
			}()
		}
	}
	for range times * len(calls) {
		r := <-results
		if r.err == nil {
			t.Errorf("%s succeeded", r.call)
		}
		if errors.Is(r.err, context.DeadlineExceeded) != silent {
			t.Errorf("%s says %v", r.call, r.err)
		}
	}
}

// listen serves each connection until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

func waitForClose(c net.Conn) {
	defer c.Close()
	for buffer := make([]byte, 1024); ; {
		if _, err := c.Read(buffer); err != nil {
			return
		}
	}
}
