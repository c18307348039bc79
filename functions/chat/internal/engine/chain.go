package engine

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Local is the name of the engine that every chain ends with.
const Local = "local"

// Config is what a Chain is made of.
type Config struct {
	File     string              // the engines file; empty: Last alone
	Getenv   func(string) string // gives the keys
	Last     Engine              // the engine that always answers
	Observer guard.Observer
	Tracer   trace.Tracer
	Log      *slog.Logger
}

// Chain asks its engines first to last, each through its own guard, until one answers. Once an engine has begun to
// answer it is not left for another: what follows is the rest of its answer, or ErrCut.
type Chain struct {
	Config
	http *http.Client

	mu      sync.Mutex
	links   []*link
	changed time.Time // the file that links were read from
	looked  time.Time
	fault   error // why the file as it is now is not used
}

// link is one engine of the chain.
type link struct {
	Engine
	spec  Spec
	guard *guard.Guard // nil: it needs none
}

// Open reads the engines file and returns its chain. A file that is wrong is an error now; one that becomes wrong later
// is not taken, and the chain stays as it was.
func Open(c Config) (*Chain, error) {
	chain := &Chain{Config: c, http: &http.Client{Transport: transport(), CheckRedirect: stay}}
	chain.look(time.Now())
	if chain.fault != nil {
		return nil, chain.fault
	}
	return chain, nil
}

// transport keeps connections to engines open. How long to wait for what is up to the engine's own figures.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		TLSHandshakeTimeout: 2 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: limits.ConcurrentChats.Soft,
		IdleConnTimeout:     90 * time.Second,
	}
}

// stay follows no redirect: it would take the key elsewhere.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close closes idle connections.
func (c *Chain) Close() { c.http.CloseIdleConnections() }

// Models are the names that a request may ask for.
func (c *Chain) Models() []string {
	var names []string
	for _, l := range c.current() {
		names = append(names, l.Name())
	}
	return names
}

// Statuses tells each engine's state, and that of the file when it is not taken as it is.
func (c *Chain) Statuses() []guard.Status {
	var all []guard.Status
	for _, l := range c.current() {
		if l.guard != nil {
			all = append(all, l.guard.Status())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		all = append(all, guard.Status{Dependency: "engines file", Zone: limits.ZoneSync, State: "stale", Since: c.looked, LastError: c.fault.Error()})
	}
	return all
}

// current gives the chain as the file has it, which is looked at once a second.
func (c *Chain) current() []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > time.Second {
		c.look(now)
	}
	return c.links
}

// look reads the file if it changed. An engine that is as it was keeps its guard, and so its breaker.
func (c *Chain) look(now time.Time) {
	c.looked = now
	if c.File == "" {
		c.links = []*link{{Engine: c.Last}}
		return
	}
	info, err := os.Stat(c.File)
	if err == nil && info.ModTime().Equal(c.changed) {
		return
	}
	var specs []Spec
	if err == nil {
		specs, err = loadFile(c.File, c.Getenv)
	}
	if err != nil {
		if c.fault == nil || c.fault.Error() != err.Error() {
			c.Log.Error("the engines file is not taken", "error", err)
		}
		c.fault = err
		return
	}
	c.changed, c.fault = info.ModTime(), nil
	c.links = append(c.linksOf(specs), &link{Engine: c.Last})
}

func (c *Chain) linksOf(specs []Spec) []*link {
	links := make([]*link, 0, len(specs)+1)
	for _, s := range specs {
		known := slices.IndexFunc(c.links, func(l *link) bool { return l.spec == s })
		if known >= 0 {
			links = append(links, c.links[known])
			continue
		}
		links = append(links, &link{Engine: &client{spec: s, http: c.http}, spec: s, guard: guard.New(s.dependency(), c.Observer)})
	}
	return links
}
