package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestWhatProductionWantsOfKnative turns two features on. It is the last test: Knative then looks at everything again, for
// half a minute.
func TestWhatProductionWantsOfKnative(t *testing.T) {
	spread := feature(t, "knative-serving", "kubernetes.podspec-topologyspreadconstraints", "enabled")
	oidc := feature(t, "knative-eventing", "authentication-oidc", "enabled")
	defer func() {
		oidc()
		spread()
		eventually(t, "strangers are heard again", time.Minute, func() bool { return stranger(t) == http.StatusAccepted })
	}()
	t.Run("the cluster takes its overlay", takesProduction)
	t.Run("who does not say who they are is not heard", refusesStrangers)
}

// takesProduction asks the API server and Knative's webhooks, which judge the whole overlay and do nothing.
func takesProduction(t *testing.T) {
	const elsewhere = "aguante-production" // a Broker's class cannot be changed
	if _, err := run(t.Context(), "", "create", "namespace", elsewhere); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = run(context.Background(), "", "delete", "namespace", elsewhere, "--wait=false") })
	manifests, err := run(t.Context(), "", "kustomize", "../../config/knative/overlays/production")
	if err != nil {
		t.Fatal(err)
	}
	manifests = strings.NewReplacer("namespace: aguante\n", "namespace: "+elsewhere+"\n", "ko://", "dev.local/").Replace(manifests + "\n")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) { // until all webhooks know of the features
		said, err := run(t.Context(), manifests, "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		if err == nil {
			t.Logf("%d objects", len(strings.Split(said, "\n")))
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// stranger sends an event without a token, and gives the broker's answer.
func stranger(t testing.TB) int {
	t.Helper()
	status, _ := post(t, "e2e.stranger", someone("stranger"), `{}`)
	return status
}

func refusesStrangers(t *testing.T) {
	policy, err := run(t.Context(), "", "kustomize", "../../config/knative/components/oidc")
	if err == nil {
		_, err = run(t.Context(), policy, "apply", "-f", "-")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer k(t, "delete", "eventpolicy", "senders")
	began := time.Now()
	eventually(t, "a stranger's event is refused", time.Minute, func() bool { return stranger(t) == http.StatusUnauthorized })
	inForce := time.Since(began)
	c := newCaller(t)
	eventually(t, "a turn is known by its decisions, which go through the broker alone, and is in the graph", 2*time.Minute, func() bool {
		told, _, err := c.ask(t.Context(), someone("known"), "I live in Cuenca.")
		if err != nil {
			return false
		}
		// The turns before pods and Triggers have their tokens are never known: each is waited for a little.
		for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) { // between two looks
			if traced(t, told.TurnID) && c.remembered(t, told.user, "Where do I live?", "Cuenca") {
				return true
			}
		}
		return false
	})
	t.Logf("a stranger's event is 401 after %v; a turn goes through after %v", inForce, time.Since(began))
}
