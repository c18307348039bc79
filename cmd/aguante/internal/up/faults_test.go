package up

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// degraded says what the answer to a turn did without.
func (r *running) degraded(t *testing.T) (names []string) {
	t.Helper()
	status, answer := call(t, http.MethodPost, r.addresses["chat"]+"/chat", `{"user": "ana", "message": "Hello"}`)
	var reply struct{ Degraded []struct{ Dependency string } }
	if err := json.Unmarshal([]byte(answer), &reply); err != nil || status != http.StatusOK {
		t.Fatalf("%d: %s", status, answer)
	}
	for _, d := range reply.Degraded {
		names = append(names, d.Dependency)
	}
	return names
}

func TestFaultsStandBetweenTheFunctionsAndWhatTheyCall(t *testing.T) {
	o := onFreePorts(t.TempDir())
	o.Faults = "127.0.0.1:0"
	r := start(t, o)
	for _, name := range []string{"graph", "broker", "redis"} { // redis last: its breaker opens soon and stays open for long
		if lacks := r.degraded(t); len(lacks) > 0 {
			t.Errorf("without a fault it did without %v", lacks)
		}
		if status, answer := call(t, http.MethodPost, r.addresses["faults"]+"/proxies/"+name, `{"enabled": false}`); status != http.StatusOK {
			t.Fatalf("%s: %d: %s", name, status, answer)
		}
		if lacks := r.degraded(t); !slices.Contains(lacks, name) {
			t.Errorf("with %s cut off it did without %v", name, lacks)
		}
		call(t, http.MethodPost, r.addresses["faults"]+"/reset", "")
	}
}

func TestASlowGraphIsSlowAlsoWhenItIsEmbedded(t *testing.T) {
	o := onFreePorts(t.TempDir())
	o.Faults = "127.0.0.1:0"
	r := start(t, o)
	status, answer := call(t, http.MethodPost, r.addresses["faults"]+"/proxies/graph/toxics",
		`{"type": "latency", "stream": "downstream", "attributes": {"latency": 60000}}`)
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, answer)
	}
	if lacks := r.degraded(t); !slices.Contains(lacks, "graph") {
		t.Errorf("it did without %v", lacks)
	}
}

func TestNoProxyIsAddedThroughTheDoorAndNoPageOpensIt(t *testing.T) {
	o := onFreePorts(t.TempDir())
	o.Faults = "127.0.0.1:0"
	r := start(t, o)
	status, _ := call(t, http.MethodPost, r.addresses["faults"]+"/proxies", `{"name": "x", "listen": "127.0.0.1:0", "upstream": "example.com:80"}`)
	if status != http.StatusMethodNotAllowed {
		t.Errorf("adding a proxy is answered %d", status)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.addresses["faults"]+"/reset", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "Mozilla/5.0")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("a browser is answered %d", answer.StatusCode)
	}
}
