package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// engineCall speaks to the commanded engine.
func engineCall(t testing.TB, method, path string) []byte {
	t.Helper()
	return insist(t, "engine", func() (int, []byte, error) {
		return inside(t.Context(), method, namespace, "services/engine:80", path, http.Header{}, nil)
	})
}

// most is how much each chat pod asked of the engine at once.
func most(t testing.TB) map[string]int {
	t.Helper()
	var by map[string]int
	if err := json.Unmarshal(engineCall(t, http.MethodGet, "/most"), &by); err != nil {
		t.Fatal(err)
	}
	return by
}

func TestChatScalesByItsConcurrencyAndBack(t *testing.T) {
	annotate(t, map[string]string{"target": "10", "target-utilization-percentage": "100", "window": "6s"}, "chat")
	useEngine(t, "commanded")
	revision := latest(t)
	engineCall(t, http.MethodDelete, "/most")
	c := newCaller(t)
	ctx, stop := context.WithTimeout(t.Context(), 12*time.Second)
	defer stop()
	var group sync.WaitGroup
	var answers *result
	group.Go(func() { answers = c.load(ctx, 30, someone("crowd"), "How are you? (take 500ms)") })
	peak := 0
	for ctx.Err() == nil {
		peak = max(peak, len(pods(t, revision)))
		time.Sleep(500 * time.Millisecond) // between two looks
	}
	group.Wait()
	if peak < 3 || peak > 5 {
		t.Errorf("30 turns at once and a target of 10 make %d pods", peak)
	}
	if len(answers.statuses) != 1 {
		t.Errorf("answers: %v %v", answers, answers.faults[:min(5, len(answers.faults))])
	}
	for pod, n := range most(t) {
		if n > 20 {
			t.Errorf("%s had %d turns at once, its containerConcurrency is 20", pod, n)
		}
	}
	quiet := time.Now()
	eventually(t, "chat is at zero again", 2*time.Minute, func() bool { return len(pods(t, revision)) == 0 })
	t.Logf("30 at once, target 10: %d pods; %v; at once in a pod: %v; quiet → zero in %v",
		peak, answers, most(t), time.Since(quiet).Round(time.Second))
}

func TestContainerConcurrencyIsHeld(t *testing.T) {
	tune(t, `{"metadata": {"annotations": {"autoscaling.knative.dev/max-scale": "1"}}, "spec": {"containerConcurrency": 5}}`, "chat")
	useEngine(t, "commanded")
	engineCall(t, http.MethodDelete, "/most")
	c := newCaller(t)
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Second)
	defer stop()
	answers := c.load(ctx, 20, someone("queue"), "How are you? (take 200ms)")
	by := most(t)
	for pod, n := range by {
		if n > 5 {
			t.Errorf("%s had %d turns at once", pod, n)
		}
	}
	if len(by) != 1 || len(answers.statuses) != 1 {
		t.Errorf("at once by pod: %v; answers: %v", by, answers)
	}
	t.Logf("20 at once, containerConcurrency 5, one pod: %v; at once: %v", answers, by)
}

func TestMinScaleDoesWhatItSays(t *testing.T) {
	annotate(t, map[string]string{"min-scale": "2"}, "chat")
	began := time.Now()
	eventually(t, "two pods without a single request", time.Minute, func() bool { return len(pods(t, latest(t))) == 2 })
	t.Logf("min-scale 2: two pods %v after Ready", time.Since(began).Round(time.Millisecond))
}

func TestAMistypedManifestIsRefused(t *testing.T) {
	for annotation, value := range map[string]string{"min-scale": "two", "window": "10", "target": "-1", "metric": "turns", "max-scale": "many"} {
		mistake := `{"spec": {"template": {"metadata": {"annotations": {"autoscaling.knative.dev/` + annotation + `": "` + value + `"}}}}}`
		_, err := run(t.Context(), "", "patch", "ksvc", "chat", "-n", namespace, "--type=merge", "--dry-run=server", "-p", mistake)
		if err == nil {
			t.Errorf("%s: %s is taken", annotation, value)
			continue
		}
		_, why, refused := strings.Cut(err.Error(), "validation failed: ")
		if !refused {
			t.Errorf("%s: %s: %v", annotation, value, err)
		}
		t.Logf("%s: %s → %s", annotation, value, why)
	}
}
