package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// k runs kubectl in the namespace.
func k(t testing.TB, arguments ...string) string {
	t.Helper()
	output, err := run(t.Context(), "", append([]string{"-n", namespace}, arguments...)...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// get reads an object, or a list of them, as the API server has it.
func get(t testing.TB, path string, into any) {
	t.Helper()
	content := insist(t, path, func() (int, []byte, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+path, nil)
		if err != nil {
			return 0, nil, err
		}
		return do(http.DefaultClient, request)
	})
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v: %s", path, err, content)
	}
}

// insist calls what is not tested here until it answers 200: a part of the cluster that has just started may not.
func insist(t testing.TB, what string, call func() (int, []byte, error)) []byte {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) { // between two calls
		status, content, err := call()
		if err == nil && status == http.StatusOK {
			return content
		}
		if time.Now().After(until) {
			t.Fatalf("%s: %d, %v: %s", what, status, err, content)
		}
	}
}

// service is a Service of Knative's.
type service struct {
	Metadata struct {
		Name       string
		Generation int
	}
	Spec   struct{ Template json.RawMessage }
	Status struct {
		URL                     string
		ObservedGeneration      int
		LatestReadyRevisionName string
		Conditions              []struct{ Type, Status string }
	}
}

func serviceOf(t testing.TB, name string) (s service) {
	t.Helper()
	get(t, "/apis/serving.knative.dev/v1/namespaces/"+namespace+"/services/"+name, &s)
	return s
}

// ready says whether a Service's newest generation is Ready.
func (s service) ready() bool {
	for _, c := range s.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && s.Status.ObservedGeneration == s.Metadata.Generation
		}
	}
	return false
}

func ready(t testing.TB, name string) {
	t.Helper()
	eventually(t, name+" is Ready", 2*time.Minute, func() bool { return serviceOf(t, name).ready() })
}

// tune gives Services the template that the overlay has, with a change, and waits for their new revisions. It stays until
// the next test says what it needs.
func tune(t testing.TB, change string, names ...string) {
	t.Helper()
	for _, name := range names {
		template, err := jsonpatch.MergePatch(applied[name], []byte(change))
		if err != nil {
			t.Fatal(err)
		}
		k(t, "patch", "ksvc", name, "--type=json", "-p", fmt.Sprintf(`[{"op": "replace", "path": "/spec/template", "value": %s}]`, template))
	}
	for _, name := range names {
		ready(t, name)
	}
}

// annotate is tune for annotations of the autoscaler.
func annotate(t testing.TB, annotations map[string]string, names ...string) {
	t.Helper()
	full := map[string]string{}
	for name, value := range annotations {
		full["autoscaling.knative.dev/"+name] = value
	}
	change, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": full}}) // of strings
	tune(t, string(change), names...)
}

// pods are the names of a Service's, revision's or Deployment's pods that are not on their way out.
func pods(t testing.TB, of string) (names []string) {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata struct {
				Name              string
				Labels            map[string]string
				DeletionTimestamp *time.Time
			}
			Status struct{ Phase string }
		}
	}
	get(t, "/api/v1/namespaces/"+namespace+"/pods", &list)
	for _, p := range list.Items {
		l := p.Metadata.Labels
		if slices.Contains([]string{l["serving.knative.dev/service"], l["serving.knative.dev/revision"], l["app"]}, of) &&
			p.Metadata.DeletionTimestamp == nil && p.Status.Phase != "Failed" && p.Status.Phase != "Succeeded" {
			names = append(names, p.Metadata.Name)
		}
	}
	return names
}

// feature sets one of Knative's feature flags.
func feature(t testing.TB, in, name, value string) (restore func()) {
	t.Helper()
	var kept struct{ Data map[string]string }
	get(t, "/api/v1/namespaces/"+in+"/configmaps/config-features", &kept)
	set := func(value any) {
		data, _ := json.Marshal(map[string]any{"data": map[string]any{name: value}}) // of strings
		if _, err := run(t.Context(), "", "patch", "configmap", "config-features", "-n", in, "--type=merge", "-p", string(data)); err != nil {
			t.Error(err)
		}
	}
	set(value)
	return func() {
		if before, there := kept.Data[name]; there {
			set(before)
		} else {
			set(nil) // removes it
		}
	}
}

// eventually retries until holds says yes.
func eventually(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}
