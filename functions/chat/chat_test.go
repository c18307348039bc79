package chat_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/limits"
)

// What is there has all the time it needs, for this machine may be slow. What is slow is tested where its calls are made.
func TestMain(m *testing.M) {
	limits.Redis.Timeout, limits.Broker.Timeout, limits.Materialize.Timeout = 5*time.Second, 20*time.Second, 20*time.Second
	goleak.VerifyTestMain(m)
}

// rig is chat with its real parts around it: Redis in this process, an embedded graph, and a broker that writes every
// turn it gets into that graph.
type rig struct {
	*httptest.Server
	redis *miniredis.Miniredis
	graph graph.Store
}

func start(t *testing.T, change func(*chat.Config)) *rig {
	t.Helper()
	store, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "graph.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	r := &rig{redis: miniredis.RunT(t), graph: store}
	broker := httptest.NewServer(event.Handler("test", r.materialize, event.HandlerOptions{}))
	t.Cleanup(broker.Close)

	c := chat.Config{RedisURL: "redis://" + r.redis.Addr(), Graph: store}
	c.Sink = broker.URL
	if change != nil {
		change(&c)
	}
	f, err := chat.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r.Server = httptest.NewServer(f.Handler)
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
		if err := f.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// do sends a request and returns what came back, its body read.
func (r *rig) do(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, r.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	w, err := r.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w, string(text)
}

type reply struct {
	Reply     string `json:"reply"`
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
	TraceID   string `json:"trace_id"`
	Engine    string `json:"engine"`
	Degraded  []struct {
		Zone, Dependency, Reason string
	} `json:"degraded"`
	Recalled []struct {
		TurnID string  `json:"turn_id"`
		Score  float64 `json:"score"`
	} `json:"recalled"`
}

func (r *rig) say(t *testing.T, body string) reply {
	t.Helper()
	w, text := r.do(t, http.MethodPost, "/chat", body)
	if w.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", body, w.StatusCode, text)
	}
	return decode[reply](t, text)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

type sent struct{ name, data string }

// events reads a stream of server-sent events.
func events(t *testing.T, text string) []sent {
	t.Helper()
	var all []sent
	var e sent
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "event":
			e.name = value
		case "data":
			e.data += value
		case "":
			if e != (sent{}) {
				all = append(all, e)
			}
			e = sent{}
		}
	}
	return all
}

// eventually waits for what other goroutines are about to bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("%s: not within 10 s", what)
}
