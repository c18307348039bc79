package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// split gives the fresh revision so many percent of the traffic, and the old one the rest.
func split(t testing.TB, old, fresh string, percent int) {
	t.Helper()
	k(t, "patch", "ksvc", "chat", "--type=merge", "-p", fmt.Sprintf(
		`{"spec": {"traffic": [{"revisionName": %q, "percent": %d}, {"revisionName": %q, "percent": %d}]}}`, old, 100-percent, fresh, percent))
	ready(t, "chat")
}

func latest(t testing.TB) string {
	t.Helper()
	return serviceOf(t, "chat").Status.LatestReadyRevisionName
}

// TestANewRevisionTakesTrafficByPercentAndGivesItBack tells the revisions apart by the engine that answers: the new one
// has no engines file.
func TestANewRevisionTakesTrafficByPercentAndGivesItBack(t *testing.T) {
	tune(t, "{}", "chat")
	useEngine(t, "commanded")
	c, old := newCaller(t), latest(t)
	k(t, "patch", "ksvc", "chat", "--type=merge", "-p", fmt.Sprintf(`{"spec": {"traffic": [{"revisionName": %q, "percent": 100}]}}`, old))
	t.Cleanup(func() {
		back := `[{"op": "replace", "path": "/spec/traffic", "value": [{"latestRevision": true, "percent": 100}]},
			{"op": "replace", "path": "/spec/template/spec/containers/0/env/1/value", "value": "/etc/aguante/engines.yaml"}]`
		if _, err := run(context.Background(), "", "patch", "ksvc", "chat", "-n", namespace, "--type=json", "-p", back); err != nil {
			t.Error(err)
		}
	})
	k(t, "patch", "ksvc", "chat", "--type=json", "-p", `[
		{"op": "test", "path": "/spec/template/spec/containers/0/env/1/name", "value": "ENGINES_FILE"},
		{"op": "replace", "path": "/spec/template/spec/containers/0/env/1/value", "value": ""}]`)
	eventually(t, "there is a new revision", time.Minute, func() bool { return latest(t) != old })
	fresh := latest(t)
	for _, step := range []struct{ percent, turns, least, most int }{{0, 200, 0, 0}, {1, 1000, 1, 30}, {50, 400, 150, 250}, {100, 200, 200, 200}, {0, 200, 0, 0}} {
		began := time.Now()
		split(t, old, fresh, step.percent)
		inForce := time.Since(began)
		got := share(t, c, step.turns)
		if got < step.least || got > step.most {
			t.Errorf("%d %% of %d turns are %d", step.percent, step.turns, got)
		}
		t.Logf("%d %%: %d of %d turns; in force after %v", step.percent, got, step.turns, inForce.Round(time.Millisecond))
	}
}

// share takes turns and counts those that the new revision answered.
func share(t testing.TB, c *caller, turns int) int {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	r := c.take(ctx, 10, turns, "", "Hello.")
	if r.statuses[200] != turns {
		t.Fatalf("answers: %v %v", r, r.faults[:min(5, len(r.faults))])
	}
	fresh := 0
	for _, reply := range r.replies {
		if reply.Engine == "local" {
			fresh++
		}
	}
	return fresh
}
