package chat_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/chat"
)

func TestAChangedLimitsFileHoldsWithoutARestart(t *testing.T) {
	path := file(t, "limits.yaml", "rates: {anonymous: {per_minute: 1, burst: 1}}")
	r := start(t, func(c *chat.Config) { c.LimitsFile = path })
	ask := func() (*http.Response, string) { return r.do(t, http.MethodPost, "/chat", `{"message":"Hello"}`) }
	if w, body := ask(); w.StatusCode != http.StatusOK {
		t.Fatalf("the first: %d %s", w.StatusCode, body)
	}
	if w, body := ask(); w.StatusCode != http.StatusTooManyRequests || !strings.Contains(w.Header.Get("RateLimit-Policy"), "q=1;w=60;burst=1") {
		t.Fatalf("the second: %d %v %s", w.StatusCode, w.Header, body)
	}
	if err := os.WriteFile(path, []byte("# as usual\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for w, body := ask(); w.StatusCode != http.StatusOK; w, body = ask() {
		if time.Now().After(deadline) {
			t.Fatalf("after the change: %d %s", w.StatusCode, body)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := os.WriteFile(path, []byte("spend: {per_day: -1}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for {
		ask() // a file is looked at while somebody asks
		if _, health := r.do(t, http.MethodGet, "/health", ""); strings.Contains(health, "limits file") && strings.Contains(health, "per_day") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("/health does not say that the file is bad: %s", health)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
