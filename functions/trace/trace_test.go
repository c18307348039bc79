package trace

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/functions/trace/internal/store/redis"
	"github.com/aguante-chat/aguante/functions/trace/internal/store/sqlite"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("AGUANTE_TRACE_TEST_DIR"); dir != "" {
		victim(Config{DataDir: dir, RedisURL: os.Getenv("AGUANTE_TRACE_TEST_REDIS")})
		return
	}
	// The stores and the broker have all the time they need, for this machine may be slow.
	redis.Dependency.Timeout, sqlite.Dependency.Timeout, limits.Broker.Timeout = 20*time.Second, 20*time.Second, time.Minute
	goleak.VerifyTestMain(m)
}

// hurry gives Redis and the broker a second until t ends, which what is frozen need not outwait.
func hurry(t *testing.T) {
	store, broker := redis.Dependency.Timeout, limits.Broker.Timeout
	redis.Dependency.Timeout, limits.Broker.Timeout = time.Second, time.Second
	t.Cleanup(func() { redis.Dependency.Timeout, limits.Broker.Timeout = store, broker })
}

// running is trace behind a real listener.
type running struct {
	t         *testing.T
	url       string
	function  *serve.Function
	telemetry *telemetry.Telemetry
}

// everyonesRedis is what run uses when a test names none; empty: a file.
var everyonesRedis string

