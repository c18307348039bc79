package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/aguante-chat/aguante/functions/chat/internal/httpapi"
	"github.com/aguante-chat/aguante/functions/chat/internal/session/redistest"
)

func keysFile(t testing.TB) *httpapi.Keys {
	t.Helper()
	var text strings.Builder
	text.WriteString("keys:\n")
	for _, name := range []string{"shop", "desk"} {
		sum := sha256.Sum256([]byte(name))
		text.WriteString("  - name: " + name + "\n    sha256: " + hex.EncodeToString(sum[:]) + "\n    limits: {chat: {per_minute: 1000000, burst: 1000000}}\n")
	}
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := httpapi.OpenKeys(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func with(q *http.Request, headers ...string) *http.Request {
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	return q
}

func TestWhoMayResumeAStreamAndFromWhere(t *testing.T) {
	server := miniredis.RunT(t)
	h := &house{redis: "redis://" + server.Addr(), speaker: &speaker{pieces: []string{"a", "b"}, step: at(0)}, keys: keysFile(t)}
	here := h.run(t)
	var g got
	if status := g.take(t, with(ask(t, here.url+"/chat", `{"message":"hi","stream":true}`), "Authorization", "Bearer shop"), 100); status != http.StatusOK || g.text != "ab" {
		t.Fatalf("%d, %+v", status, g)
	}
	kept := func() bool { return strings.Contains(strings.Join(server.Keys(), " "), g.turnID) }
	for end := time.Now().Add(10 * time.Second); !kept() && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	const unknown = "01a2092a-bb18-70cc-8b40-7c9b32802711"
	for name, c := range map[string]struct {
		method, turn, key, last string
		status                  int
	}{
		"who began it":          {"GET", g.turnID, "shop", "", 200},
		"another key":           {"GET", g.turnID, "desk", "", 404},
		"nobody":                {"GET", g.turnID, "", "", 404},
		"an unknown key":        {"GET", g.turnID, "guess", "", 401},
		"an unknown turn":       {"GET", unknown, "shop", "", 404},
		"no turn at all":        {"GET", "..%2f", "shop", "", 404},
		"all of it":             {"GET", g.turnID, "shop", g.last, 204},
		"more than all of it":   {"GET", g.turnID, "shop", "99", 400},
		"no number":             {"GET", g.turnID, "shop", "x", 400},
		"a negative number":     {"GET", g.turnID, "shop", "-1", 400},
		"a number without end":  {"GET", g.turnID, "shop", strings.Repeat("9", 40), 400},
		"only a look at it":     {"HEAD", g.turnID, "shop", "", 200},
		"a method that is none": {"POST", g.turnID, "shop", "", 405},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := http.NewRequest(c.method, here.url+"/chat/"+c.turn+"/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			if with(q, "Last-Event-ID", c.last); c.key != "" {
				with(q, "Authorization", "Bearer "+c.key)
			}
			answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != c.status || c.status >= 400 && answer.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s: %s", answer.StatusCode, answer.Header.Get("Content-Type"), body)
			}
		})
	}
	if h.speaker.asked != 1 {
		t.Errorf("the engine was asked %d times", h.speaker.asked)
	}
	server.FastForward(time.Hour)
	if status := g.take(t, with(g.resume(t, here.url), "Authorization", "Bearer shop"), 100); status != http.StatusNotFound {
		t.Errorf("an hour later: %d", status)
	}
}

func TestACallerWithMoreThanWasKeptReadsItFromItsBeginning(t *testing.T) {
	h := &house{redis: "redis://" + miniredis.RunT(t).Addr(), speaker: &speaker{pieces: []string{"a", "b", "c"}, step: at(200 * time.Millisecond)}}
	here := h.run(t)
	var g got
	g.take(t, ask(t, here.url+"/chat", `{"message":"hi","stream":true}`), 1)
	g.last = "7"
	if status := g.take(t, g.resume(t, here.url), 100); status != http.StatusConflict {
		t.Fatalf("%d", status)
	}
	whole := got{turnID: g.turnID}
	if status := whole.take(t, whole.resume(t, here.url), 100); status != http.StatusOK || whole.text != "abc" || whole.end != "done" {
		t.Errorf("%d, %+v", status, whole)
	}
}

