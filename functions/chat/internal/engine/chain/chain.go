// Package chain asks engines first to last until one answers, and goes on with the next when one breaks off: retries,
// hand-over, hedges and spend are decided here. An engine makes one attempt and gives its error back.
package chain

import (
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/openai"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Config is what a Chain is made of.
type Config struct {
	File     string              // the engines file; empty: Last alone
	Getenv   func(string) string // gives the keys
	Last     engine.Engine       // the engine that always answers
	Observer guard.Observer
	Tracer   trace.Tracer
	Meter    metric.Meter
	Log      *slog.Logger
	Spend    *Spend // nil: what engines cost is not counted
}

// What is said of an engines file that is not taken, in /health and in answers.
const (
	engineFile = "engines file"
	bad        = "bad"
)

// Chain is the engines, first to last, each behind its own guard.
type Chain struct {
	Config
	transport *http.Transport
	genai     genai
	retries   *share
	hedges    *share

	mu      sync.Mutex
	links   []*link
	changed time.Time // the file that links were read from
	looked  time.Time
	fault   error     // why the file as it is now is not used
	since   time.Time // when it was first not used
}

// link is one engine of the chain.
type link struct {
	engine.Engine
	spec  *Spec
	guard *guard.Guard // nil: it needs none

	firsts, wholes latencies // until the first piece of a stream, until an answer that is none
}

// Open reads the engines file and returns its chain. A file that is wrong is not taken: the chain stays as it was, which is
// Last alone at the start. Answers say so until there was a good one.
func Open(c Config) (*Chain, error) {
	instruments, err := newGenAI(c.Meter)
	if err != nil {
		return nil, err
	}
	chain := &Chain{
		Config: c, transport: openai.NewTransport(), genai: instruments,
		retries: newShare(limits.Retries), hedges: newShare(limits.Hedges),
	}
	chain.links = []*link{chain.last()}
	chain.look(time.Now())
	return chain, nil
}

// Fault says why the engines file as it is now is not used, or nothing.
func (c *Chain) Fault() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault == nil {
		return ""
	}
	return c.fault.Error()
}

// unread says whether there is an engines file, and never was a good one.
func (c *Chain) unread() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault != nil && c.changed.IsZero()
}

// Close closes idle connections.
func (c *Chain) Close() { c.transport.CloseIdleConnections() }

// Models are the names that a request may ask for.
func (c *Chain) Models() []string {
	var names []string
	for _, l := range c.current() {
		names = append(names, l.Name())
	}
	return names
}

// Statuses tells each engine's state, that of the file when it is not taken as it is, and that of a spend limit that
// was reached.
func (c *Chain) Statuses() []guard.Status {
	all := c.Spend.statuses()
	for _, l := range c.current() {
		if l.guard != nil {
			all = append(all, l.guard.Status())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		all = append(all, guard.Status{Dependency: engineFile, Zone: limits.ZoneSync, State: bad, Since: c.since, LastError: c.fault.Error()})
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
		if c.fault == nil {
			c.since = now
		}
		if c.fault == nil || c.fault.Error() != err.Error() {
			c.Log.Error("the engines file is not taken", "error", err)
		}
		c.fault = err
		return
	}
	c.changed, c.fault = info.ModTime(), nil
	c.links = append(c.linksOf(specs), c.last())
}

func (c *Chain) last() *link { return &link{Engine: c.Last, spec: &Spec{Name: c.Last.Name()}} }

func (c *Chain) linksOf(specs []Spec) []*link {
	links := make([]*link, 0, len(specs)+1)
	for i := range specs {
		s := &specs[i]
		known := slices.IndexFunc(c.links, func(l *link) bool { return l.spec.same(s) })
		if known >= 0 {
			links = append(links, c.links[known])
			continue
		}
		links = append(links, &link{Engine: openai.New(s.client(), c.transport), spec: s, guard: guard.New(s.dependency(), c.Observer)})
	}
	return links
}
