package chat_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aguante-chat/aguante/functions/chat"
)

// TestABadFileDoesNotStopAStart is what an instance that starts after a mistake in the ConfigMap goes through.
func TestABadFileDoesNotStopAStart(t *testing.T) {
	bad := map[string]string{"engines.yaml": "engines: [{name: a}]", "flags.yaml": "async-enable: true", "limits.yaml": "spend: {per_day: -1}"}
	paths := map[string]string{}
	for name, text := range bad {
		paths[name] = file(t, name, text)
	}
	set := func(c *chat.Config) {
		c.EnginesFile, c.FlagsFile, c.LimitsFile = paths["engines.yaml"], paths["flags.yaml"], paths["limits.yaml"]
	}
	r := start(t, set)
	if w, body := r.do(t, http.MethodPost, "/chat", `{"message":"Hello"}`); w.StatusCode != http.StatusOK ||
		!strings.Contains(body, `"dependency":"engines file","reason":"bad"`) || !strings.Contains(body, `"engine":"local"`) {
		t.Errorf("%d %s", w.StatusCode, body)
	}
	_, health := r.do(t, http.MethodGet, "/health", "")
	for _, says := range []string{"engines file", "url is missing", "flags file", "async-enable", "limits file", "per_day"} {
		if !strings.Contains(health, says) {
			t.Errorf("/health does not say %q: %s", says, health)
		}
	}
	if strings.Contains(health, `"since":"0001`) {
		t.Errorf("/health does not say since when: %s", health)
	}
	for name, text := range map[string]string{"engines.yaml": "engines: []", "flags.yaml": "async-enabled: true", "limits.yaml": ""} {
		if err := os.WriteFile(paths[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the mended files are in force", func() bool {
		w, body := r.do(t, http.MethodPost, "/chat", `{"message":"Hello"}`)
		_, health := r.do(t, http.MethodGet, "/health", "")
		return w.StatusCode == http.StatusOK && !strings.Contains(body+health, " file")
	})
}

func TestStrictlyABadFileIsAnError(t *testing.T) {
	c := chat.Config{EnginesFile: filepath.Join(t.TempDir(), "none"), LimitsFile: file(t, "limits.yaml", "["), Strict: true}
	c.FlagsFile = file(t, "flags.yaml", "[")
	_, err := chat.New(t.Context(), c)
	for _, says := range []string{"engines file", "flags file", "limits file"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("no %s in %v", says, err)
		}
	}
}

func TestABadFileOfKeysOrPolicyStopsTheStart(t *testing.T) {
	for says, c := range map[string]chat.Config{"keys file": {KeysFile: file(t, "keys.yaml", "[")}, "policy file": {PolicyFile: file(t, "policy.yaml", "[")}} {
		if _, err := chat.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