// One turn tells it and two callers hear it; the instance of one of them drains meanwhile, and the turn goes on.
func TestAStreamThatIsUnderWayIsFollowed(t *testing.T) {
	release, said := make(chan struct{}), 0
	step := func(ctx context.Context) error {
		if said++; said < 3 {
			return nil
		}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h := &house{redis: "redis://" + miniredis.RunT(t).Addr(), speaker: &speaker{pieces: []string{"a", "b", "c", "d"}, step: step}}
	here, there, elsewhere := h.run(t), h.run(t), h.run(t)
	begun, ended := make(chan string), make(chan struct{})
	first := got{begun: begun}
	go func() {
		defer close(ended)
		first.take(t, ask(t, here.url+"/chat", `{"message":"hi","stream":true}`), 100)
	}()
	second := got{turnID: <-begun}
	time.AfterFunc(300*time.Millisecond, there.drain) // while it is followed, or before it is asked: both end well
	second.take(t, second.resume(t, there.url), 100)
	if n := len(second.events); n > 0 && second.events[n-1].event != "resume" {
		t.Errorf("at the instance that drained: %+v", second)
	}
	time.AfterFunc(300*time.Millisecond, func() { close(release) })
	if status := second.take(t, second.resume(t, elsewhere.url), 100); status != http.StatusOK || second.text != "abcd" || second.end != "done" {
		t.Errorf("%d, %+v", status, second)
	}
	<-ended
	if first.text != "abcd" || h.speaker.asked != 1 {
		t.Errorf("first %+v, asked %d times", first, h.speaker.asked)
	}
}

func TestADrainEndsAStreamWithWhereItGoesOn(t *testing.T) {
	for name, c := range map[string]struct{ end, word string }{"chat": {"resume", `"turn_id"`}, "openai": {"", `"resume"`}} {
		t.Run(name, func(t *testing.T) {
			h := &house{redis: "redis://" + miniredis.RunT(t).Addr()}
			var here *instance
			said := 0
			h.speaker = &speaker{pieces: []string{"a", "b", "c"}, step: func(ctx context.Context) error {
				if said++; said == 3 {
					here.drain()
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}}
			here = h.run(t)
			var g got
			g.take(t, ask(t, here.url+ways[name].path, ways[name].body), 100)
			last := g.events[len(g.events)-1]
			if last.event != c.end || !strings.Contains(last.data, c.word) || last.id != g.events[len(g.events)-2].id {
				t.Fatalf("it ends with %+v after %+v", last, g.events)
			}
			there := h.run(t)
			if status := g.take(t, g.resume(t, there.url), 100); status != http.StatusOK || g.text != "abc" || len(h.outbox.turns) != 1 {
				t.Errorf("%d, %+v", status, g)
			}
		})
	}
}

func TestWithoutRedisAStreamGoesOnAndSaysOnceThatItCannotBeResumed(t *testing.T) {
	for name, frozenAt := range map[string]int{"lost before it began": 0, "lost in its middle": 10} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			h := &house{redis: server.URL(), impatient: true}
			said := 0
			h.speaker = &speaker{pieces: strings.Split(strings.Repeat("a", 100), ""), step: func(ctx context.Context) error {
				if said++; said == frozenAt {
					server.Freeze()
				}
				return at(10 * time.Millisecond)(ctx)
			}}
			here := h.run(t)
			if frozenAt == 0 {
				server.Freeze()
			}
			var g got
			if status := g.take(t, ask(t, here.url+"/chat", `{"message":"hi","stream":true}`), 1000); status != http.StatusOK || len(g.text) != 100 || g.end != "done" {
				t.Fatalf("%d, %+v", status, g)
			}
			if !strings.Contains(g.done, `"dependency":"redis"`) {
				t.Errorf("done: %s", g.done)
			}
			degraded := 0
			for _, e := range g.events {
				if e.event == "degraded" && strings.Contains(e.data, `"redis"`) {
					degraded++
				}
			}
			if degraded != 1 {
				t.Errorf("said %d times", degraded)
			}
		})
	}
}
