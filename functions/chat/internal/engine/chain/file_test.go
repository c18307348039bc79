package chain_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/shared/guard"
)

func TestSaysWhatIsWrongWithAFileAndWhere(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown field":   {"engines:\n  - name: a\n    url: http://x/v1\n    tiemout: 5s\n", `[4:5] unknown field "tiemout"`},
		"bad duration":    {"engines:\n  - name: a\n    url: http://x/v1\n    timeout: soon\n", "[4:14]"},
		"negative":        {"engines:\n  - name: a\n    url: http://x/v1\n    stall: -1s\n", `line 2: engine "a": a duration is negative`},
		"no url":          {"engines:\n  - name: a\n    url: http://x/v1\n  - name: b\n", `line 4: engine "b": url is missing`},
		"no name":         {"engines:\n  - url: http://x/v1\n", `line 2: engine "": name is missing`},
		"other scheme":    {"engines:\n  - name: a\n    url: ftp://x/v1\n", "url is not an http or https address"},
		"twice":           {"engines:\n  - name: a\n    url: http://x\n  - name: a\n    url: http://y\n", `line 4: engine "a": name is taken`},
		"reserved":        {"engines:\n  - name: local\n    url: http://x\n", "name is that of the engine that always follows"},
		"key not there":   {"engines:\n  - name: a\n    url: http://x\n    api_key_env: NOT_SET\n", "api_key_env NOT_SET is not set"},
		"two keys":        {"engines:\n  - name: a\n    url: http://x\n    api_key_env: HOME\n    api_key_file: f\n", "are both there"},
		"too many tries":  {"engines:\n  - name: a\n    url: http://x\n    retries: 50\n", "retries are not 0 to 5"},
		"no YAML":         {"engines: [", "[1:10]"},
		"a list":          {"- name: a\n", "[1:1]"},
		"all faults said": {"engines:\n  - name: a\n  - name: b\n", `engine "b": url is missing`},
	} {
		path := filepath.Join(t.TempDir(), "engines.yaml")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := openFile(t, path)
		if fault := got.Fault(); !strings.Contains(fault, c.want) || !strings.Contains(fault, path) {
			t.Errorf("%s: got %s, want %s", name, fault, c.want)
		}
	}
}

func TestTakesTheFileOfTheContract(t *testing.T) {
	t.Setenv("PRIMARY_KEY", "k")
	c := open(t, entry("primary", "https://engine.example", "    model: some-model", "    api_key_env: PRIMARY_KEY",
		"    timeout: 30s", "    first_token: 5s", "    stall: 10s", "    retries: 1", "    context: 128000",
		"    price: {input: 0.15, output: 0.60}", "    breaker: {failures: 3, open: 120s}"))
	if got := c.Models(); !slices.Equal(got, []string{"primary", "local"}) {
		t.Errorf("models %q", got)
	}
}

func TestWithoutAFileTheLocalEngineIsAlone(t *testing.T) {
	for _, c := range []*chain.Chain{openFile(t, ""), open(t)} {
		if got := c.Models(); !slices.Equal(got, []string{"local"}) {
			t.Errorf("models %q", got)
		}
	}
}

func TestUntilThereIsAGoodFileTheLocalEngineAnswersAndSaysSo(t *testing.T) {
	path, good := filepath.Join(t.TempDir(), "engines.yaml"), newScripted(t, answerWhole)
	c := openFile(t, path)
	var told []guard.Degraded
	a, err := c.Answer(t.Context(), hello(), func(p engine.Piece) error {
		if p.Degraded != nil {
			told = append(told, *p.Degraded)
		}
		return nil
	})
	want := guard.Degraded{Zone: "sync", Dependency: "engines file", Reason: "bad"}
	if err != nil || a.Engine != engine.Local || !slices.Contains(a.Degraded, want) || !slices.Contains(told, want) {
		t.Errorf("answered by %q, lacking %v, told %v; %v", a.Engine, a.Degraded, told, err)
	}
	write(t, path, entry("a", good.URL))
	deadline := time.Now().Add(10 * time.Second)
	for a.Engine != "a" || len(a.Degraded) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("with a good file: answered by %q, lacking %v; %v", a.Engine, a.Degraded, err)
		}
		time.Sleep(100 * time.Millisecond)
		a, err = c.Answer(t.Context(), hello(), nil)
	}
}

func TestFollowsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engines.yaml")
	synctest.Test(t, func(t *testing.T) {
		version := time.Now()
		change := func(entries ...string) {
			write(t, path, entries...)
			version = version.Add(time.Second)
			if err := os.Chtimes(path, version, version); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second) // of the bubble's time
		}
		change(entry("a", "http://a"))
		c := openFile(t, path)
		opened := c.Statuses()[0].Since

		change(entry("b", "http://b"), entry("a", "http://a"))
		if got := c.Models(); !slices.Equal(got, []string{"b", "a", "local"}) {
			t.Fatalf("models %q", got)
		}
		if kept := c.Statuses()[1].Since; !kept.Equal(opened) {
			t.Error("an engine that did not change lost its breaker")
		}

		change("  - nonsense\n")
		if got := c.Models(); !slices.Equal(got, []string{"b", "a", "local"}) {
			t.Errorf("a bad file was taken: models %q", got)
		}
		if all := c.Statuses(); len(all) != 3 || all[2].Dependency != "engines file" || all[2].LastError == "" {
			t.Errorf("a bad file is not told: %+v", all)
		}

		change(entry("c", "http://c"))
		if got := c.Models(); !slices.Equal(got, []string{"c", "local"}) || len(c.Statuses()) != 1 {
			t.Errorf("models %q, %+v", got, c.Statuses())
		}
	})
}

func TestReadsAKeyFileAnewForEachCall(t *testing.T) {
	s := newScripted(t, answerWhole)
	key := filepath.Join(t.TempDir(), "key")
	c := open(t, entry("a", s.URL, "    api_key_file: "+key))
	for _, secret := range []string{"one", "two"} {
		if err := os.WriteFile(key, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := c.Answer(t.Context(), hello(), nil); err != nil || a.Engine != "a" || s.last.Get("Authorization") != "Bearer "+secret {
			t.Errorf("%s: answered by %q with %q, %v", secret, a.Engine, s.last.Get("Authorization"), err)
		}
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Answer(t.Context(), hello(), nil); err != nil || a.Engine != engine.Local {
		t.Errorf("without its key: answered by %q, %v", a.Engine, err)
	}
}
