package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/test/stack"
	"github.com/chromedp/chromedp"
)

// story is what the engine answers, a word every 50 ms.
var story = strings.Fields("Quito lies high in the Andes of Ecuador. It was founded on the ruins of an older city, and its " +
	"centre is one of the best kept of its age. The air is thin there and the nights are cold, though the equator is near. " +
	"From a hill above the roofs one sees the snow of volcanoes. Buses climb steep streets, and markets open before the sun is up.")

// narrator is an engine that tells the story, from a few words before the end of what was already told, as it is asked to.
func narrator(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Messages []struct{ Role, Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		told := 0
		for _, m := range asked.Messages {
			if m.Role == "assistant" {
				told = len(strings.Fields(m.Content))
			}
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := max(0, told-5); i < len(story); i++ {
			word, _ := json.Marshal(story[i] + " ")
			fmt.Fprintf(w, "data: {\"model\":\"narrator\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", word)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(50 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(s.Close)
	return s
}

// narrated is an engines file with a narrator in it.
func narrated(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engines.yaml")
	text := "engines: [{name: narrator, url: " + narrator(t).URL + ", model: m, timeout: 30s}]"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// listener is a stream's caller over several connections.
type listener struct {
	turn, last, text, end string
	events                int
	done                  reply
}

// hear reads a stream until it ends; after says what happens after so many events of it.
func (l *listener) hear(t *testing.T, q *http.Request, after map[int]func()) int {
	t.Helper()
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	if turn := answer.Header.Get("Aguante-Turn"); turn != "" {
		l.turn = turn
	}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			l.end = value
		case "id":
			l.last = value
		case "data":
			var delta struct{ Text string }
			_ = json.Unmarshal([]byte(value), &delta)
			_ = json.Unmarshal([]byte(value), &l.done)
			l.text += delta.Text
			if l.events++; after[l.events] != nil {
				after[l.events]()
			}
		}
	}
	return answer.StatusCode
}

func TestAStreamGoesOnAtAnotherInstanceWhenItsOwnIsGone(t *testing.T) {
	if os.Getenv(stack.RedisVariable) == "" {
		t.Skip("no real servers: run by make test")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	binary, err := stack.BuildFunction(ctx, dir, "chat")
	if err != nil {
		t.Fatal(err)
	}
	redis, err := stack.StartRedis(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop() })
	var recorded ledger
	broker := httptest.NewServer(event.Handler("test", recorded.take, event.HandlerOptions{}))
	t.Cleanup(broker.Close)
	engines := narrated(t)
	for name, signal := range map[string]syscall.Signal{"drained": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			run := func() *stack.Function {
				f, err := stack.StartFunction(ctx, binary, "REDIS_URL="+redis.URL, "ENGINES_FILE="+engines, "K_SINK="+broker.URL, "GRACE=1s")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = f.Stop() })
				return f
			}
			here, there := run(), run()
			var l listener
			q, _ := http.NewRequestWithContext(ctx, http.MethodPost, here.URL+"/chat", strings.NewReader(`{"message":"Tell me of Quito.","user":"`+name+`","stream":true}`))
			q.Header.Set("Content-Type", "application/json")
			l.hear(t, q, map[int]func(){12: func() { _ = here.Signal(signal) }})
			if name == "drained" && l.end != "resume" {
				t.Errorf("drained, it ends with %q after %q", l.end, l.text)
			}
			q, _ = http.NewRequestWithContext(ctx, http.MethodGet, there.URL+"/chat/"+l.turn+"/stream", nil)
			q.Header.Set("Last-Event-ID", l.last)
			status := l.hear(t, q, nil)
			if status == http.StatusConflict { // killed before it wrote what it said last
				q.Header.Del("Last-Event-ID")
				l.text = ""
				status = l.hear(t, q, nil)
			}
			whole := strings.Join(story, " ") + " "
			if status != http.StatusOK || l.end != "done" || l.text != whole || l.done.Reply != whole || l.done.TurnID != l.turn {
				t.Errorf("%d, %q, %+v", status, l.text, l)
			}
			var turns []event.Completed
			eventually(t, "the turn is recorded", func() bool { turns = recorded.of(name); return len(turns) > 0 })
			if len(turns) != 1 || turns[0].ID != l.turn || len(turns[0].Messages) != 2 || turns[0].Messages[1].Content != whole {
				t.Errorf("recorded %+v", turns)
			}
		})
	}
}

func TestThePageGoesOnWithAStreamThatBreaksOff(t *testing.T) {
	u := up(t, t.TempDir(), "--engines", narrated(t))
	chat, err := url.Parse(u.Chat)
	if err != nil {
		t.Fatal(err)
	}
	var posts, resumed atomic.Int32
	pass := httputil.NewSingleHostReverseProxy(chat)
	pass.FlushInterval, pass.ErrorLog = -1, log.New(io.Discard, "", 0)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cut := context.WithCancel(r.Context())
		defer cut()
		if r.Method == http.MethodPost && posts.Add(1) == 1 {
			w = &cutter{ResponseWriter: w, after: 12, cut: cut}
		}
		if strings.HasSuffix(r.URL.Path, "/stream") && r.Header.Get("Last-Event-ID") != "" {
			resumed.Add(1)
		}
		pass.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(proxy.Close)
	tab := browser(t, 1280, 800)
	perform(t, tab, "open the chat page", chromedp.Navigate(proxy.URL), chromedp.WaitVisible("#message"))
	send(t, tab, "Tell me of Quito.")
	text(t, tab, "#turns .meta", "Engine: narrator")
	whole := strings.Join(story, " ")
	if got := evaluate[string](t, tab, `document.querySelector("#turns .reply .text").textContent`); strings.TrimSpace(got) != whole {
		t.Errorf("the page shows %q", got)
	}
	if posts.Load() != 1 || resumed.Load() == 0 {
		t.Errorf("sent %d times, resumed %d times", posts.Load(), resumed.Load())
	}
}

// cutter passes a stream on, and cuts it after so many events.
type cutter struct {
	http.ResponseWriter
	after int
	cut   func()
}

func (c *cutter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	if c.after -= bytes.Count(p, []byte("event: ")); c.after <= 0 {
		c.cut()
	}
	return n, err
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// ledger keeps the turns that come in.
type ledger struct {
	mu    sync.Mutex
	turns []event.Completed
}

func (l *ledger) take(_ context.Context, e event.Event) (*event.Event, error) {
	var turn event.Completed
	if e.Type() != event.TurnCompleted {
		return nil, nil
	}
	if err := e.DataAs(&turn); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns = append(l.turns, turn)
	return nil, nil
}

// of are the turns of user. One may come twice: a broker that takes too long to answer is asked again.
func (l *ledger) of(user string) (turns []event.Completed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, turn := range l.turns {
		if turn.User == user && !slices.ContainsFunc(turns, func(t event.Completed) bool { return reflect.DeepEqual(t, turn) }) {
			turns = append(turns, turn)
		}
	}
	return turns
}
