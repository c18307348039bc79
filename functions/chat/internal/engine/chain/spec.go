package chain

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml/ast"
	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/net/http/httpguts"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/openai"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Spec is one engine of the engines file.
type Spec struct {
	Name       string            `yaml:"name"`
	URL        string            `yaml:"url"`          // an OpenAI-compatible base URL
	Model      string            `yaml:"model"`        // empty: the one that the caller names
	APIKeyEnv  string            `yaml:"api_key_env"`  // the variable that holds the key
	APIKeyFile string            `yaml:"api_key_file"` // or the file
	Headers    map[string]string `yaml:"headers"`      // sent with each request
	Timeout    Duration          `yaml:"timeout"`      // of one attempt, the whole answer; default limits.Inference
	FirstToken Duration          `yaml:"first_token"`  // of a stream; default limits.FirstToken
	Stall      Duration          `yaml:"stall"`        // the longest silence inside a stream; default limits.Stall
	Retries    *int              `yaml:"retries"`      // beyond the first attempt; default 1
	Hedge      bool              `yaml:"hedge"`        // when it is slower than it mostly is, the next engine is started too
	Weight     int               `yaml:"weight"`       // engines with a weight, one after the other, share their place
	Context    int               `yaml:"context"`      // tokens it can take
	Price      Price             `yaml:"price"`
	Breaker    Breaker           `yaml:"breaker"`

	key        string
	attributes []attribute.KeyValue // of its spans and metrics
	name       string               // of its spans
	known      *atomic.Pointer[labels]
}

// Price is in USD per million tokens.
type Price struct {
	Input  float64 `yaml:"input"`
	Output float64 `yaml:"output"`
}

// Breaker changes when an engine's breaker opens, and how long it stays open at most: the first time 20 s or less,
// doubling up to Open while probes fail.
type Breaker struct {
	Failures int      `yaml:"failures"`
	Open     Duration `yaml:"open"`
}

// Duration is a time.Duration that YAML has as "5s" or "2m".
type Duration time.Duration

// UnmarshalYAML names the place of what is none.
func (d *Duration) UnmarshalYAML(node ast.Node) error {
	token := node.GetToken()
	parsed, err := time.ParseDuration(token.Value)
	if err != nil {
		return fmt.Errorf("[%d:%d] %q is no duration such as 5s or 2m", token.Position.Line, token.Position.Column, token.Value)
	}
	*d = Duration(parsed)
	return nil
}

// Bounds of a Spec.
const (
	maxRetries = 5
	maxWeight  = 1000
)

// complete fills in the defaults and the key.
func (s *Spec) complete(getenv func(string) string) {
	s.URL = strings.TrimSuffix(s.URL, "/")
	s.Timeout = cmp.Or(s.Timeout, Duration(limits.Inference))
	s.FirstToken = cmp.Or(s.FirstToken, Duration(limits.FirstToken))
	s.Stall = cmp.Or(s.Stall, Duration(limits.Stall))
	if s.Retries == nil {
		once := 1
		s.Retries = &once
	}
	if s.APIKeyEnv != "" {
		s.key = getenv(s.APIKeyEnv)
	}
	s.attributes, s.name, s.known = s.genAI(), "chat "+s.Model, &atomic.Pointer[labels]{}
}

// faults tells what is wrong with s, where names are those of the engines before it.
func (s *Spec) faults(names map[string]bool) []string {
	var faults []string
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, text)
		}
	}
	u, err := url.Parse(s.URL)
	fault(s.Name == "", "name is missing")
	fault(names[s.Name], "name is taken by an engine before it")
	fault(s.Name == engine.Local, "name is that of the engine that always follows")
	fault(s.URL == "", "url is missing")
	fault(s.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https"), "url is not an http or https address")
	fault(s.APIKeyEnv != "" && s.APIKeyFile != "", "api_key_env and api_key_file are both there")
	fault(s.APIKeyEnv != "" && s.key == "", "api_key_env "+s.APIKeyEnv+" is not set")
	fault(min(s.Timeout, s.FirstToken, s.Stall, s.Breaker.Open) < 0, "a duration is negative")
	fault(*s.Retries < 0 || *s.Retries > maxRetries, fmt.Sprintf("retries are not 0 to %d", maxRetries))
	fault(s.Weight < 0 || s.Weight > maxWeight, fmt.Sprintf("weight is not 0 to %d", maxWeight))
	fault(s.Context < 0, "context is negative")
	fault(min(s.Price.Input, s.Price.Output) < 0, "a price is negative")
	fault(s.Breaker.Failures < 0, "breaker.failures are negative")
	for name, value := range s.Headers {
		fault(!httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value), "header "+name+" is none that HTTP can send")
		fault(ours[http.CanonicalHeaderKey(name)], "header "+name+" is set by chat; a key goes by api_key_env or api_key_file")
	}
	return faults
}

// ours are the headers that a file cannot set.
var ours = map[string]bool{
	"Authorization": true, "Content-Type": true, "Content-Length": true, "Accept-Encoding": true, "Host": true,
	"Connection": true, "Transfer-Encoding": true, "Traceparent": true, openai.HopHeader: true, openai.TimeoutHeader: true,
}

// same tells whether an engine that is as s may go on as o.
func (s *Spec) same(o *Spec) bool {
	a, b := *s, *o
	a.known, b.known = nil, nil
	return reflect.DeepEqual(a, b)
}

// dependency is the engine's guard: the figures', unless the file says otherwise.
func (s *Spec) dependency() limits.Dependency {
	d := limits.Engine(s.Name)
	d.Timeout = time.Duration(s.Timeout)
	d.Breaker.Failures = cmp.Or(s.Breaker.Failures, d.Breaker.Failures)
	if s.Breaker.Open > 0 {
		d.Breaker.MaxOpen = time.Duration(s.Breaker.Open)
		d.Breaker.Open = min(d.Breaker.Open, d.Breaker.MaxOpen)
	}
	return d
}

// client is how the engine is spoken to.
func (s *Spec) client() openai.Config {
	return openai.Config{
		Name: s.Name, URL: s.URL, Model: s.Model, Key: s.key, KeyFile: s.APIKeyFile, Headers: s.Headers,
		FirstToken: time.Duration(s.FirstToken), Stall: time.Duration(s.Stall),
	}
}

// cost is what an answer costs, in USD.
func (p Price) cost(u engine.Usage) float64 {
	return (float64(u.PromptTokens)*p.Input + float64(u.CompletionTokens)*p.Output) / 1e6
}

func (p Price) free() bool   { return p == Price{} }
func (p Price) sum() float64 { return p.Input + p.Output }
