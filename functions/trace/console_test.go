package trace

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
)

func (r *running) page(path string) string {
	r.t.Helper()
	a := r.do(http.MethodGet, path, "", "Accept", "text/html")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		r.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		r.t.Errorf("%s: policy %q", path, policy)
	}
	if inline := regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`).FindString(a.body); inline != "" {
		r.t.Errorf("%s: the policy forbids %q", path, inline)
	}
	return a.body
}

func TestEmptyPagesSayWhatToDo(t *testing.T) {
	r := run(t, Config{})
	for path, want := range map[string]string{
		"/":                 "No turn has been told yet.",
		"/?outcome=refused": "No turn matches.",
		"/letters":          "No dead letters.",
	} {
		if body := r.page(path); !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
	if a := r.do(http.MethodGet, "/turns/none", ""); a.status != http.StatusNotFound || !strings.Contains(a.body, "No trace of that turn") {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.problem(r.do(http.MethodGet, "/nowhere", ""), http.StatusNotFound)
	a := r.do(http.MethodDelete, "/decisions", "")
	if r.problem(a, http.StatusMethodNotAllowed); a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("allows %q", a.header.Get("Allow"))
	}
}

func TestTheTurnPageTellsTheTurn(t *testing.T) {
	r := run(t, Config{})
	r.decide(turn("t1", "ana", today))
	body := r.page("/turns/t1?user=ana")
	for _, want := range []string{
		"<h1>Answered by the local engine in 12 ms; the graph was skipped because its breaker is open.</h1>",
		"3 · breaker open", "Not chosen", "<bdi>neo4j</bdi>", "its breaker is open", "0.1 % of the cut-off, 2 s", `href="/?session_id=s-ana"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

func TestTheListLinksFiltersAndPages(t *testing.T) {
	r := run(t, Config{})
	for i := range 60 {
		r.decide(turn(string(rune('A'+i)), "ana", today.Add(-time.Duration(i)*time.Second)))
	}
	body := r.page("/?user=ana")
	if n := strings.Count(body, `<tr class="turn">`); n != 50 {
		t.Fatalf("%d turns on a page", n)
	}
	older := regexp.MustCompile(`class="older" href="([^"]+)"`).FindStringSubmatch(body)
	if older == nil {
		t.Fatal("no way to the older ones")
	}
	next := r.page(strings.ReplaceAll(older[1], "&amp;", "&"))
	if n := strings.Count(next, `<tr class="turn">`); n != 10 || !strings.Contains(next, "← Newest") || !strings.Contains(next, `value="ana"`) {
		t.Fatalf("%d older turns", n)
	}
	if !strings.Contains(body, "data-live") || strings.Contains(next, "data-live") {
		t.Error("the newest page alone is kept fresh")
	}
}

// TestHostileTextStaysText puts markup, hidden characters and great lengths into every field.
func TestHostileTextStaysText(t *testing.T) {
	r := run(t, Config{TraceContent: true})
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)> {{.}} javascript:alert(3)` + "\u202e\u2066"
	one := turn("t1", evil, today)
	one.SessionID, one.Engine, one.TraceID, one.Content = evil, evil, evil, []string{evil}
	one.Decisions = []decision.Decision{{Stage: evil, Kind: evil, Selected: strings.Repeat(evil, 1000), Policy: evil, Error: evil, Outcome: "fallback",
		Dependency: evil, FallbackChain: []string{evil, evil + ": " + evil}, Inputs: map[string]any{evil: evil, "deep": []any{map[string]any{evil: evil}}}}}
	r.decide(one)
	r.send("/dead-letters", "evil.type", "d1", evil, "Ce-Knativeerrordata", `<script>alert(1)</script>`, "Ce-Knativeerrordest", `javascript:alert(1)`)
	for _, path := range []string{"/", "/turns/t1", "/letters", "/?dependency=" + url.QueryEscape(`"><script>alert(1)</script>`)} {
		a := r.do(http.MethodGet, path, "")
		if a.status != http.StatusOK || strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, "<img") || strings.Contains(a.body, `href="javascript:`) {
			t.Errorf("%s: %d, markup came through", path, a.status)
		}
		if path == "/turns/t1" && (strings.Contains(strings.ReplaceAll(a.body, "%E2%80%AE", ""), "\u202e") || len(a.body) > 40_000) {
			t.Errorf("%s: hidden characters or %d bytes came through", path, len(a.body))
		}
	}
}

func TestAssetsAreServedAndRevalidated(t *testing.T) {
	r := run(t, Config{})
	for _, path := range []string{"/assets/console.css", "/assets/console.js", "/assets/mark.svg"} {
		a := r.do(http.MethodGet, path, "")
		if a.status != http.StatusOK || a.header.Get("ETag") == "" {
			t.Errorf("%s: %d", path, a.status)
		}
		if again := r.do(http.MethodGet, path, "", "If-None-Match", a.header.Get("ETag")); again.status != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.status)
		}
	}
}
