package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("knative.dev/eventing/pkg/kncloudevents.cleanupClientsMap"))
}

// manifest is a broker that is quick to try again; its first trigger's name and what a delivery may take are each test's.
const manifest = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec:
  delivery:
    retry: 2
    timeout: %[2]s
    backoffPolicy: exponential
    backoffDelay: PT0.01S
    retryAfterMax: PT1S
    deadLetterSink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: sink}, uri: /dead-letters}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: %[1]s}
spec:
  broker: default
  filters: [{any: [{exact: {type: a}}, {exact: {type: both}}]}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: first}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: second}
spec:
  broker: default
  filters: [{any: [{exact: {type: b}}, {exact: {type: both}}]}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: second}}
`

// subscriber is a real HTTP server that receives events and answers as told.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	got    []event.Event
	times  []time.Time
	answer func(attempt int, w http.ResponseWriter, r *http.Request)
}

func (s *subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := event.Read(w, r)
	if err != nil {
		event.Refuse(w, r, err)
		return
	}
	s.mu.Lock()
	s.got, s.times = append(s.got, e), append(s.times, time.Now())
	attempt := len(s.got)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(attempt, w, r)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *subscriber) events() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event.Event(nil), s.got...)
}

func (s *subscriber) answers(answer func(attempt int, w http.ResponseWriter, r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// bench is a broker with its two subscribers and its dead-letter sink.
type bench struct {
	*httptest.Server
	function            *serve.Function
	telemetry           *telemetry.Telemetry
	first, second, sink *subscriber
	journal, trigger    string // the file; the first trigger's name
	timeout             string // of a delivery: so long that a slow machine cuts none off, but where that is tested
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{journal: filepath.Join(t.TempDir(), "broker.db"), trigger: "first", timeout: "PT30S", telemetry: telemetry.Nop()}
	for _, s := range []**subscriber{&b.first, &b.second, &b.sink} {
		*s = &subscriber{}
		(*s).Server = httptest.NewServer(*s)
		t.Cleanup((*s).Close)
	}
	return b
}

// run starts the broker on the bench's journal.
func (b *bench) run(t testing.TB) *bench {
	t.Helper()
	return b.start(t, fmt.Sprintf(manifest, b.trigger, b.timeout), map[string]string{"first": b.first.URL, "second": b.second.URL, "sink": b.sink.URL})
}

// start starts a broker of another manifest.
func (b *bench) start(t testing.TB, manifest string, services map[string]string) *bench {
	t.Helper()
	f, err := New(t.Context(), Config{Journal: b.journal, Telemetry: b.telemetry,
		Manifests: fstest.MapFS{"all.yaml": {Data: []byte(manifest)}}, Services: services})
	if err != nil {
		t.Fatal(err)
	}
	b.function, b.Server = f, httptest.NewServer(f.Handler)
	t.Cleanup(b.kill)
	return b
}

// kill ends the broker without waiting for anything to be delivered.
func (b *bench) kill() {
	if b.function == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	b.Close()
	_ = b.function.Close(now)
	b.function = nil
}

func (b *bench) send(t testing.TB, typ, id string) {
	t.Helper()
	b.post(t, typ, id, map[string]string{"id": id})
}

func (b *bench) post(t testing.TB, typ, id string, data any) {
	t.Helper()
	e, err := event.New(typ, "/test", id, "s1", 0, data)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := e.MarshalJSON()
	if code := post(t, b.URL, "application/cloudevents+json", string(body)); code != http.StatusAccepted {
		t.Fatalf("event %s: %d", id, code)
	}
}

func post(t testing.TB, url, contentType, body string) int {
	t.Helper()
	answer, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

func (s *subscriber) has(n int) func() bool { return func() bool { return len(s.events()) >= n } }

func extension(e event.Event, name string) string { return fmt.Sprint(e.Extensions()[name]) }

// idle waits until the journal holds nothing.
func (b *bench) idle(t testing.TB) {
	t.Helper()
	j, err := openJournal(t.Context(), b.journal)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	eventually(t, "the journal is empty", func() bool {
		var n int
		if err := j.readDB.QueryRow("SELECT count(*) FROM events").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

func data(t testing.TB, e event.Event) map[string]string {
	t.Helper()
	var m map[string]string
	if err := json.Unmarshal(e.Data(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}
