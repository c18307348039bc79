package e2e

import (
	"net/http"
	"testing"
	"time"
)

const oidc = "authentication-oidc"

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
