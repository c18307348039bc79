package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// post posts an event to the broker, as somebody in the cluster does who does not say who they are.
func post(t testing.TB, kind, id, data string) (int, []byte) {
	t.Helper()
	var broker struct {
		Status struct{ Address struct{ URL string } }
	}
	get(t, "/apis/eventing.knative.dev/v1/namespaces/"+namespace+"/brokers/default", &broker)
	address, err := url.Parse(broker.Status.Address.URL)
	if err != nil {
		t.Fatal(err)
	}
	service := strings.Split(address.Hostname(), ".")
	header := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Type": {kind}, "Ce-Source": {"/e2e"}, "Ce-Id": {id}, "Content-Type": {"application/json"}}
	status, content, err := inside(t.Context(), http.MethodPost, service[1], "services/"+service[0]+":80", address.Path, header, strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return status, content
}

// send posts an event that the broker takes.
func send(t testing.TB, kind, id, data string) {
	t.Helper()
	if status, content := post(t, kind, id, data); status != http.StatusAccepted {
		t.Fatalf("the broker does not take an event: %d %s", status, content)
	}
}

type letter struct {
	ID, State, Reason, Destination string
	EventID                        string `json:"event_id"`
	Hops, Code, Replays            int
	LastAt                         time.Time `json:"last_at"`
}

// deadLetter provokes a dead letter, again and again: a Trigger is Ready before its channel knows of it.
func deadLetter(t testing.TB, provoke func(), holds func(letter) bool) letter {
	t.Helper()
	var found letter
	var provoked time.Time
	eventually(t, "the event is among the dead letters", time.Minute, func() bool {
		if time.Since(provoked) > 5*time.Second {
			provoke()
			provoked = time.Now()
		}
		var list struct {
			DeadLetters []letter `json:"dead_letters"`
		}
		status, content := trace(t, http.MethodGet, "/dead-letters?limit=500")
		if status != http.StatusOK { // it wakes
			return false
		}
		if err := json.Unmarshal(content, &list); err != nil {
			t.Fatalf("%v: %s", err, content)
		}
		for _, l := range list.DeadLetters {
			if holds(l) {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

// subscribe makes a Trigger for a type of events to a path of the engine.
func subscribe(t testing.TB, name, kind, path string) {
	t.Helper()
	trigger := fmt.Sprintf(`{"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": {"name": %q, "namespace": %q},
		"spec": {"broker": "default", "filters": [{"exact": {"type": %q}}],
		"subscriber": {"uri": "http://engine.aguante.svc.cluster.local%s"}}}`, name, namespace, kind, path)
	if _, err := run(t.Context(), trigger, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = run(context.Background(), "", "delete", "trigger", name, "-n", namespace) })
	k(t, "wait", "--for=condition=Ready", "trigger", name, "--timeout=60s")
}

func TestAPoisonedEventIsADeadLetterAndReplays(t *testing.T) {
	subscribe(t, "picky", "e2e.picky", "/picky")
	id := someone("poison")
	began := time.Now()
	poisoned := deadLetter(t, func() { send(t, "dev.aguante.turn.completed.v1", id, `{"turn_id": 7}`) },
		func(l letter) bool { return l.EventID == id })
	if poisoned.Code < 400 || poisoned.Code >= 500 || !strings.Contains(poisoned.Destination, "materialize") {
		t.Errorf("%+v", poisoned)
	}
	refused := time.Since(began)

	id = someone("picky")
	l := deadLetter(t, func() { send(t, "e2e.picky", id, `{}`) }, func(l letter) bool { return l.EventID == id })
	engineCall(t, http.MethodDelete, "/picky/"+id)
	insist(t, "replay", func() (int, []byte, error) {
		status, content := trace(t, http.MethodPost, "/dead-letters/"+l.ID+"/replay")
		return status, content, nil
	})
	again := deadLetter(t, func() {}, func(l letter) bool { return l.EventID == id && l.State == "replayed" })
	t.Logf("a turn without a turn_id: %d %q, a dead letter after %v; one replayed: %s", poisoned.Code, poisoned.Reason, refused, again.State)
}

func TestALoopOfTriggersStopsAfterThreeHops(t *testing.T) {
	subscribe(t, "loop", "dev.aguante.turn.materialized.v1", "/")
	c, user := newCaller(t), someone("loop")
	began := time.Now()
	last := deadLetter(t, func() { _, _, _ = c.ask(t.Context(), user, "I live in Cuenca.") }, // or the next one
		func(l letter) bool { return l.Hops > 3 && l.LastAt.After(began) })
	if last.Code != http.StatusUnprocessableEntity {
		t.Errorf("%+v", last)
	}
	t.Logf("%d hops, then %d %q after %v", last.Hops, last.Code, last.Reason, time.Since(began))
}
