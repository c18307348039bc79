package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/httpapi"
	"github.com/aguante-chat/aguante/functions/chat/internal/session"
	"github.com/aguante-chat/aguante/functions/chat/internal/session/redistest"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// speaker is an engine that says its pieces, from where the caller is on, each after a step.
type speaker struct {
	pieces []string
	step   func(ctx context.Context) error
	chunks bool // as an engine does that speaks OpenAI's language

	mu    sync.Mutex
	asked int
}

func (s *speaker) Answer(ctx context.Context, r engine.Request, emit engine.Emit) (engine.Answer, error) {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	whole := strings.Join(s.pieces, "")
	if !strings.HasPrefix(whole, r.Sent) {
		return engine.Answer{}, fmt.Errorf("the caller has %q of %q", r.Sent, whole)
	}
	said, chunk := 0, engine.Chunk{Model: "speaker"}
	for _, p := range s.pieces {
		said += len(p)
		if said <= len(r.Sent) {
			continue
		}
		piece := engine.Piece{Text: p}
		if s.chunks {
			chunk.Choices = `[{"index":0,"delta":{"content":"` + p + `"}}]`
			piece.Chunk = &chunk
		}
		if s.step(ctx) != nil || emit(piece) != nil {
			return engine.Answer{}, engine.ErrLeft
		}
	}
	return engine.Answer{Text: whole, Engine: "speaker", Model: "speaker", Finish: "stop"}, nil
}

func (s *speaker) Statuses() []guard.Status { return nil }

// at waits d for each piece.
func at(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if d == 0 {
			return nil
		}
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// outbox counts the turns that are recorded.
type outbox struct {
	mu    sync.Mutex
	turns []event.Completed
}

func (o *outbox) Send(_ context.Context, e event.Event) (string, []guard.Degraded) {
	var c event.Completed
	_ = e.DataAs(&c)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turns = append(o.turns, c)
	return event.WayBroker, nil
}

func (o *outbox) Statuses() []guard.Status { return nil }

type allOn struct{}

func (allOn) Enabled(string) bool { return true }

// instance is one of several chats on one Redis.
type instance struct {
	url   string
	drain func() // begins to leave, at the end of its grace: what is under way has all the time it needs for its last words
}

type tester interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

// house is what instances share.
type house struct {
	redis   string
	speaker *speaker
	outbox  outbox
	keys    *httpapi.Keys

	unkept    bool // keeps no streams
	impatient bool // waits for Redis as long as a turn does
}

func (h *house) run(t tester) *instance {
	t.Helper()
	patience, patient := "?read_timeout=5s&dial_timeout=5s&write_timeout=5s&pool_timeout=5s", limits.Redis
	if patient.Timeout = 5 * time.Second; h.impatient {
		patience, patient = "", limits.Redis
	}
	store, err := session.New(h.redis + patience)
	if err != nil {
		t.Fatal(err)
	}
	door := guard.New(patient, nil)
	keeper := session.NewKeeper(store, door)
	nop := telemetry.Nop()
	parts := turn.Parts{Source: "/chat", Sessions: store, Archive: store, Streams: keeper, Engines: h.speaker, Outbox: &h.outbox, Redis: door, Flags: allOn{}, Telemetry: nop}
	if h.unkept {
		parts.Streams = nil
	}
	teller := turn.New(parts)
	handler, err := httpapi.New(httpapi.Parts{Teller: teller, Keys: h.keys, Models: func() []string { return nil },
		Health: func() serve.Health { return serve.Health{} }, Telemetry: nop})
	if err != nil {
		t.Fatal(err)
	}
	l, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests, cut := context.WithCancelCause(context.Background())
	server := &http.Server{Handler: handler, BaseContext: func(net.Listener) context.Context { return requests }}
	go func() { _ = server.Serve(l) }()
	left := make(chan struct{})
	drain := sync.OnceFunc(func() {
		go func() {
			defer close(left)
			cut(serve.ErrDraining)
			_ = server.Shutdown(context.Background())
			keeper.Close()
			_ = store.Disconnect()
		}()
	})
	t.Cleanup(func() { drain(); <-left })
	return &instance{"http://" + l.Addr().String(), drain}
}

// got is what a caller has of a stream after some connections.
type got struct {
	turnID string
	last   string
	events []message
	text   string
	done   string // data of the last event
	end    string // its name
	begun  chan<- string
}

type message struct{ id, event, data string }

// take reads at most n events from a stream, and hangs up; or it calls then, and reads on to the end.
func (g *got) take(t tester, q *http.Request, n int, then ...func()) int {
	t.Helper()
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(q.WithContext(ctx))
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode
	}
	g.turnID = answer.Header.Get("Aguante-Turn")
	if g.begun != nil {
		g.begun <- g.turnID
	}
	var m message
	lines := bufio.NewScanner(answer.Body)
	for n > 0 && lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			m.data = value
		case "":
			if m.data != "" {
				g.hear(m)
				n--
			}
			m = message{}
			if n == 0 && len(then) > 0 {
				n = math.MaxInt
				then[0]()
			}
		}
	}
	return answer.StatusCode
}

