package chat_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

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
	eventually(t, "the usual limits are in force", func() bool { w, _ := ask(); return w.StatusCode == http.StatusOK })
	if err := os.WriteFile(path, []byte("spend: {per_day: -1}"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "/health says that the file is bad", func() bool {
		ask() // a file is looked at while somebody asks
		_, health := r.do(t, http.MethodGet, "/health", "")
		return strings.Contains(health, "limits file") && strings.Contains(health, "per_day")
	})
}
