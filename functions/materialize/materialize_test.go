package materialize_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/functions/materialize"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openStore(t testing.TB) graph.Store {
	t.Helper()
	store, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "graph.db"))
	return kept(t, store, err)
}

func kept(t testing.TB, store graph.Store, err error) graph.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// stores are what tests of the graph run over: the embedded one and, where there is one, Neo4j.
func stores(t testing.TB) map[string]graph.Store {
	t.Helper()
	all := map[string]graph.Store{"embedded": openStore(t)}
	if uri := os.Getenv("AGUANTE_TEST_NEO4J_URI"); uri != "" {
		store, err := neo4j.Open(t.Context(), neo4j.Config{URI: uri})
		all["neo4j"] = kept(t, store, err)
	}
	return all
}

func open(t testing.TB, store graph.Store) http.Handler {
	t.Helper()
	f, err := materialize.New(t.Context(), materialize.Config{Graph: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f.Handler
}

// turn is the event of one turn by one user.
func turn(user, id, text string) string {
	data, _ := json.Marshal(graph.Turn{ID: id, SessionID: "s", User: user, Messages: []graph.Message{{Role: "user", Content: text, At: time.Date(2025, 5, 3, 10, 0, 0, 0, time.UTC)}}})
	return envelope(event.TurnCompleted, id, 0, string(data))
}

func envelope(typ, id string, hops int, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/chat","type":%q,"subject":"s","time":"2025-05-03T10:00:01Z","hops":%d,
		"datacontenttype":"application/json","data":%s}`, id, typ, hops, data)
}

func post(h http.Handler, body string) *http.Response {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/cloudevents+json")
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestTurnIsInTheGraphOnceItIsAnswered(t *testing.T) {
	store := openStore(t)
	h := open(t, store)
	answer := post(h, turn("ana", "t1", "My sister Lucía lives in Cuenca."))
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Ce-Type") != event.TurnMaterialized || answer.Header.Get("Ce-Hops") != "1" {
		t.Errorf("answered %d, %v", answer.StatusCode, answer.Header)
	}
	items, err := store.Recall(t.Context(), graph.Query{User: "ana", Text: "Where does Lucía live?", Limit: 5})
	if err != nil || len(items) != 1 || items[0].Fact == nil || items[0].Fact.Object != "Cuenca" {
		t.Errorf("recalled %+v, %v", items, err)
	}
}

func TestRedeliveryIsTakenAndChangesNothing(t *testing.T) {
	store := openStore(t)
	h := open(t, store)
	for range 10 {
		if answer := post(h, turn("ana", "t1", "I live in Quito.")); answer.StatusCode != http.StatusOK {
			t.Errorf("answered %d", answer.StatusCode)
		}
	}
	if facts, err := store.Facts(t.Context(), "ana"); err != nil || len(facts) != 1 {
		t.Errorf("facts %+v, %v", facts, err)
	}
}

func TestEventsThatNeverCanBeTakenAreRefusedForGood(t *testing.T) {
	h := open(t, openStore(t))
	long := strings.Repeat("a", 2<<20)
	cases := []struct{ name, body string }{
		{"no user", turn("", "t1", "hi")},
		{"no turn id", turn("ana", "", "hi")},
		{"no words", turn("ana", "t1", "")},
		{"long id", turn(strings.Repeat("a", 129), "t1", "hi")},
		{"control characters", turn("a\u0007b", "t1", "hi")},
		{"two megabytes", turn("ana", "t1", long)},
		{"user that is a path", turn("../ana", "t1", "hi")},
		{"wrong types", envelope(event.TurnCompleted, "e", 0, `{"turn_id":7}`)},
		{"a list", envelope(event.TurnCompleted, "e", 0, `[]`)},
		{"no messages", envelope(event.TurnCompleted, "e", 0, `{"turn_id":"t","user":"u","messages":[]}`)},
		{"absurd date", envelope(event.TurnCompleted, "e", 0, `{"turn_id":"t","user":"u","messages":[{"role":"user","content":"x","at":"0001-02-03T00:00:00Z"}]}`)},
		{"no role", envelope(event.TurnCompleted, "e", 0, `{"turn_id":"t","user":"u","messages":[{"content":"x"}]}`)},
		{"unknown type", envelope("dev.example.other", "e", 0, `{}`)},
		{"its own", envelope(event.TurnMaterialized, "e", 1, `{}`)},
		{"too many hops", envelope(event.TurnCompleted, "e", 4, `{}`)},
		{"forget nobody", envelope(event.UserForgotten, "e", 0, `{}`)},
		{"no event", `{"hello":"world"}`},
		{"half an event", `{"specversion":"1.0","id":"e"`},
	}
	retried := map[int]bool{404: true, 408: true, 409: true, 429: true}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer := post(h, c.body)
			if s := answer.StatusCode; s < 400 || s > 499 || retried[s] {
				t.Errorf("a broker would send it again: %d", s)
			}
			if kind := answer.Header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("answered as %s", kind)
			}
		})
	}
	if answer := post(h, turn("ana", "t1", "hi")); answer.StatusCode != http.StatusOK {
		t.Errorf("a good event after the bad ones: %d", answer.StatusCode)
	}
}

func TestForgottenUserStaysForgottenWhenOldEventsComeLate(t *testing.T) {
	store := openStore(t)
	h := open(t, store)
	post(h, turn("ana", "t1", "I live in Quito."))
	if answer := post(h, envelope(event.UserForgotten, "f", 0, `{"user":"ana","at":"2025-05-03T11:00:00Z"}`)); answer.StatusCode != http.StatusAccepted {
		t.Fatalf("forget: %d", answer.StatusCode)
	}
	if answer := post(h, turn("ana", "t2", "I live in Lima.")); answer.StatusCode != http.StatusAccepted {
		t.Errorf("a late turn: %d", answer.StatusCode)
	}
	if items, err := store.Recall(t.Context(), graph.Query{User: "ana", Text: "live Quito Lima", Limit: 5}); err != nil || len(items) > 0 {
		t.Errorf("recalled %+v, %v", items, err)
	}
}

// moody is a store that refuses as told.
type moody struct {
	graph.Store
	err    atomic.Pointer[error]
	writes atomic.Int32
}

func (m *moody) Write(ctx context.Context, w []graph.Write) ([]graph.Written, error) {
	m.writes.Add(1)
	if err := m.err.Load(); err != nil {
		return nil, *err
	}
	return m.Store.Write(ctx, w)
}

func (m *moody) Ping(ctx context.Context) error {
	if err := m.err.Load(); err != nil {
		return *err
	}
	return m.Store.Ping(ctx)
}

func TestStoreThatIsDownMeansSendItAgain(t *testing.T) {
	down := errors.New("connection refused")
	store := &moody{Store: openStore(t)}
	store.err.Store(&down)
	h := open(t, store)
	for range 8 { // past the breaker's opening
		answer := post(h, turn("ana", "t1", "I live in Quito."))
		if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
			t.Errorf("answered %d, %v", answer.StatusCode, answer.Header)
		}
	}
	if n := store.writes.Load(); n > 5 {
		t.Errorf("an open breaker let %d writes through", n)
	}
}

func TestFlagOffTakesEventsAndWritesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.yaml")
	if err := os.WriteFile(file, []byte("materializers-enabled: false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := &moody{Store: openStore(t)}
	f, err := materialize.New(t.Context(), materialize.Config{Common: serve.Common{FlagsFile: file}, Graph: store})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(context.Background())
	if answer := post(f.Handler, turn("ana", "t1", "hello")); answer.StatusCode != http.StatusAccepted || store.writes.Load() > 0 {
		t.Errorf("answered %d, %d writes", answer.StatusCode, store.writes.Load())
	}
}

func TestABadFlagsFileStopsNoStartUnlessSomebodyIsLooking(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.yaml")
	if err := os.WriteFile(file, []byte("materializers-enable: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := materialize.Config{Common: serve.Common{FlagsFile: file}, Graph: openStore(t)}
	f, err := materialize.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(context.Background())
	if answer := post(f.Handler, turn("ana", "t1", "hello")); answer.StatusCode != http.StatusOK {
		t.Errorf("answered %d", answer.StatusCode)
	}
	if async := f.Health().Zones[limits.ZoneAsync]; async.State != "degraded" || async.Dependencies[0].Dependency != "flags file" {
		t.Errorf("/health: %+v", async)
	}
	c.Strict = true
	if _, err := materialize.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "flags file") {
		t.Errorf("strictly: %v", err)
	}
}

func TestBinaryEventsAreTakenToo(t *testing.T) {
	h := open(t, openStore(t))
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"turn_id":"t1","user":"ana","messages":[{"role":"user","content":"I live in Quito."}]}`))
	for name, value := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "e1", "Ce-Source": "/elsewhere", "Ce-Type": event.TurnCompleted, "Ce-Subject": "s9", "Content-Type": "application/json"} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if body, _ := io.ReadAll(w.Body); w.Code != http.StatusOK || !bytes.Contains(body, []byte(`"session_id":"s9"`)) {
		t.Errorf("answered %d: %s", w.Code, body)
	}
}

