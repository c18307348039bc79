package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/quota"
	"github.com/aguante-chat/aguante/functions/chat/internal/reread"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func keysFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAKeyHasItsBudget(t *testing.T) {
	keys, err := OpenKeys(keysFile(t, "keys: [{name: shop, sha256: "+hashed("open")+", tokens_per_day: 2000, usd_per_day: 1.5}]"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.caller("open", classChat, netip.MustParseAddr("192.0.2.7"), noFile.Now().Rates)
	if err != nil || got.Budget != (turn.Budget{Tokens: 2000, USD: 1.5}) {
		t.Errorf("got %+v, %v", got.Budget, err)
	}
	for _, bad := range []string{"tokens_per_day: -1", "usd_per_day: -0.5", "usd_per_day: .nan"} {
		if _, err := parseKeys([]byte("keys: [{name: shop, sha256: " + hashed("open") + ", " + bad + "}]")); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}

// noFile are the usual limits.
var noFile *quota.File

func TestWhoCalls(t *testing.T) {
	keys, err := OpenKeys(keysFile(t, `
keys:
  - name: shop
    sha256: `+hashed("open")+`
  - name: desk
    sha256: `+hashed("sesame")+`
    routes: [chat, internal]
    limits: {chat: {per_minute: 7, burst: 9}}
`), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var refused *turn.Refused
	for name, c := range map[string]struct {
		keys          *Keys
		secret, class string
		caller        string
		rate          limits.Rate
		err           any
	}{
		"no file":               {nil, "", classChat, "", limits.AnonymousChat, nil},
		"no file, any key":      {nil, "sk-whatever", classChat, "", limits.AnonymousChat, nil},
		"no file, internal":     {nil, "", classInternal, "", limits.Internal, nil},
		"anonymous":             {keys, "", classChat, "", limits.AnonymousChat, nil},
		"anonymous, internal":   {keys, "", classInternal, "", limits.Rate{}, errKeyNeeded},
		"known":                 {keys, "open", classChat, "shop", limits.AuthenticatedChat, nil},
		"known, not for this":   {keys, "open", classInternal, "", limits.Rate{}, &refused},
		"known, own limit":      {keys, "sesame", classChat, "desk", limits.Rate{PerMinute: 7, Burst: 9}, nil},
		"known, usual limit":    {keys, "sesame", classInternal, "desk", limits.Internal, nil},
		"unknown":               {keys, "opens", classChat, "", limits.Rate{}, errUnknownKey},
		"the hash is no secret": {keys, hashed("open"), classChat, "", limits.Rate{}, errUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.keys.caller(c.secret, c.class, netip.MustParseAddr("192.0.2.7"), noFile.Now().Rates)
			switch want := c.err.(type) {
			case nil:
				if err != nil || got.Key != c.caller || got.Rate != c.rate || got.Class != c.class || got.Address != "192.0.2.7" {
					t.Errorf("got %+v, %v", got, err)
				}
			case error:
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			default:
				if !errors.As(err, want) {
					t.Errorf("got %v, want a %T", err, want)
				}
			}
		})
	}
}

func TestAKeysFileThatCannotBeRight(t *testing.T) {
	for name, text := range map[string]string{
		"no YAML":         "keys: [",
		"unknown member":  "keys: [{name: a, secret: x}]",
		"short hash":      "keys: [{name: a, sha256: abcd}]",
		"no name":         "keys: [{sha256: " + hashed("a") + "}]",
		"unknown class":   "keys: [{name: a, sha256: " + hashed("a") + ", routes: [root]}]",
		"no rate":         "keys: [{name: a, sha256: " + hashed("a") + ", limits: {chat: {per_minute: 0, burst: 1}}}]",
		"too fast":        "keys: [{name: a, sha256: " + hashed("a") + ", limits: {chat: {per_minute: 1, burst: 2000000}}}]",
		"a rate for none": "keys: [{name: a, sha256: " + hashed("a") + ", limits: {internal: {per_minute: 1, burst: 1}}}]",
	} {
		if _, err := OpenKeys(keysFile(t, text), slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), hashed("a")) {
			t.Errorf("%s: the error holds the hash: %v", name, err)
		}
	}
	if _, err := OpenKeys(filepath.Join(t.TempDir(), "none"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func TestTheKeysFileIsReadAgainAndABadOneLeavesTheKeysThatWere(t *testing.T) {
	path := keysFile(t, "keys: [{name: old, sha256: "+hashed("old")+"}]")
	synctest.Test(t, func(t *testing.T) {
		keys, err := OpenKeys(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		version := time.Now()
		put := func(text string) {
			version = version.Add(time.Minute)
			if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, version, version)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * reread.Every)
		}
		for _, step := range []struct{ text, known, unknown string }{
			{"keys: [{name: new, sha256: " + hashed("new") + "}]", "new", "old"},
			{"keys: [", "new", "old"}, // a bad file
			{"keys: []", "", "new"},
		} {
			put(step.text)
			keys.current()
			if bad := keys.Fault() != ""; bad != (step.text == "keys: [") {
				t.Errorf("after %q the fault is %q", step.text, keys.Fault())
			}
			if step.known != "" && find(keys.current(), step.known) == nil {
				t.Errorf("after %q the key %q is unknown", step.text, step.known)
			}
			if find(keys.current(), step.unknown) != nil {
				t.Errorf("after %q the key %q is known", step.text, step.unknown)
			}
		}
	})
}

func TestTheSecretIsTakenFromTheHeadersClientsUse(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"Authorization", "Bearer abc", "abc"},
		{"Authorization", "bearer  abc ", "abc"},
		{"Authorization", "Basic abc", ""},
		{"Authorization", "abc", ""},
		{"Api-Key", "abc", "abc"},
	} {
		if got := secretOf(http.Header{c.name: {c.value}}); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestTheAddressThatAnonymousCallersAreToldApartBy(t *testing.T) {
	proxies, err := ParseProxies([]string{"127.0.0.0/8", "10.0.0.0/8", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		proxies    Proxies
		connection string
		forwarded  []string
		want       string
	}{
		"no proxy":                    {nil, "198.51.100.1:7", nil, "198.51.100.1"},
		"no proxy trusted":            {nil, "127.0.0.1:7", []string{"198.51.100.1"}, "127.0.0.1"},
		"one proxy":                   {proxies, "127.0.0.1:7", []string{"198.51.100.1"}, "198.51.100.1"},
		"a chain, with made-up start": {proxies, "127.0.0.1:7", []string{"203.0.113.9, 198.51.100.1, 10.0.0.7"}, "198.51.100.1"},
		"a chain over several lines":  {proxies, "127.0.0.1:7", []string{"203.0.113.9", "198.51.100.1,10.0.0.7"}, "198.51.100.1"},
		"straight past the proxy":     {proxies, "198.51.100.1:7", []string{"203.0.113.9"}, "198.51.100.1"},
		"garbage from a proxy":        {proxies, "10.0.0.7:7", []string{"unknown"}, "10.0.0.7"},
		"a proxy that adds nothing":   {proxies, "10.0.0.7:7", nil, "10.0.0.7"},
		"all of them proxies":         {proxies, "10.0.0.7:7", []string{"10.0.0.8"}, "10.0.0.8"},
		"mapped IPv4":                 {nil, "[::ffff:198.51.100.1]:7", nil, "198.51.100.1"},
		"an IPv6 host's network":      {nil, "[2001:db8:1:2:3:4:5:6]:7", nil, "2001:db8:1:2::"},
		"IPv6 behind IPv6":            {proxies, "[fd00::1]:7", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.connection
			r.Header["X-Forwarded-For"] = c.forwarded
			if got := c.proxies.client(r); got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
