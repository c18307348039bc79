package broker

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/materialize"
	"github.com/aguante-chat/aguante/functions/trace"
	"github.com/aguante-chat/aguante/shared/event"
	memory "github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// circle adds to a broker what nobody should: one trigger that gives materialize its own events, and one to a summariser
// whose summaries are turns, which are materialized, of which it hears.
const circle = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec:
  delivery:
    deadLetterSink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: trace}, uri: /dead-letters}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: materialize}
spec:
  broker: default
  filters: [{exact: {type: dev.aguante.turn.completed.v1}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: materialize}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: itself}
spec:
  broker: default
  filters: [{exact: {type: dev.aguante.turn.materialized.v1}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: materialize}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: summariser}
spec:
  broker: default
  filters: [{exact: {type: dev.aguante.turn.materialized.v1}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: summariser}}
`

func TestMaterializeThatIsFedItsOwnEventsStopsWithinThreeHops(t *testing.T) {
	told := telemetry.Nop()
	graph, err := memory.Open(t.Context(), filepath.Join(t.TempDir(), "graph.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = graph.Close() })
	summaries := 0
	summariser := httptest.NewServer(event.Handler("/summariser", func(_ context.Context, e event.Event) (*event.Event, error) {
		summaries++
		summary, err := event.New(event.TurnCompleted, "/summariser", e.ID(), "s1", 0, map[string]any{
			"turn_id": fmt.Sprint("summary-", summaries), "session_id": "s1", "user": "ana",
			"messages": []map[string]any{{"role": "user", "content": "Ana talked.", "at": time.Now()}}})
		return &summary, err
	}, event.HandlerOptions{}))
	t.Cleanup(summariser.Close)
	m := served(t)(materialize.New(t.Context(), materialize.Config{Graph: graph, Telemetry: told}))
	letters := served(t)(trace.New(t.Context(), trace.Config{DataDir: t.TempDir(), Telemetry: told}))
	b := &bench{journal: filepath.Join(t.TempDir(), "broker.db"), telemetry: told}
	b.start(t, circle, map[string]string{"materialize": m, "trace": letters, "summariser": summariser.URL})

	b.post(t, event.TurnCompleted, "t1", map[string]any{"turn_id": "t1", "session_id": "s1", "user": "ana",
		"messages": []map[string]any{{"role": "user", "content": "I live in Loja.", "at": time.Now()}}})
	b.idle(t)
	turns, err := graph.Session(t.Context(), "ana", "s1", 100)
	if err != nil || len(turns) != 2 || summaries != 2 { // hops 0 and 2; its own events went 1 and 3
		t.Errorf("%d turns are in the graph, %d summaries were made, %v", len(turns), summaries, err)
	}
	if n := testutil.ToFloat64(told.Metrics.HopsRefused); n != 1 {
		t.Errorf("aguante_hops_refused_total is %v", n)
	}
	if n := testutil.ToFloat64(told.Metrics.DeadLetters); n != 3 { // the loop's end, and twice its own event to materialize
		t.Errorf("%v dead letters", n)
	}
	if page := get(t, letters+"/letters"); !strings.Contains(page, "<b>508</b>") || !strings.Contains(page, "too many hops") {
		t.Errorf("the console does not show the loop: %s", page)
	}
}

// served serves a function until the test ends.
func served(t *testing.T) func(*serve.Function, error) string {
	return func(f *serve.Function, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(f.Handler)
		t.Cleanup(func() { s.Close(); _ = f.Close(context.Background()) })
		return s.URL
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// topology is triggers between types of events: each wants one type and answers with another, or with nothing.
type topology []struct{ wants, replies int }

const kinds = 3

func drawTopology(t *rapid.T) topology {
	shape := make(topology, rapid.IntRange(1, 4).Draw(t, "triggers"))
	for i := range shape {
		shape[i].wants = rapid.IntRange(0, kinds-1).Draw(t, "wants")
		shape[i].replies = rapid.IntRange(-1, kinds-1).Draw(t, "replies")
	}
	return shape
}

// outcome is what becomes of events: deliveries by hops, dead letters, and events that were refused.
type outcome struct {
	delivered        [limits.MaxHops + 1]int
	letters, refused int
}

// follow is an event's way by the rule itself: a reply is one hop further, and none is delivered beyond the most.
func (shape topology) follow(kind, hops int, o *outcome) {
	if hops > limits.MaxHops {
		o.refused++
	}
	for _, s := range shape {
		switch {
		case s.wants != kind:
		case hops > limits.MaxHops:
			o.letters++
		default:
			o.delivered[hops]++
			if s.replies >= 0 {
				shape.follow(s.replies, hops+1, o)
			}
		}
	}
}

func (shape topology) manifest() string {
	var b strings.Builder
	first, _, _ := strings.Cut(circle, "---")
	b.WriteString(first)
	for i, s := range shape {
		fmt.Fprintf(&b, `---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: trigger%[1]d}
spec:
  broker: default
  filters: [{exact: {type: "kind%[2]d"}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: service%[1]d}}
`, i, s.wants)
	}
	return b.String()
}

func TestEveryTopologyComesToRestWithinThreeHops(t *testing.T) {
	rapid.Check(t, func(draw *rapid.T) {
		shape, kind := drawTopology(draw), rapid.IntRange(0, kinds-1).Draw(draw, "kind")
		var want outcome
		shape.follow(kind, 0, &want)
		if got := shape.run(t, kind); got != want {
			draw.Fatalf("%+v of kind %d: %+v, not %+v", shape, kind, got, want)
		}
	})
}

// run has a broker of that shape take one event, and counts what came of it.
func (shape topology) run(t *testing.T, kind int) (got outcome) {
	var mu sync.Mutex
	services := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := event.Read(w, r)
		if err != nil {
			event.Refuse(w, r, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/dead-letters" {
			got.letters++
			w.WriteHeader(http.StatusAccepted)
			return
		}
		got.delivered[event.Hops(e)]++
		i, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if shape[i].replies < 0 {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/cloudevents+json")
		fmt.Fprintf(w, `{"specversion":"1.0","id":"%s-%d","source":"/%d","type":"kind%d"}`, e.ID(), i, i, shape[i].replies)
	}))
	defer services.Close()
	addresses := map[string]string{"trace": services.URL}
	for i := range shape {
		addresses[fmt.Sprint("service", i)] = fmt.Sprintf("%s/%d", services.URL, i)
	}
	b := &bench{journal: filepath.Join(t.TempDir(), "broker.db"), telemetry: telemetry.Nop()}
	b.start(t, shape.manifest(), addresses)
	defer b.kill()
	b.post(t, fmt.Sprint("kind", kind), "e", nil)
	b.idle(t)
	mu.Lock()
	defer mu.Unlock()
	got.refused = int(testutil.ToFloat64(b.telemetry.Metrics.HopsRefused))
	return got
}