func run(t *testing.T, c Config) *running {
	t.Helper()
	c.RedisURL = cmp.Or(c.RedisURL, everyonesRedis)
	if c.DataDir == "" {
		c.DataDir = t.TempDir()
	}
	c.Telemetry = telemetry.Nop()
	f, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f.Handler)
	t.Cleanup(func() {
		server.Close()
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &running{t, server.URL, f, c.Telemetry}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (r *running) do(method, path, body string, headers ...string) answer {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// send posts an event in binary mode.
func (r *running) send(path, typ, id string, data any, headers ...string) answer {
	r.t.Helper()
	body, raw := data.(string)
	if !raw {
		encoded, err := json.Marshal(data)
		if err != nil {
			r.t.Fatal(err)
		}
		body = string(encoded)
	}
	return r.do(http.MethodPost, path, body, append([]string{"Content-Type", "application/json", "Ce-Specversion", "1.0",
		"Ce-Type", typ, "Ce-Source", "/test", "Ce-Id", id}, headers...)...)
}

func (r *running) decide(traces ...decision.Trace) {
	r.t.Helper()
	for _, one := range traces {
		if a := r.send("/", event.TurnDecided, "decided-"+one.TurnID, one); a.status != http.StatusAccepted || a.body != "" {
			r.t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

func (r *running) turns(query string) []string {
	r.t.Helper()
	var list struct {
		Decisions []struct {
			TurnID string `json:"turn_id"`
		}
	}
	a := r.do(http.MethodGet, "/decisions"+query, "")
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusOK {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
	ids := []string{}
	for _, d := range list.Decisions {
		ids = append(ids, d.TurnID)
	}
	return ids
}

// problem checks that a is a problem document with that status, and returns its detail.
func (r *running) problem(a answer, status int) string {
	r.t.Helper()
	var problem struct {
		Status int
		Detail string
	}
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" ||
		json.Unmarshal([]byte(a.body), &problem) != nil || problem.Status != status {
		r.t.Fatalf("want a problem document with %d, got %d: %s", status, a.status, a.body)
	}
	return problem.Detail
}

func turn(id, user string, began time.Time) decision.Trace {
	return decision.Trace{
		TurnID: id, SessionID: "s-" + user, User: user, Engine: "local", Outcome: decision.Fallback, Level: 3,
		StartedAt: began, DurationMS: 12, BudgetMS: 15000, Content: []string{"my secret"},
		Decisions: []decision.Decision{
			{Stage: decision.Admit, Kind: decision.Policy, Selected: "let in", Outcome: decision.Success, LatencyMS: 1},
			{Stage: decision.Recall, Kind: decision.Routing, Selected: "cached recall: 2 items", Outcome: decision.Fallback,
				FallbackChain: []string{"neo4j: open"}, Dependency: "neo4j", OffsetMS: 1, LatencyMS: 2},
		},
	}
}

var today = time.Now().UTC().Truncate(time.Millisecond)

func TestADecidedTurnIsListedAndToldOnce(t *testing.T) {
	r := run(t, Config{})
	r.decide(turn("t1", "ana", today), turn("t1", "ana", today))
	if ids := r.turns(""); len(ids) != 1 || ids[0] != "t1" {
		t.Fatalf("listed %v", ids)
	}
	a := r.do(http.MethodGet, "/decisions/t1", "")
	var got decision.Trace
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got.Decisions) != 2 || got.Content != nil {
		t.Fatalf("%v %s", err, a.body)
	}
	r.problem(r.do(http.MethodGet, "/decisions/t2", ""), http.StatusNotFound)
}

func TestATurnIDOfTwoUsersAsksWhose(t *testing.T) {
	r := run(t, Config{})
	r.decide(turn("D1:1", "ana", today), turn("D1:1", "eva", today))
	r.problem(r.do(http.MethodGet, "/decisions/D1:1", ""), http.StatusConflict)
	if a := r.do(http.MethodGet, "/decisions/D1:1?user=eva", ""); a.status != http.StatusOK || !strings.Contains(a.body, `"s-eva"`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

func TestOddTurnIDsAreFound(t *testing.T) {
	r, began := run(t, Config{}), today
	for _, id := range []string{"a/b", "a b", "ñ", "%2F", "?x=1", "a..b", "..."} {
		r.decide(turn(id, "ana", began))
		page := r.do(http.MethodGet, "/", "").body
		start := strings.Index(page, `href="/turns/`)
		link, _, _ := strings.Cut(page[start+6:], `"`)
		if a := r.do(http.MethodGet, strings.ReplaceAll(link, "&amp;", "&"), ""); a.status != http.StatusOK {
			t.Errorf("%q: %s answered %d", id, link, a.status)
		}
		began = began.Add(time.Millisecond) // to stand first
	}
}

func TestWhatWasSaidIsKeptOnlyWhenAsked(t *testing.T) {
	r := run(t, Config{TraceContent: true})
	r.decide(turn("t1", "ana", today))
	if a := r.do(http.MethodGet, "/decisions/t1", ""); !strings.Contains(a.body, "my secret") {
		t.Fatal(a.body)
	}
	if a := r.do(http.MethodGet, "/turns/t1", ""); !strings.Contains(a.body, "my secret") {
		t.Fatal("the page does not show it")
	}
}

func TestTheListFollowsItsFiltersAndItsNext(t *testing.T) {
	r := run(t, Config{})
	for i := range 7 {
		r.decide(turn(fmt.Sprint(i), "ana", today.Add(-time.Duration(i)*time.Minute)))
	}
	r.decide(turn("old", "eva", today.Add(-3*time.Hour)))
	if ids := r.turns("?user=ana&outcome=fallback&dependency=neo4j&since=1h&session_id=s-ana"); len(ids) != 7 {
		t.Fatalf("%v", ids)
	}
	if ids := r.turns("?dependency=redis"); len(ids) != 0 {
		t.Fatalf("%v", ids)
	}
	seen, path := []string{}, "/decisions?limit=3"
	for path != "" {
		var page struct {
			Decisions []struct {
				TurnID string `json:"turn_id"`
			}
			Next string
		}
		if err := json.Unmarshal([]byte(r.do(http.MethodGet, path, "").body), &page); err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Decisions {
			seen = append(seen, d.TurnID)
		}
		path = page.Next
	}
	if got := strings.Join(seen, " "); got != "0 1 2 3 4 5 6 old" {
		t.Fatal(got)
	}
}

func TestABadFilterIsAProblemThatNamesIt(t *testing.T) {
	r := run(t, Config{})
	for query, want := range map[string]string{
		"limit=-1": "limit", "since=soon": "since", "outcome=great": "outcome", "before=zz": "before", "usr=a": "usr", "user=%zz": "query",
	} {
		if detail := r.problem(r.do(http.MethodGet, "/decisions?"+query, ""), http.StatusBadRequest); !strings.Contains(detail, want) {
			t.Errorf("%s: %s", query, detail)
		}
		if a := r.do(http.MethodGet, "/?"+query, ""); a.status != http.StatusBadRequest || !strings.Contains(a.body, "This filter cannot be read") {
			t.Errorf("the page answers %s with %d", query, a.status)
		}
	}
	r.problem(r.do(http.MethodGet, "/dead-letters?limit=0", ""), http.StatusBadRequest)
}

func TestABadEventIsRefusedForGood(t *testing.T) {
	r := run(t, Config{})
	good := turn("t1", "ana", today)
	unnamed, odd := good, good
	unnamed.TurnID, odd.Outcome = "", "splendid"
	huge := good
	huge.Decisions = []decision.Decision{{Stage: "recall", Outcome: "success", Policy: strings.Repeat("x", 2<<20)}}
	for name, c := range map[string]struct {
		got    answer
		status int
		detail string
	}{
		"malformed":       {r.send("/", event.TurnDecided, "1", "{"), 422, "unexpected end"},
		"no turn":         {r.send("/", event.TurnDecided, "2", unnamed), 422, "turn_id: is missing"},
		"unknown outcome": {r.send("/", event.TurnDecided, "3", odd), 422, "outcome: must be one of"},
		"unknown type":    {r.send("/", "com.example.other", "4", good), 422, "takes no"},
		"no event":        {r.do(http.MethodPost, "/", "{}", "Content-Type", "application/json"), 415, ""},
		"batch":           {r.do(http.MethodPost, "/", "[]", "Content-Type", "application/cloudevents-batch+json"), 415, ""},
		"broken envelope": {r.do(http.MethodPost, "/", "{", "Content-Type", "application/cloudevents+json"), 400, ""},
		"too large":       {r.send("/", event.TurnDecided, "5", huge), 413, ""},
		"too many hops":   {r.send("/", event.TurnDecided, "6", good, "Ce-Hops", "4"), 422, "hops"},
		"forget nobody":   {r.send("/", event.UserForgotten, "7", event.Forgotten{}), 422, "user"},
	} {
		t.Run(name, func(t *testing.T) {
			if detail := r.problem(c.got, c.status); !strings.Contains(detail, c.detail) {
				t.Fatal(detail)
			}
		})
	}
	if ids := r.turns(""); len(ids) != 0 {
		t.Fatalf("kept %v", ids)
	}
	if n := testutil.ToFloat64(r.telemetry.Metrics.HopsRefused); n != 1 {
		t.Fatalf("hops refused: %v", n)
	}
}

func TestADamagedFileIsAnsweredWithSendAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "trace.db"), bytes.Repeat([]byte("rubbish "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, Config{DataDir: dir})
	a := r.send("/", event.TurnDecided, "1", turn("t1", "ana", today))
	if r.problem(a, http.StatusServiceUnavailable); a.header.Get("Retry-After") == "" {
		t.Fatal("no Retry-After")
	}
	r.problem(r.send("/dead-letters", "any", "1", "{}"), http.StatusServiceUnavailable)
	for _, path := range []string{"/decisions", "/decisions/t1", "/dead-letters"} {
		r.problem(r.do(http.MethodGet, path, ""), http.StatusServiceUnavailable)
	}
	for _, path := range []string{"/", "/turns/t1", "/letters"} {
		if a := r.do(http.MethodGet, path, ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "Nothing is lost") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := r.do(http.MethodGet, path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := r.do(http.MethodGet, "/health", ""); !strings.Contains(a.body, `"status":"degraded"`) || !strings.Contains(a.body, "the file is damaged") {
		t.Errorf("/health: %s", a.body)
	}
}
