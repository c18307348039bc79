package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

const commanded = `engines:
  - {name: commanded, url: "http://engine.aguante.svc.cluster.local/v1", model: commanded, timeout: 12s}
`

// command has chat ask the commanded engine.
func command(t testing.TB) {
	t.Helper()
	configure(t, "engines.yaml", commanded)
	c := newCaller(t)
	eventually(t, "chat asks the commanded engine", 2*time.Minute, func() bool {
		r, _, err := c.ask(t.Context(), "", "Hello.")
		return err == nil && r.Engine == "commanded"
	})
}

// configure changes one file of the ConfigMap. In the end it is what it was.
func configure(t testing.TB, file, content string) {
	t.Helper()
	change := func(ctx context.Context, content string) error {
		data, _ := json.Marshal(map[string]any{"data": map[string]string{file: content}}) // of strings
		_, err := run(ctx, "", "patch", "configmap", "aguante", "-n", namespace, "--type=merge", "-p", string(data))
		return err
	}
	before := k(t, "get", "configmap", "aguante", "-o", `jsonpath={.data.`+strings.ReplaceAll(file, ".", `\.`)+`}`)
	if err := change(t.Context(), content); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := change(context.Background(), before+"\n"); err != nil {
			t.Error(err)
		}
	})
}

func TestAChangedConfigMapTakesEffectWithoutARestart(t *testing.T) {
	annotate(t, "chat", map[string]string{"min-scale": "1"})
	c := newCaller(t)
	eventually(t, "the pods of the revision before are gone", time.Minute, func() bool { return len(pods(t, "chat")) == 1 })
	before := pods(t, "chat")

	began := time.Now()
	command(t)
	engines := time.Since(began)

	began = time.Now()
	configure(t, "flags.yaml", "materializers-enabled: true\nmaterializers-percentage: 100\nasync-enabled: true\ndecision-trace-enabled: true\ngraph-legacy-mode: true\n")
	eventually(t, "the graph is left alone", 2*time.Minute, func() bool {
		r := c.say(t, someone("ana"), "Hello.")
		return len(r.Degraded) == 1 && r.Degraded[0].Dependency == "neo4j"
	})
	if after := pods(t, "chat"); !slices.Equal(before, after) {
		t.Errorf("the pods were %v and are %v", before, after)
	}
	t.Logf("engines in force after %v, flags after %v, in the same pod", engines, time.Since(began))
}
