package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// someone is a user whom no other test knows.
func someone(name string) string { return fmt.Sprintf("%s-%d", name, time.Now().UnixNano()) }

func TestATurnThroughTheIngressIsAnsweredMaterializedAndTraced(t *testing.T) {
	useEngine(t, "local")
	c, user := newCaller(t), someone("ana")
	began := time.Now()
	told := c.say(t, user, "My sister Lucía lives in Cuenca.")
	answered := time.Since(began)
	eventually(t, "the turn is in the graph", arriving, func() bool {
		return c.remembered(t, user, "Where does Lucía live?", "Cuenca")
	})
	materialized := time.Since(began)
	eventually(t, "its decisions are known", arriving, func() bool { return traced(t, told.TurnID) })
	eventually(t, "a turn lacks nothing", 10*time.Second, func() bool { // a machine that pauses makes one late for it
		asked := c.say(t, user, "Where does my sister live?")
		if asked.SessionID == told.SessionID || !asked.lacks("neo4j") && !strings.Contains(asked.Reply, "Cuenca") {
			t.Errorf("another session does not remember: %q", asked.Reply)
		}
		return len(asked.Degraded) == 0
	})
	t.Logf("answered after %v, in the graph after %v, traced after %v", answered, materialized, time.Since(began))
}

func TestWhatIsOnlyForTheClusterIsNotForTheIngress(t *testing.T) {
	client := outside()
	defer client.CloseIdleConnections()
	for _, service := range []string{"materialize", "trace"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, serviceURL(t, service)+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, err := do(client, request); err == nil && status == http.StatusOK {
			t.Errorf("%s answers from outside the cluster", service)
		}
	}
}

func TestAStreamOutlivesTheScaleDownOfItsPod(t *testing.T) {
	useEngine(t, "commanded")
	eventually(t, "a stream lacks nothing", time.Minute, func() bool { // a machine that pauses makes a piece late for Redis
		return len(streamed(t).Degraded) == 0
	})
}

// streamed has a long story told by a pod that is told to go in the middle of it, and gives the end.
func streamed(t *testing.T) (done reply) {
	t.Helper()
	c := newCaller(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.chat+"/chat",
		bytes.NewReader([]byte(`{"message": "Tell me a long story. (take 8s)", "stream": true}`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer e2e")
	answer, err := c.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var deltas int
	var event, data string
	began := time.Now()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
			event = name
		} else if text, is := strings.CutPrefix(lines.Text(), "data: "); is {
			data = text
			if event != "delta" {
				continue
			}
			if deltas++; deltas == 3 { // as a scale-down does
				k(t, append([]string{"delete", "pod", "--wait=false"}, pods(t, "chat")...)...)
			}
		}
	}
	if err := json.Unmarshal([]byte(data), &done); err != nil || event != "done" || done.Engine != "commanded" || deltas < 15 {
		t.Errorf("the stream ended with %q after %d pieces: %s", event, deltas, data)
	}
	t.Logf("%d pieces over %v, the pod told to go after the third", deltas, time.Since(began).Round(time.Second))
	return done
}
