package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestTheClusterTakesTheProductionOverlay asks the API server and Knative's webhooks, which take all of it and do nothing.
func TestTheClusterTakesTheProductionOverlay(t *testing.T) {
	defer feature(t, "knative-serving", "kubernetes.podspec-topologyspreadconstraints", "enabled")()
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
