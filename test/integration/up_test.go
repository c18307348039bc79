// Package integration drives `aguante up` as its users do: as a process, over HTTP, in a browser.
package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "aguante-integration-")
	if err == nil {
		binary, err = stack.Build(context.Background(), dir, "-race")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// up starts `aguante up` for one test.
func up(t *testing.T, data string, arguments ...string) *stack.Up {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	u, err := stack.StartUp(ctx, binary, data, arguments, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(u.Output())
		}
		_ = u.Stop()
	})
	return u
}

// reply is what /chat answers.
type reply struct {
	Reply     string `json:"reply"`
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
	Engine    string `json:"engine"`
	Degraded  []struct{ Zone, Dependency, Reason string }
}

func say(t *testing.T, u *stack.Up, user, session, message string) reply {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"user": user, "session_id": session, "message": message})
	var r reply
	status, answer := call(t, http.MethodPost, u.Chat+"/chat", "application/json", body)
	if status != http.StatusOK {
		t.Fatalf("POST /chat: %d: %s", status, answer)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func call(t *testing.T, method, address, contentType string, body []byte) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, content
}

// eventually retries until holds says yes; materializing is asynchronous.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

func recalls(t *testing.T, u *stack.Up, user, question, words string) func() bool {
	return func() bool {
		query := url.Values{"user": {user}, "q": {question}, "limit": {"5"}}
		status, answer := call(t, http.MethodGet, u.Chat+"/recall?"+query.Encode(), "", nil)
		return status == http.StatusOK && strings.Contains(string(answer), words)
	}
}

func TestWhatWasSaidIsRememberedInAnotherSession(t *testing.T) {
	stores := map[string][]string{"embedded": nil, "real servers": {
		"--redis", os.Getenv(stack.RedisVariable), "--neo4j", os.Getenv(stack.Neo4jVariable)}}
	for name, arguments := range stores {
		t.Run(name, func(t *testing.T) {
			if name != "embedded" && os.Getenv(stack.Neo4jVariable) == "" {
				t.Skip("no real servers: run by make test")
			}
			u := up(t, t.TempDir(), arguments...)
			user := fmt.Sprintf("ana-%d", time.Now().UnixNano())
			told := say(t, u, user, "", "My sister Lucía lives in Cuenca.")
			eventually(t, "the turn is in the graph", recalls(t, u, user, "Where does Lucía live?", "Cuenca"))
			var asked reply
			eventually(t, "a turn lacks nothing", func() bool {
				asked = say(t, u, user, "", "Where does my sister live?")
				for _, d := range asked.Degraded {
					if d.Reason != "timeout" && d.Reason != "slow" {
						t.Errorf("degraded with everything up: %v", asked.Degraded)
					}
				}
				return len(asked.Degraded) == 0
			})
			if asked.SessionID == told.SessionID {
				t.Errorf("a turn without a session went into an old one: %s", asked.SessionID)
			}
			if !strings.Contains(asked.Reply, "your sister Lucía lives in Cuenca") {
				t.Errorf("the reply does not remember: %q", asked.Reply)
			}
			eventually(t, "the decision trace is in the console", func() bool {
				status, page := call(t, http.MethodGet, u.Trace+"/decisions/"+asked.TurnID, "", nil)
				return status == http.StatusOK && strings.Contains(string(page), `"stage":"recall"`)
			})
		})
	}
}

func TestKilledAndRestartedItHasLostNoAnsweredTurn(t *testing.T) {
	data := t.TempDir()
	u := up(t, data)
	var last reply
	for n := range 50 {
		last = say(t, u, "ana", last.SessionID, fmt.Sprintf("Box number%d is in room%d.", n, n))
	}
	if err := u.Kill(); err != nil {
		t.Fatal(err)
	}
	u = up(t, data)
	for n := range 50 {
		eventually(t, fmt.Sprintf("turn %d is recalled", n),
			recalls(t, u, "ana", fmt.Sprintf("where is box number%d", n), fmt.Sprintf("room%d.", n)))
	}
	status, history := call(t, http.MethodGet, u.Chat+"/sessions/"+last.SessionID, "", nil)
	if status != http.StatusOK || !strings.Contains(string(history), "room49") {
		t.Errorf("the session is gone: %d: %s", status, history)
	}
}

func TestSIGTERMDrainsAndEndsCleanly(t *testing.T) {
	data := t.TempDir()
	u := up(t, data)
	for n := range 20 {
		say(t, u, "ana", "", fmt.Sprintf("Box number%d is in room%d.", n, n))
	}
	code, err := u.Terminate(20 * time.Second)
	if err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	u = up(t, data)
	eventually(t, "the last turn is recalled", recalls(t, u, "ana", "where is box number19", "room19"))
}

func TestStreamHoldsTheSameReplyAsItsLastEvent(t *testing.T) {
	u := up(t, t.TempDir())
	body := `{"message":"My dog is called Rex.","user":"ana","stream":true}`
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, u.Chat+"/chat", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var streamed string
	var done reply
	event := ""
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && event == "delta" {
			var delta struct{ Text string }
			if err := json.Unmarshal([]byte(data), &delta); err != nil {
				t.Fatal(err)
			}
			streamed += delta.Text
		} else if ok && event == "done" {
			if err := json.Unmarshal([]byte(data), &done); err != nil {
				t.Fatal(err)
			}
		}
	}
	if streamed == "" || streamed != done.Reply {
		t.Errorf("streamed %q, done says %q", streamed, done.Reply)
	}
}

