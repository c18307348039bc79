package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What the production overlay wants of Knative. These tests are the last: turning a feature on or off has Knative look at
// everything again, for half a minute.
const (
	oidc   = "authentication-oidc"
	spread = "kubernetes.podspec-topologyspreadconstraints"
)

// TestTheClusterTakesTheProductionOverlay asks the API server and Knative's webhooks, which take all of it and do nothing.
func TestTheClusterTakesTheProductionOverlay(t *testing.T) {
	defer feature(t, "knative-serving", spread, "enabled")()
	defer feature(t, "knative-eventing", oidc, "enabled")()
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

func TestWhoDoesNotSayWhoTheyAreIsNotHeard(t *testing.T) {
	stranger := func() int {
		status, _ := post(t, "e2e.stranger", someone("stranger"), `{}`)
		return status
	}
	restore := feature(t, "knative-eventing", oidc, "enabled")
	defer func() {
		k(t, "delete", "eventpolicy", "senders")
		restore()
		eventually(t, "strangers are heard again", time.Minute, func() bool { return stranger() == http.StatusAccepted })
		ready(t, "chat") // without their tokens
		ready(t, "trace")
	}()
	policy, err := run(t.Context(), "", "kustomize", "../../config/knative/components/oidc")
	if err == nil {
		_, err = run(t.Context(), policy, "apply", "-f", "-")
	}
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "a stranger's event is refused", time.Minute, func() bool { return stranger() == http.StatusUnauthorized })
	inForce := time.Since(began)
	c := newCaller(t)
	var told reply
	eventually(t, "a turn is known by its decisions, which go through the broker alone", 2*time.Minute, func() bool {
		told = c.say(t, someone("known"), "I live in Cuenca.")
		for until := time.Now().Add(2 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
			if traced(t, told.TurnID) {
				return true
			}
		}
		return false
	})
	eventually(t, "it is in the graph", time.Minute, func() bool { return c.remembered(t, told.user, "Where do I live?", "Cuenca") })
	t.Logf("a stranger's event is 401 after %v; a turn goes through after %v", inForce, time.Since(began))
}
