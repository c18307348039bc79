package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/aguante-chat/aguante/functions/chat/internal/quota"
	"github.com/aguante-chat/aguante/functions/chat/internal/reread"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Route classes: what an API key is good for, and what its rate limits are counted by.
const (
	classChat     = "chat"     // talking, and what one has said
	classInternal = "internal" // looking into a memory
)

// key is one entry of the keys file.
type key struct {
	Name   string                 `yaml:"name"`
	SHA256 string                 `yaml:"sha256"` // of the key, in hex
	Routes []string               `yaml:"routes"` // route classes; none: chat
	Limits map[string]limits.Rate `yaml:"limits"` // by route class, where they are not the usual ones
	Tokens int64                  `yaml:"tokens_per_day"`
	USD    float64                `yaml:"usd_per_day"`

	sum [sha256.Size]byte
}

// Keys are the API keys of the keys file, read again when it changes. Safe for concurrent use; nil: there is no file.
type Keys struct {
	file *reread.File[[]key]
}

// OpenKeys reads the keys file. It returns nil for no path: every caller is anonymous. A bad file is an error: nobody is to
// be let in, or kept out, by a mistake.
func OpenKeys(path string, log *slog.Logger) (*Keys, error) {
	if path == "" {
		return nil, nil
	}
	file := reread.Open(path, parseKeys, nil, log, "the keys file is bad: the last good keys stay")
	if fault := file.Fault(); fault != "" {
		return nil, fmt.Errorf("keys file: %s", fault)
	}
	return &Keys{file}, nil
}

// Fault says why the keys file as it is now is not used, or nothing.
func (k *Keys) Fault() string {
	if k == nil {
		return ""
	}
	return k.file.Fault()
}

// FaultSince is when the file began not to be used as it is: zero while it is.
func (k *Keys) FaultSince() time.Time {
	if k == nil {
		return time.Time{}
	}
	return k.file.FaultSince()
}

// current returns the keys. A file that has become unreadable leaves those that were.
func (k *Keys) current() []key { return k.file.Now() }

func parseKeys(text []byte) ([]key, error) {
	var file struct {
		Keys []key `yaml:"keys"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, err
	}
	var faults []error
	for i := range file.Keys {
		if err := file.Keys[i].check(); err != nil {
			faults = append(faults, fmt.Errorf("key %d (%s): %w", i+1, file.Keys[i].Name, err))
		}
	}
	return file.Keys, errors.Join(faults...)
}

func (k *key) check() error {
	sum, err := hex.DecodeString(k.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return errors.New("sha256 is not 64 hexadecimal digits")
	}
	copy(k.sum[:], sum)
	if k.Name == "" {
		return errors.New("it has no name")
	}
	if len(k.Routes) == 0 {
		k.Routes = []string{classChat}
	}
	for _, class := range k.Routes {
		if class != classChat && class != classInternal {
			return fmt.Errorf("there is no route class %q", class)
		}
	}
	if k.Tokens < 0 || k.USD < 0 || math.IsNaN(k.USD) {
		return errors.New("its budget cannot be right")
	}
	for class, r := range k.Limits {
		if !slices.Contains(k.Routes, class) || !r.Possible() {
			return fmt.Errorf("its limit for %q cannot be right", class)
		}
	}
	return nil
}

// find compares in a time that does not depend on which key it is.
func find(keys []key, secret string) (found *key) {
	sum := sha256.Sum256([]byte(secret))
	for i := range keys {
		if subtle.ConstantTimeCompare(sum[:], keys[i].sum[:]) == 1 {
			found = &keys[i]
		}
	}
	return found
}

// caller says who calls. Without a keys file everybody is anonymous, whatever they send; with one, whoever sends no
// key is anonymous and may chat, and nothing else.
func (k *Keys) caller(secret, class string, address netip.Addr, rates quota.Rates) (turn.Caller, error) {
	c := turn.Caller{Address: address.String(), Class: class, Rate: usualRate(rates, class, false)}
	if k == nil {
		return c, nil
	}
	if secret == "" {
		if class != classChat {
			return c, errKeyNeeded
		}
		return c, nil
	}
	known := find(k.current(), secret)
	if known == nil {
		return c, errUnknownKey
	}
	c.Key, c.Rate, c.Budget = known.Name, usualRate(rates, class, true), turn.Budget{Tokens: known.Tokens, USD: known.USD}
	if !slices.Contains(known.Routes, class) {
		return c, &turn.Refused{Gate: "api_key", Reason: "This API key is not good for this route."}
	}
	if own, ok := known.Limits[class]; ok {
		c.Rate = own
	}
	return c, nil
}

func usualRate(rates quota.Rates, class string, known bool) limits.Rate {
	switch {
	case class == classInternal:
		return rates.Internal
	case known:
		return rates.Authenticated
	}
	return rates.Anonymous
}

// secretOf takes the API key from the headers that clients send it in.
func secretOf(h http.Header) string {
	if scheme, token, ok := strings.Cut(h.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return h.Get("Api-Key")
}
