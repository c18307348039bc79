package chat_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/shared/limits"
)

func TestHostileRequestsGetTheirProblemAndNothingBreaks(t *testing.T) {
	r := start(t, nil)
	long := strings.Repeat("x", limits.MaxID+1)
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		holds              string
	}{
		"malformed":            {"POST", "/chat", `{"message":`, nil, 400, "not whole JSON"},
		"trailing garbage":     {"POST", "/chat", `{"message":"a"}x`, nil, 400, "is not JSON from byte"},
		"wrong type":           {"POST", "/chat", `{"message":["a"]}`, nil, 400, `\"message\" has the wrong type`},
		"mistyped member":      {"POST", "/chat", `{"message":"a","sesion_id":"s"}`, nil, 400, `\"sesion_id\" is not known here`},
		"repeated member":      {"POST", "/chat", `{"message":"a","message":"b"}`, nil, 400, "is there twice"},
		"empty message":        {"POST", "/chat", `{"message":""}`, nil, 400, "is missing or empty"},
		"invalid UTF-8":        {"POST", "/chat", "{\"message\":\"\xc3\x28\"}", nil, 400, "UTF-8"},
		"long message":         {"POST", "/chat", `{"message":"` + strings.Repeat("x", limits.MaxMessage+1) + `"}`, nil, 413, "longer"},
		"large body":           {"POST", "/chat", `{"message":"` + strings.Repeat("x", limits.MaxBody) + `"}`, nil, 413, "larger"},
		"form":                 {"POST", "/chat", "message=a", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/json"},
		"no type":              {"POST", "/chat", `{"message":"a"}`, []string{"Content-Type", ""}, 415, "application/json"},
		"no hop count":         {"POST", "/chat", `{"message":"a"}`, []string{"Aguante-Hop", "one"}, 400, "Aguante-Hop"},
		"negative hop count":   {"POST", "/chat", `{"message":"a"}`, []string{"Aguante-Hop", "-1"}, 400, "Aguante-Hop"},
		"huge hop count":       {"POST", "/chat", `{"message":"a"}`, []string{"Aguante-Hop", "99999999999999999999"}, 400, "Aguante-Hop"},
		"too many hops":        {"POST", "/chat", `{"message":"a"}`, []string{"Aguante-Hop", "4"}, 508, "4 hops"},
		"nobody waits":         {"POST", "/chat", `{"message":"a"}`, []string{"X-Envoy-Expected-Rq-Timeout-Ms", "0"}, 408, "Past the deadline"},
		"wrong method":         {"PUT", "/chat", `{}`, nil, 405, "Method not allowed"},
		"wrong method on page": {"POST", "/", `{}`, nil, 405, "Method not allowed"},
		"unknown route":        {"GET", "/admin", "", nil, 404, "Not found"},
		"dots for a session":   {"GET", "/sessions/%2e%2e", "", nil, 400, "session_id"},
		"slash in a session":   {"GET", "/sessions/a%2fb", "", nil, 400, "session_id"},
		"control in a session": {"DELETE", "/sessions/a%00b", "", nil, 400, "session_id"},
		"long session":         {"GET", "/sessions/" + long, "", nil, 400, "session_id"},
		"unknown session":      {"GET", "/sessions/none", "", nil, 404, "No such session"},
		"slash in a user":      {"DELETE", "/users/..%2f..%2fana", "", nil, 400, "user"},
		"invalid user":         {"DELETE", "/users/%ff%fe", "", nil, 400, "user"},
		"recall of nobody":     {"GET", "/recall?q=a", "", nil, 400, "user"},
		"recall of nothing":    {"GET", "/recall?user=ana", "", nil, 400, `\"q\"`},
		"negative limit":       {"GET", "/recall?user=ana&q=a&limit=-1", "", nil, 400, "limit"},
		"no limit":             {"GET", "/recall?user=ana&q=a&limit=", "", nil, 400, "limit"},
		"huge limit":           {"GET", "/recall?user=ana&q=a&limit=99999999999999999999", "", nil, 400, "limit"},
		"NaN limit":            {"GET", "/recall?user=ana&q=a&limit=NaN", "", nil, 400, "limit"},
		"fraction of a limit":  {"GET", "/recall?user=ana&q=a&limit=1.5", "", nil, 400, "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			w, body := r.do(t, c.method, c.path, c.body, c.headers...)
			if w.StatusCode != c.status || w.Header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s %s, want %d as a problem", w.StatusCode, w.Header.Get("Content-Type"), body, c.status)
			}
			if !strings.Contains(body, c.holds) {
				t.Errorf("%s does not say %q", body, c.holds)
			}
			if c.status == http.StatusMethodNotAllowed && w.Header.Get("Allow") == "" {
				t.Error("it does not say which method is allowed")
			}
		})
	}
	r.say(t, `{"message":"Are you well?","user":"ana"}`)
}

