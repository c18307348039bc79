package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, o Options, path string, headers map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	if err := Register(mux, o); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func TestEveryFileHasItsTypeAndAPolicy(t *testing.T) {
	for path, contentType := range map[string]string{
		"/":                "text/html; charset=utf-8",
		"/assets/chat.css": "text/css; charset=utf-8",
		"/assets/chat.js":  "text/javascript; charset=utf-8",
		"/assets/mark.svg": "image/svg+xml",
	} {
		w := get(t, Options{}, path, nil)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType {
			t.Errorf("%s: %d %q, want 200 %q", path, w.Code, w.Header().Get("Content-Type"), contentType)
		}
		if w.Header().Get("Content-Security-Policy") != Policy {
			t.Errorf("%s has no content security policy", path)
		}
	}
}

func TestAnUnchangedFileIsNotSentAgain(t *testing.T) {
	first := get(t, Options{}, "/assets/chat.js", nil)
	again := get(t, Options{}, "/assets/chat.js", map[string]string{"If-None-Match": first.Header().Get("ETag")})
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes, want 304 with none", again.Code, again.Body.Len())
	}
}

func TestThePageKeepsToItsPolicy(t *testing.T) {
	body := get(t, Options{}, "/", nil).Body.String()
	for _, inline := range []string{"<style", " style=", "onclick=", "javascript:", "<script>"} {
		if strings.Contains(body, inline) {
			t.Errorf("the page holds %q, which its policy forbids", inline)
		}
	}
	for _, elsewhere := range []string{"http://", "https://", `"//`} {
		if strings.Contains(body, elsewhere) {
			t.Errorf("the page asks another host: it holds %q", elsewhere)
		}
	}
}

func TestTheConsoleAddressCannotBreakOutOfItsAttribute(t *testing.T) {
	body := get(t, Options{TraceURL: `https://trace.example/"><script>`}, "/", nil).Body.String()
	if strings.Contains(body, `"><script>`) || !strings.Contains(body, "https://trace.example/") {
		t.Error("the trace URL is not escaped, or not there")
	}
}
