package page

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/shared/decision"
)

func TestSentencesTellWhatHappenedAndWhy(t *testing.T) {
	fallback := func(stage, dependency string, chain ...string) decision.Decision {
		return decision.Decision{Stage: stage, Outcome: decision.Fallback, Dependency: dependency, FallbackChain: chain}
	}
	for want, trace := range map[string]decision.Trace{
		"Answered by the local engine in 12 ms.": {Engine: "local", Outcome: "success", DurationMS: 12},
		"Answered by the local engine in 12 ms; the graph was skipped because its breaker is open.": {
			Engine: "local", Outcome: "fallback", DurationMS: 12, Decisions: []decision.Decision{fallback("recall", "neo4j", "neo4j: open")}},
		"Answered by local-2 in 1.5 s; primary was passed over because it did not answer in time.": {
			Engine: "local-2", Outcome: "fallback", DurationMS: 1500, Decisions: []decision.Decision{fallback("answer", "primary", "primary: timeout", "second: error")}},
		"Answered by the local engine in 3 ms; Redis was left out because there is none; the broker was not reached because it failed.": {
			Engine: "local", Outcome: "fallback", DurationMS: 3, Decisions: []decision.Decision{
				fallback("admit", "redis", "redis: not configured"), fallback("recall", "redis", "redis: not configured"), fallback("record", "broker", "broker: error")}},
		"Answered by the local engine in 3 ms; the graph was skipped because of this: moon phase.": {
			Engine: "local", Outcome: "fallback", DurationMS: 3, Decisions: []decision.Decision{fallback("recall", "", "neo4j: moon phase")}},
		"Answered by the local engine in 3 ms; record failed.": {
			Engine: "local", Outcome: "failure", DurationMS: 3, Decisions: []decision.Decision{{Stage: "record", Outcome: "failure", Error: "encode"}}},
		"Refused after 0.9 ms: rate limit used up.": {Outcome: "refused", DurationMS: 0.9,
			Decisions: []decision.Decision{{Stage: "admit", Outcome: "refused", Error: "admit: rate limit used up"}}},
		"Failed after 15 s: the turn's deadline passed.": {Outcome: "failure", DurationMS: 15000, Decisions: []decision.Decision{
			fallback("recall", "neo4j", "neo4j: open"), {Stage: "answer", Outcome: "failure", Error: "answer: the turn's deadline passed"}}},
		"Done in 0 ms.": {Outcome: "success"},
	} {
		if got := sentence(trace); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestSpansReadAsPeopleSayThem(t *testing.T) {
	for ms, want := range map[float64]string{0: "0 ms", 0.004: "< 0.1 ms", 0.44: "0.4 ms", 9.99: "10 ms", 12.3: "12 ms", 999.4: "999 ms",
		1240: "1.24 s", 15000: "15 s", 99_000: "99 s", 600_000: "10 min"} {
		if got := span(ms); got != want {
			t.Errorf("%v: got %s, want %s", ms, got, want)
		}
	}
	for share, want := range map[float64]string{0: "0 %", 0.00001: "< 0.1 %", 0.0008: "< 0.1 %", 0.014: "1.4 %", 0.33: "33 %", 1.5: "150 %"} {
		if got := percent(share); got != want {
			t.Errorf("%v: got %s, want %s", share, got, want)
		}
	}
}

func TestPlainShowsWhatHidesAndCutsWhatIsLong(t *testing.T) {
	for s, want := range map[string]string{
		"Lucía de Cuenca":       "Lucía de Cuenca",
		"مريم":                  "مريم",
		"👩‍🚀":                   "👩‍🚀",
		"exe\u202egnp":          "exe\uFFFDgnp",
		"a\u2066b\u200fc\u061c": "a\uFFFDb\uFFFDc\uFFFD",
		"tab\tand\nline":        "tab and line",
		"nul\x00 esc\x1b":       "nul\uFFFD esc\uFFFD",
		"bad \xff utf":          "bad \uFFFD utf",
		"zero\u200bwidth":       "zero\uFFFDwidth",
	} {
		if got := plain(s, 100); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	if got := plain(strings.Repeat("ñ", 130), 120); !strings.HasSuffix(got, "… (20 B more)") {
		t.Errorf("got %q", got)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("plain", 10)
	f.Add("\u202e\xff\x00", 2)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + abs(limit)%1000
		got := plain(s, limit)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\n\r") {
			t.Fatalf("%q became %q", s, got)
		}
		if n := utf8.RuneCountInString(got); n > limit+32 {
			t.Fatalf("%d characters of at most %d", n, limit)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