func TestWhatIsMissingOfARouteIsToldInItsDialect(t *testing.T) {
	r := start(t, nil)
	for path, allow := range map[string]string{"/chat": "POST", "/sessions/s": "DELETE, GET, HEAD", "/healthz": "GET, HEAD"} {
		if w, _ := r.do(t, http.MethodPatch, path, ""); w.Header.Get("Allow") != allow {
			t.Errorf("%s allows %q, want %q", path, w.Header.Get("Allow"), allow)
		}
	}
	if w, body := r.do(t, http.MethodGet, "/v1/nothing", ""); w.StatusCode != http.StatusNotFound || !strings.Contains(body, `"code":"unknown_url"`) {
		t.Errorf("%d %s", w.StatusCode, body)
	}
}

func TestEveryAnswerTellsBrowsersWhatTheyMayDo(t *testing.T) {
	r := start(t, nil)
	for _, path := range []string{"/", "/assets/chat.js", "/sessions/none", "/none", "/healthz"} {
		w, _ := r.do(t, http.MethodGet, path, "")
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy"} {
			if w.Header.Get(name) == "" {
				t.Errorf("%s has no %s", path, name)
			}
		}
		if !strings.Contains(w.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s may be framed", path)
		}
	}
}

func TestABodyThatIsHalfSentDoesNotHoldAnything(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the body's time to run out")
	}
	r := start(t, nil)
	connection, err := net.Dial("tcp", r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, _ = fmt.Fprintf(connection, "POST /chat HTTP/1.1\r\nHost: chat\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"message\":")
	w, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	if w.StatusCode != http.StatusRequestTimeout || w.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", w.StatusCode, w.Header)
	}
}

func TestABodySentByteByByteIsTaken(t *testing.T) {
	r := start(t, nil)
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/chat", iotest.OneByteReader(strings.NewReader(`{"message":"Hello"}`)))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json; charset=utf-8")
	w, err := r.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	if w.StatusCode != http.StatusOK {
		t.Errorf("got %d", w.StatusCode)
	}
}

func TestACallerWhoUsedTheirShareIsToldWhenToComeBack(t *testing.T) {
	sum := sha256.Sum256([]byte("sesame"))
	keys := "keys: [{name: shop, sha256: " + hex.EncodeToString(sum[:]) + ", routes: [chat, internal], limits: {chat: {per_minute: 1, burst: 2}}}]"
	r := start(t, func(c *chat.Config) { c.KeysFile = file(t, "keys.yaml", keys) })
	key := []string{"Authorization", "Bearer sesame"}
	for range 2 {
		if w, body := r.do(t, http.MethodPost, "/chat", `{"message":"Hello"}`, key...); w.StatusCode != http.StatusOK || w.Header.Get("RateLimit") == "" {
			t.Fatalf("%d %v %s", w.StatusCode, w.Header, body)
		}
	}
	for path, body := range map[string]string{"/chat": `{"message":"Hello"}`, "/v1/chat/completions": `{"messages":[{"role":"user","content":"Hello"}]}`} {
		w, text := r.do(t, http.MethodPost, path, body, key...)
		if w.StatusCode != http.StatusTooManyRequests || w.Header.Get("Retry-After") == "" || !strings.HasPrefix(w.Header.Get("RateLimit"), `"chat";r=0;t=`) ||
			!strings.HasPrefix(w.Header.Get("RateLimit-Policy"), `"chat";q=1;w=60`) {
			t.Errorf("%s: %d %v %s", path, w.StatusCode, w.Header, text)
		}
	}
	if w, body := r.do(t, http.MethodGet, "/recall?user=ana&q=a", "", key...); w.StatusCode != http.StatusOK {
		t.Errorf("another class of routes is limited too: %d %s", w.StatusCode, body)
	}
	if w, body := r.do(t, http.MethodGet, "/recall?user=ana&q=a", ""); w.StatusCode != http.StatusUnauthorized {
		t.Errorf("recall without a key: %d %s", w.StatusCode, body)
	}
	if w, body := r.do(t, http.MethodPost, "/v1/chat/completions", `{}`, "Authorization", "Bearer other"); w.StatusCode != http.StatusUnauthorized || !strings.Contains(body, `"invalid_api_key"`) {
		t.Errorf("an unknown key: %d %s", w.StatusCode, body)
	}
}