func TestForgottenUserIsGoneEverywhere(t *testing.T) {
	u := up(t, t.TempDir())
	told := say(t, u, "ana", "", "My sister Lucía lives in Cuenca.")
	eventually(t, "the turn is in the graph", recalls(t, u, "ana", "Where does Lucía live?", "Cuenca"))
	traced := func() bool {
		status, _ := call(t, http.MethodGet, u.Trace+"/decisions/"+told.TurnID, "", nil)
		return status == http.StatusOK
	}
	eventually(t, "the trace is kept", traced)
	eventually(t, "the user is forgotten", func() bool { // 503 while something does not answer in time
		status, answer := call(t, http.MethodDelete, u.Chat+"/users/ana", "", nil)
		if status >= 300 && status != http.StatusServiceUnavailable {
			t.Fatalf("DELETE /users/ana: %d: %s", status, answer)
		}
		return status < 300
	})
	eventually(t, "the graph has forgotten", func() bool { return !recalls(t, u, "ana", "Where does Lucía live?", "Cuenca")() })
	eventually(t, "the trace is erased", func() bool { return !traced() })
	if status, history := call(t, http.MethodGet, u.Chat+"/sessions/"+told.SessionID, "", nil); strings.Contains(string(history), "Cuenca") {
		t.Errorf("the session is still there: %d: %s", status, history)
	}
}

func TestEventsOfOtherSystemsBecomeMemory(t *testing.T) {
	u := up(t, t.TempDir())
	event := `{"specversion":"1.0","id":"e1","source":"/elsewhere","type":"dev.aguante.turn.completed.v1","subject":"s1",
		"datacontenttype":"application/json","data":{"turn_id":"t1","session_id":"s1","user":"eva",
		"messages":[{"role":"user","name":"Eva","content":"I adopted a cat named Miso.","at":"2025-05-03T10:00:00Z"}]}}`
	for range 10 { // the same event again is the same memory
		if status, answer := call(t, http.MethodPost, u.Broker, "application/cloudevents+json", []byte(event)); status != http.StatusAccepted {
			t.Fatalf("POST event: %d: %s", status, answer)
		}
	}
	eventually(t, "the event's turn is recalled", recalls(t, u, "eva", "what is the cat called?", "Miso"))
}

func TestBadInputGetsAProblemAndBreaksNothing(t *testing.T) {
	u := up(t, t.TempDir())
	long := strings.Repeat("a", 1<<20)
	cases := []struct {
		name, method, path, contentType, body string
		status                                int
	}{
		{"malformed JSON", "POST", "/chat", "application/json", `{"message":`, 400},
		{"wrong type", "POST", "/chat", "application/json", `{"message":7}`, 400},
		{"empty message", "POST", "/chat", "application/json", `{"message":""}`, 400},
		{"one megabyte", "POST", "/chat", "application/json", `{"message":"` + long + `"}`, 413},
		{"invalid UTF-8", "POST", "/chat", "application/json", "{\"message\":\"\xff\xfe\"}", 400},
		{"unknown field", "POST", "/chat", "application/json", `{"message":"hi","sesion_id":"x"}`, 400},
		{"path trick in session", "POST", "/chat", "application/json", `{"message":"hi","session_id":"../../etc/passwd"}`, 400},
		{"not JSON", "POST", "/chat", "text/plain", `hi`, 415},
		{"wrong method", "PUT", "/chat", "application/json", `{}`, 405},
		{"no such route", "GET", "/nowhere", "", "", 404},
		{"negative limit", "GET", "/recall?user=a&q=b&limit=-1", "", "", 400},
		{"limit no number", "GET", "/recall?user=a&q=b&limit=ten", "", "", 400},
		{"path trick in path", "GET", "/sessions/..%2f..%2fetc", "", "", 400},
		{"bad hop count", "POST", "/chat?x", "application/json", `[]`, 400},
		{"OpenAI: no messages", "POST", "/v1/chat/completions", "application/json", `{"model":"m","messages":[]}`, 400},
		{"OpenAI: malformed", "POST", "/v1/chat/completions", "application/json", `{`, 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, answer := call(t, c.method, u.Chat+c.path, c.contentType, []byte(c.body))
			if status != c.status {
				t.Errorf("status %d, want %d: %s", status, c.status, answer)
			}
			problem := bytes.Contains(answer, []byte(`"title"`)) || bytes.Contains(answer, []byte(`"error"`))
			if !json.Valid(answer) || !problem {
				t.Errorf("neither a problem nor an OpenAI error: %s", answer)
			}
		})
	}
	events := []struct{ name, contentType, body string }{
		{"event without id", "application/cloudevents+json", `{"specversion":"1.0","source":"/x","type":"dev.aguante.turn.completed.v1","data":{}}`},
		{"no event at all", "application/json", `{}`},
		{"garbage", "application/cloudevents+json", "\x00\x01"},
	}
	for _, address := range []string{u.Broker, u.Materialize, u.Trace} {
		for _, e := range events {
			if status, answer := call(t, http.MethodPost, address+"/", e.contentType, []byte(e.body)); status < 400 || status > 499 {
				t.Errorf("%s to %s: %d: %s", e.name, address, status, answer)
			}
		}
	}
	if r := say(t, u, "ana", "", "Hello"); r.Reply == "" {
		t.Error("chat no longer answers")
	}
}