func TestEveryEventIsCountedByWhatBecameOfIt(t *testing.T) {
	tel := telemetry.Nop()
	down := errors.New("connection refused")
	store := &moody{Store: openStore(t)}
	f, err := materialize.New(t.Context(), materialize.Config{Graph: store, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(context.Background())
	post(f.Handler, turn("ana", "t1", "hello"))
	post(f.Handler, turn("ana", "t1", "hello"))
	post(f.Handler, turn("ana", "t2", ""))
	post(f.Handler, envelope(event.UserForgotten, "f", 0, `{"user":"ana","at":"2025-05-03T11:00:00Z"}`))
	post(f.Handler, turn("ana", "t3", "hello"))
	store.err.Store(&down)
	post(f.Handler, turn("ben", "t1", "hello"))
	for outcome, want := range map[string]float64{"written": 1, "duplicate": 1, "refused": 1, "erased": 1, "forgotten": 1, "failed": 1, "skipped": 0} {
		if got := testutil.ToFloat64(tel.Metrics.Materialized.WithLabelValues(outcome)); got != want {
			t.Errorf("%v are %s, want %v", got, outcome, want)
		}
	}
	if n := testutil.ToFloat64(tel.Metrics.BacklogTurns); n != 0 {
		t.Errorf("a backlog of %v is left", n)
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.yaml")
	if err := os.WriteFile(file, []byte("materializers-enabled: true\nmaterializers-percentage: 100\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	down := errors.New("connection refused")
	store := &moody{Store: openStore(t)}
	store.err.Store(&down)
	f, err := materialize.New(t.Context(), materialize.Config{Common: serve.Common{FlagsFile: file}, Graph: store, Neo4jURI: "bolt://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(context.Background())
	if h := f.Health(); h.Status != "ok" {
		t.Errorf("at the start: %+v", h)
	}
	for n := range limits.Neo4jWrite.Breaker.Failures {
		post(f.Handler, turn("ana", fmt.Sprint(n), "hello"))
	}
	_ = os.WriteFile(file, []byte("materializers-percentage: 900\n"), 0o600)
	for range 50 { // the file is read again every second
		if len(f.Health().Zones[limits.ZoneAsync].Dependencies) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	h := f.Health()
	if graph := h.Zones[limits.ZoneGraph]; graph.State != "degraded" {
		t.Errorf("the graph is down: %+v", graph)
	}
	if async := h.Zones[limits.ZoneAsync]; async.State != "degraded" || async.Dependencies[0].Dependency != "flags file" {
		t.Errorf("the flags file is bad: %+v", async)
	}
}
