package materialize_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/materialize"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/shared/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openStore(t testing.TB) graph.Store {
	t.Helper()
	store, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "graph.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
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

func TestAnyOrderAndRepetitionLeaveTheSameGraph(t *testing.T) {
	texts := []string{"I live in Quito.", "I moved to Lima.", "I no longer live in Quito", "My sister Lucía lives in Cuenca.", "I love jazz", "I work at Initech", "I quit my job at Initech"}
	rapid.Check(t, func(r *rapid.T) {
		order := rapid.SliceOfN(rapid.IntRange(0, len(texts)-1), 1, 20).Draw(r, "order")
		first, second := openStore(t), openStore(t)
		a, b := open(t, first), open(t, second)
		for _, n := range order {
			post(a, dated(n, texts[n]))
		}
		var group sync.WaitGroup
		for i := len(order) - 1; i >= 0; i-- {
			group.Go(func() { post(b, dated(order[i], texts[order[i]])) })
		}
		group.Wait()
		if x, y := dump(t, first), dump(t, second); x != y {
			r.Fatalf("%s\n%s", x, y)
		}
	})
}

// dated is the n-th turn, a minute after the one before.
func dated(n int, text string) string {
	at := time.Date(2025, 5, 3, 10, n, 0, 0, time.UTC)
	data, _ := json.Marshal(graph.Turn{ID: fmt.Sprint(n), SessionID: "s", User: "ana", Messages: []graph.Message{{Role: "user", Content: text, At: at}}})
	return envelope(event.TurnCompleted, fmt.Sprint(n), 0, string(data))
}

func dump(t *testing.T, s graph.Store) string {
	t.Helper()
	facts, err := s.Facts(t.Context(), "ana")
	turns, err2 := s.Session(t.Context(), "ana", "s", 100)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal([]any{facts, turns})
	return string(text)
}

// moody is a store that refuses, or holds writes back, as told.
type moody struct {
	graph.Store
	err    atomic.Pointer[error]
	frozen chan struct{} // nil: not
	writes atomic.Int32
}

func (m *moody) Write(ctx context.Context, w []graph.Write) ([]graph.Written, error) {
	m.writes.Add(1)
	if m.frozen != nil {
		select {
		case <-m.frozen:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := m.err.Load(); err != nil {
		return nil, *err
	}
	return m.Store.Write(ctx, w)
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

func TestWaitersShareOneCommitAndOneWhoLeavesUndoesNothing(t *testing.T) {
	store := &moody{Store: openStore(t), frozen: make(chan struct{})}
	h := open(t, store)
	leaving, leave := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for n := range 40 {
		group.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(turn("ana", fmt.Sprint(n), "hello")))
			r.Header.Set("Content-Type", "application/cloudevents+json")
			if n%4 == 0 {
				r = r.WithContext(leaving)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	for store.writes.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the others join the queue behind the frozen write
	leave()
	close(store.frozen)
	group.Wait()
	turns, err := store.Session(t.Context(), "ana", "s", 100)
	if err != nil || len(turns) < 30 {
		t.Errorf("%d turns of the 30 who stayed, %v", len(turns), err)
	}
	if n := store.writes.Load(); n > 20 {
		t.Errorf("40 turns took %d commits", n)
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

func FuzzEvent(f *testing.F) {
	f.Add(turn("ana", "t1", "My sister Lucía lives in Cuenca."))
	f.Add(envelope(event.UserForgotten, "f", 0, `{"user":"ana"}`))
	f.Add(`{"specversion":"1.0"`)
	store, err := embedded.Open(context.Background(), filepath.Join(f.TempDir(), "graph.db"))
	if err != nil {
		f.Fatal(err)
	}
	h := open(f, store)
	f.Cleanup(func() { _ = store.Close() })
	f.Fuzz(func(t *testing.T, body string) {
		if answer := post(h, body); answer.StatusCode >= 500 {
			t.Errorf("%d for %q", answer.StatusCode, body)
		}
	})
}

var update = flag.Bool("update", false, "write the reference instead of comparing it")

func TestTheConfigReferenceIsCurrent(t *testing.T) {
	const path = "../../docs/reference/config-materialize.md"
	want := "# materialize: configuration\n\nWritten from `functions/materialize/config.go` by `go test ./functions/materialize -update`.\n\n" + serve.ReferenceTable(materialize.Config{})
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is out of date (run make gen): %v", path, err)
	}
}

// conversation is the n-th turn of a long talk that says something new each time.
func conversation(user string, n int64) string {
	return turn(user, fmt.Sprint(n), fmt.Sprintf("My colleague Ana%d lives in Cuenca and works as a nurse. We went to the beach on Sunday, and the kids loved it!", n))
}

// BenchmarkMaterialize is events through the handler into a store, 64 senders at once, as a broker delivers them.
func BenchmarkMaterialize(b *testing.B) {
	stores := map[string]func() graph.Store{"embedded": func() graph.Store { return openStore(b) }}
	if uri := os.Getenv("AGUANTE_TEST_NEO4J_URI"); uri != "" {
		stores["neo4j"] = func() graph.Store {
			store, err := neo4j.Open(b.Context(), neo4j.Config{URI: uri})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = store.Close() })
			return store
		}
	}
	for name, store := range stores {
		b.Run(name, func(b *testing.B) {
			h := open(b, store())
			user := fmt.Sprint("bench-", time.Now().UnixNano())
			var n atomic.Int64
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if answer := post(h, conversation(user, n.Add(1))); answer.StatusCode != http.StatusOK {
						b.Errorf("answered %d", answer.StatusCode)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "turns/s")
		})
	}
}
