package e2e

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// Engines that chat may be told to ask.
var enginesFiles = map[string]string{
	"local":     "engines: []",
	"commanded": `engines: [{name: commanded, url: "http://engine.aguante.svc.cluster.local/v1", model: commanded, timeout: 14s}]`,
}

// useEngine has chat ask an engine from now on. Every pod reads its files by itself: one that does not yet shows within some turns.
func useEngine(t testing.TB, name string) {
	t.Helper()
	configure(t, "engines.yaml", enginesFiles[name])
	c := newCaller(t)
	eventually(t, "chat asks the engine "+name, 2*time.Minute, func() bool {
		for range 10 {
			if r, _, err := c.ask(t.Context(), "", "Hello."); err != nil || r.Engine != name {
				return false
			}
		}
		return true
	})
}

// configure changes one file of the ConfigMap. It stays until the next test says what it needs.
func configure(t testing.TB, file, content string) {
	t.Helper()
	data, _ := json.Marshal(map[string]any{"data": map[string]string{file: content}}) // of strings
	k(t, "patch", "configmap", "aguante", "--type=merge", "-p", string(data))
}

func TestAChangedConfigMapTakesEffectWithoutARestart(t *testing.T) {
	annotate(t, map[string]string{"min-scale": "1"}, "chat")
	useEngine(t, "local")
	c, revision := newCaller(t), latest(t)
	before := pods(t, revision)

	began := time.Now()
	useEngine(t, "commanded")
	engines := time.Since(began)

	var kept struct{ Data map[string]string }
	get(t, "/api/v1/namespaces/"+namespace+"/configmaps/aguante", &kept)
	defer configure(t, "flags.yaml", kept.Data["flags.yaml"])
	began = time.Now()
	configure(t, "flags.yaml", "materializers-enabled: true\nmaterializers-percentage: 100\nasync-enabled: true\ndecision-trace-enabled: true\ngraph-legacy-mode: true\n")
	eventually(t, "the graph is left alone", 2*time.Minute, func() bool {
		r, _, err := c.ask(t.Context(), someone("ana"), "Hello.")
		return err == nil && len(r.Degraded) == 1 && r.Degraded[0].Dependency == "neo4j"
	})
	if after := pods(t, revision); !slices.Equal(before, after) {
		t.Errorf("the pods were %v and are %v", before, after)
	}
	t.Logf("engines in force after %v, flags after %v, in the same pod", engines, time.Since(began))
}

func TestAMistakeInTheConfigMapKeepsNoPodFromAnswering(t *testing.T) {
	tune(t, "{}", "chat")
	defer useEngine(t, "local")
	defer configure(t, "engines.yaml", enginesFiles["local"])
	configure(t, "engines.yaml", "engines: [{name: commanded}]")
	c := newCaller(t)
	eventually(t, "a pod that started with it answers, and says so", time.Minute, func() bool {
		kill(t, pods(t, "chat")...)
		r, _, err := c.ask(t.Context(), "", "Hello.")
		return err == nil && r.Engine == "local" && len(r.Degraded) == 1 && r.Degraded[0].Dependency == "engines file"
	})
}