func (g *got) hear(m message) {
	g.last, g.events = m.id, append(g.events, m)
	var d struct {
		Text    string
		Choices []struct{ Delta struct{ Content string } }
	}
	_ = json.Unmarshal([]byte(m.data), &d)
	g.text += d.Text
	if len(d.Choices) > 0 {
		g.text += d.Choices[0].Delta.Content
	}
	if m.event == "done" || m.event == "error" || m.data == "[DONE]" {
		g.end, g.done = m.event, m.data
	}
}

func ask(t tester, url, body string) *http.Request {
	t.Helper()
	q, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	return q
}

func (g *got) resume(t tester, url string) *http.Request {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, url+"/chat/"+g.turnID+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Last-Event-ID", g.last)
	return q
}

var ways = map[string]struct{ path, body string }{
	"chat":   {"/chat", `{"message":"hello","user":"ana","stream":true}`},
	"openai": {"/v1/chat/completions", `{"messages":[{"role":"user","content":"hello"}],"user":"ana","stream":true,"stream_options":{"include_usage":true}}`},
}

// TestWhereverAStreamIsCutTheCallerHasTheWholeAnswerOnce cuts streams at any event, by leaving or by draining the
// instance, and goes on with them on the same or another one.
func TestWhereverAStreamIsCutTheCallerHasTheWholeAnswerOnce(t *testing.T) {
	_ = flag.Set("rapid.checks", "25")
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			redis := "redis://" + server.Addr()
			rapid.Check(t, func(rt *rapid.T) {
				pieces := rapid.SliceOfN(rapid.StringMatching(`[a-zé漢 "<]{1,8}`), 1, 12).Draw(rt, "pieces")
				cuts := rapid.SliceOfN(rapid.IntRange(1, 6), 0, 3).Draw(rt, "cuts")
				h, c := &house{redis: redis, speaker: &speaker{pieces: pieces, step: at(time.Millisecond)}}, closer{T: rt}
				defer c.close()
				server.FlushAll() // rate limits too
				instances := []*instance{h.run(&c), h.run(&c)}
				here, g := 0, got{}
				next := ask(&c, instances[0].url+way.path, way.body)
				for i, n := range append(cuts, 1000) {
					last, status := i == len(cuts), 0
					if !last && rapid.Bool().Draw(rt, "drain") {
						status = g.take(&c, next, n, instances[here].drain)
						instances[here] = h.run(&c)
					} else {
						status = g.take(&c, next, n)
					}
					if g.turnID == "" { // cut before it began: nothing to go on with
						return
					}
					if g.done != "" {
						break
					}
					if status > http.StatusOK {
						rt.Fatalf("%d for event %q of %v", status, g.last, g.events)
					}
					here = rapid.IntRange(0, 1).Draw(rt, "instance")
					next = g.resume(&c, instances[here].url)
				}
				if want := strings.Join(pieces, ""); g.text != want || g.end == "error" || g.done == "" {
					rt.Fatalf("got %q, then %s %s; want %q\n%v", g.text, g.end, g.done, want, g.events)
				}
				if len(h.outbox.turns) != 1 || h.outbox.turns[0].ID != g.turnID {
					rt.Errorf("recorded %+v", h.outbox.turns)
				}
			})
		})
	}
}

// closer runs cleanups at the end of one check.
type closer struct {
	*rapid.T
	after []func()
}

func (c *closer) Cleanup(f func()) { c.after = append(c.after, f) }

func (c *closer) close() {
	for _, f := range c.after {
		f()
	}
}

// BenchmarkStream is a stream of 1,000 pieces over a connection, kept for who comes back, and not. What the client takes
// is in it.
func BenchmarkStream(b *testing.B) {
	h := &house{redis: redistest.URL(b), speaker: &speaker{pieces: slices.Repeat([]string{"some words "}, 1000), step: at(0), chunks: true}, keys: keysFile(b)}
	for _, name := range []string{"kept", "not kept"} {
		h.unkept = name == "not kept"
		here := h.run(b)
		for way := range ways {
			b.Run(name+"/"+way, func(b *testing.B) {
				client := &http.Client{}
				defer client.CloseIdleConnections()
				b.ReportAllocs()
				for b.Loop() {
					answer, err := client.Do(with(ask(b, here.url+ways[way].path, ways[way].body), "Authorization", "Bearer shop"))
					if err != nil || answer.StatusCode != http.StatusOK {
						b.Fatal(answer, err)
					}
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
			})
		}
	}
}
