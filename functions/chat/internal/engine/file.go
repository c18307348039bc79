package engine

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Spec is one engine of the engines file.
type Spec struct {
	Name       string   `yaml:"name"`
	URL        string   `yaml:"url"`          // an OpenAI-compatible base URL
	Model      string   `yaml:"model"`        // empty: the one that the caller names
	APIKeyEnv  string   `yaml:"api_key_env"`  // the variable that holds the key
	APIKeyFile string   `yaml:"api_key_file"` // or the file
	Timeout    Duration `yaml:"timeout"`      // of one attempt, the whole answer; default limits.Inference
	FirstToken Duration `yaml:"first_token"`  // of a stream; default 5 s
	Stall      Duration `yaml:"stall"`        // the longest silence inside a stream; default 10 s
	Retries    int      `yaml:"retries"`      // beyond the first attempt
	Context    int      `yaml:"context"`      // tokens it can take
	Price      Price    `yaml:"price"`
	Breaker    Breaker  `yaml:"breaker"`

	key string
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

// Defaults of a Spec.
const (
	firstToken = Duration(5 * time.Second)
	stall      = Duration(10 * time.Second)
	maxRetries = 5
)

// loadFile reads an engines file. Its error names every fault with its line. getenv gives the keys.
func loadFile(path string, getenv func(string) string) ([]Spec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("engines file: %w", err)
	}
	specs, err := parseFile(text, getenv)
	if err != nil {
		return nil, fmt.Errorf("engines file %s: %w", path, err)
	}
	return specs, nil
}

func parseFile(text []byte, getenv func(string) string) ([]Spec, error) {
	var file struct {
		Engines []Spec `yaml:"engines"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	var faults []error
	names := map[string]bool{}
	for i := range file.Engines {
		s := &file.Engines[i]
		s.complete(getenv)
		for _, fault := range s.faults(names) {
			faults = append(faults, fmt.Errorf("line %d: engine %q: %s", lineOf(text, i), s.Name, fault))
		}
		names[s.Name] = true
	}
	return file.Engines, errors.Join(faults...)
}

// complete fills in the defaults and the key.
func (s *Spec) complete(getenv func(string) string) {
	s.URL = strings.TrimSuffix(s.URL, "/")
	s.Timeout = cmp.Or(s.Timeout, Duration(limits.Inference))
	s.FirstToken = cmp.Or(s.FirstToken, firstToken)
	s.Stall = cmp.Or(s.Stall, stall)
	if s.APIKeyEnv != "" {
		s.key = getenv(s.APIKeyEnv)
	}
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
	fault(s.Name == Local, "name is that of the engine that always follows")
	fault(s.URL == "", "url is missing")
	fault(s.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https"), "url is not an http or https address")
	fault(s.APIKeyEnv != "" && s.APIKeyFile != "", "api_key_env and api_key_file are both there")
	fault(s.APIKeyEnv != "" && s.key == "", "api_key_env "+s.APIKeyEnv+" is not set")
	fault(min(s.Timeout, s.FirstToken, s.Stall, s.Breaker.Open) < 0, "a duration is negative")
	fault(s.Retries < 0 || s.Retries > maxRetries, fmt.Sprintf("retries are not 0 to %d", maxRetries))
	fault(s.Context < 0, "context is negative")
	fault(min(s.Price.Input, s.Price.Output) < 0, "a price is negative")
	fault(s.Breaker.Failures < 0, "breaker.failures are negative")
	return faults
}

// lineOf gives the line on which the engine with index i begins.
func lineOf(text []byte, i int) int {
	path, err := yaml.PathString(fmt.Sprintf("$.engines[%d]", i))
	if err != nil {
		return 0
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return 0
	}
	node, err := path.FilterFile(file)
	if err != nil {
		return 0
	}
	return node.GetToken().Position.Line
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
