package terminal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chat is a server that answers POST /chat as told, and remembers what it was asked.
type chat struct {
	*httptest.Server
	asked []map[string]any
}

func newChat(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *chat {
	c := &chat{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if r.Method == http.MethodGet {
			body = map[string]any{"path": r.URL.Path, "last": r.Header.Get("Last-Event-ID")}
		} else if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/chat" {
			t.Errorf("%s: %v", r.URL, err)
		}
		c.asked = append(c.asked, body)
		answer(len(c.asked), w, r)
	}))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		c.Close()
	})
	return c
}

func stream(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		_, _ = fmt.Fprint(w, e, "\n\n")
	}
}

func run(t *testing.T, url, in string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := Run(t.Context(), Options{URL: url, User: "ana"}, strings.NewReader(in), &out, nil)
	return out.String(), err
}

func TestAConversationKeepsItsSession(t *testing.T) {
	c := newChat(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		stream(w, `event: delta`+"\n"+`data: {"text":"Hello "}`, `: still here`, `event: delta`+"\n"+`data: {"text":"there"}`,
			fmt.Sprintf("event: done\ndata: {\"session_id\":\"s%d\",\"reply\":\"Hello there\"}", n))
	})
	out, err := run(t, c.URL, "one\n\n  \ntwo\n")
	if err != nil || out != "Hello there\nHello there\n" {
		t.Errorf("%v: %q", err, out)
	}
	if len(c.asked) != 2 || c.asked[0]["session_id"] != nil || c.asked[1]["session_id"] != "s1" || c.asked[0]["user"] != "ana" {
		t.Errorf("asked %v", c.asked)
	}
}

func TestWhatIsDegradedIsSaidOnceInASentence(t *testing.T) {
	c := newChat(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		stream(w, `event: degraded`+"\n"+`data: {"zone":"graph","dependency":"neo4j","reason":"open"}`,
			`event: done`+"\n"+`data: {"degraded":[{"zone":"graph","dependency":"neo4j","reason":"open"},{"zone":"async","dependency":"broker","reason":"error"}]}`)
	})
	out, _ := run(t, c.URL, "one\n")
	for _, sentence := range []string{"Memory is resting", "slow to listen"} {
		if strings.Count(out, sentence) != 1 {
			t.Errorf("%q", out)
		}
	}
}

func TestARefusalIsASentenceAndAnError(t *testing.T) {
	cases := map[string]struct {
		answer func(int, http.ResponseWriter, *http.Request)
		says   string
	}{
		"limited": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "faster than I am allowed to be. Try again in 3 s."},
		"malformed": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"detail":"user: is too long"}`)
		}, "user: is too long"},
		"garbage": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprint(w, "\x00<html>")
		}, "Something went wrong on my side."},
		"in the stream": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			stream(w, `event: delta`+"\n"+`data: {"text":"He"}`, `event: error`+"\n"+`data: {"status":408}`)
		}, "That took too long, so I stopped."},
		"broken off": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			stream(w, `event: delta`+"\n"+`data: {"text":"He"}`)
		}, "The answer broke off."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			served := newChat(t, c.answer)
			if out, err := run(t, served.URL, "one\n"); err == nil || !strings.Contains(out, c.says) {
				t.Errorf("%v: %q", err, out)
			}
			if len(served.asked) != 1 {
				t.Errorf("asked %d times", len(served.asked))
			}
		})
	}
}

func TestAnAnswerThatBreaksOffGoesOn(t *testing.T) {
	const degraded = `event: degraded` + "\n" + `data: {"zone":"graph","dependency":"neo4j","reason":"open"}`
	for name, c := range map[string]struct {
		rest func(http.ResponseWriter)
		says string
	}{
		"elsewhere": {func(w http.ResponseWriter) {
			stream(w, degraded, "id: 3\nevent: delta\n"+`data: {"text":"llo"}`, "id: 4\nevent: done\ndata: {}")
		}, "llo\n"},
		"nowhere": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "[The answer broke off.]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			served := newChat(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				switch w.Header().Set("Aguante-Turn", "t-1"); n {
				case 1:
					stream(w, degraded, "id: 2\nevent: delta\n"+`data: {"text":"He"}`, "id: 2\nevent: resume\ndata: {}")
				case 2:
					w.WriteHeader(http.StatusServiceUnavailable)
				default:
					c.rest(w)
				}
			})
			var out strings.Builder
			talk := &conversation{Options: Options{URL: served.URL}, out: &out, pause: func(context.Context, time.Duration) bool { return true }}
			_ = talk.say(t.Context(), "one")
			if got := out.String(); !strings.HasSuffix(got, c.says) || strings.Count(got, "He") != 1 || strings.Count(got, "Memory") != 1 {
				t.Errorf("%q", got)
			}
			if last := served.asked[len(served.asked)-1]; last["path"] != "/chat/t-1/stream" || last["last"] != "2" {
				t.Errorf("asked %v", served.asked)
			}
		})
	}
}

func TestAChatThatIsAwayIsAskedAgainLessAndLessOften(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := "http://" + l.Addr().String()
	l.Close()
	back := newChat(t, func(_ int, w http.ResponseWriter, _ *http.Request) { stream(w, "event: done\ndata: {}") })
	var waits []time.Duration
	c := &conversation{Options: Options{URL: nowhere}, out: io.Discard}
	c.pause = func(_ context.Context, d time.Duration) bool {
		if waits = append(waits, d); len(waits) == 7 {
			c.URL = back.URL
		}
		return true
	}
	if err := c.say(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 30, 30}
	for i := range want {
		want[i] *= time.Second
	}
	if !slices.Equal(waits, want) {
		t.Errorf("waited %v", waits)
	}
}

func TestAnInterruptStopsTheAnswerAndThenTheConversation(t *testing.T) {
	begun := make(chan struct{})
	served := newChat(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		stream(w, `event: delta`+"\n"+`data: {"text":"endless"}`)
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-r.Context().Done()
	})
	interrupts := make(chan os.Signal)
	in, typed := io.Pipe()
	var out strings.Builder
	var conversation sync.WaitGroup
	conversation.Go(func() {
		if err := Run(t.Context(), Options{URL: served.URL}, in, &out, interrupts); err != nil {
			t.Error(err)
		}
	})
	_, _ = typed.Write([]byte("go on\n"))
	<-begun
	interrupts <- os.Interrupt
	interrupts <- os.Interrupt
	conversation.Wait()
	typed.Close()
	if !strings.Contains(out.String(), "[stopped]") {
		t.Errorf("%q", out.String())
	}
}

func TestAnEngineCannotSteerTheTerminal(t *testing.T) {
	if got := printable("a\x1b[2Jb\r\u009bc\td\nñ\x7f"); got != "a[2Jbc\td\nñ" {
		t.Errorf("%q", got)
	}
}

func TestStreamsAreReadHoweverTheyAreCut(t *testing.T) {
	const text = ": comment\r\nevent: a\r\ndata: one\r\ndata:two\r\n\r\nid: 7\n\ndata\n\ndata: rest without end"
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
		var got []string
		for m, err := range messages(r) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.event+"="+string(m.data))
		}
		if want := []string{"a=one\ntwo", "="}; !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("event: delta\ndata: {\"text\":\"a\"}\n\n")
	f.Add("data\r\n\r\n:\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		for m, err := range messages(strings.NewReader(text)) {
			if err == nil && strings.ContainsAny(m.event, "\n") {
				t.Errorf("an event name of two lines: %q", m.event)
			}
		}
	})
}
