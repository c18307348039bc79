package event

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyTheBrokerIsToldWhoSends(t *testing.T) {
	var said string
	listen := func(w http.ResponseWriter, r *http.Request) {
		said = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusAccepted)
	}
	broker, direct := newPlace(t, listen), newPlace(t, listen)
	c := newClient(broker.URL)
	t.Cleanup(c.CloseIdleConnections)
	c.token = filepath.Join(t.TempDir(), "token")
	e, err := New(TurnCompleted, "/test", "t", "s", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ name, token, to, want string }{
		{"without a token", "", broker.URL, ""},
		{"with one", "first\n", broker.URL, "Bearer first"},
		{"when it was renewed", "second", broker.URL, "Bearer second"},
		{"to another", "second", direct.URL, ""},
	} {
		if step.token != "" {
			if err := os.WriteFile(c.token, []byte(step.token), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.post(t.Context(), step.to, e); err != nil {
			t.Fatal(err)
		}
		if said != step.want {
			t.Errorf("%s: %q is said, not %q", step.name, said, step.want)
		}
	}
}
