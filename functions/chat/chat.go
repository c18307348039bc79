// Package chat is the function that answers people and programs: it admits a turn, recalls what is known, asks an
// engine and records what was said. New wires it; the story is in internal/turn.
package chat

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/local"
	"github.com/aguante-chat/aguante/functions/chat/internal/gate"
	"github.com/aguante-chat/aguante/functions/chat/internal/httpapi"
	"github.com/aguante-chat/aguante/functions/chat/internal/quota"
	"github.com/aguante-chat/aguante/functions/chat/internal/session"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/functions/chat/page"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// source names chat in the events that it sends.
const source = "/chat"

// graphFile is the embedded graph's name in DATA_DIR.
const graphFile = "graph.db"

// New wires chat. It needs nothing outside the process to be up: what is down is found by the first turn, and said. The
// error names everything that is wrong with the configuration.
func New(ctx context.Context, c Config) (*serve.Function, error) {
	if c.Telemetry == nil {
		c.Telemetry = telemetry.Nop()
	}
	if c.Getenv == nil {
		c.Getenv = func(string) string { return "" }
	}
	w := &wiring{Config: c, capacity: newCapacity(c.Telemetry)}
	p := turn.Parts{Source: source, Replicas: c.Replicas, TraceContent: c.TraceContent, Telemetry: c.Telemetry, Capacity: w.capacity}
	w.follow(&p) //nolint:contextcheck // files are followed until Close
	err := errors.Join(w.sessions(ctx, &p), w.gates(ctx, &p), w.engines(ctx, &p), w.memory(ctx, &p))
	if err == nil && c.Strict {
		err = w.bad()
	}
	if err == nil {
		w.events(ctx, &p)
	}
	teller := turn.New(p)
	w.capacity.Breakers = teller.Statuses
	f, edgeErr := w.edge(teller)
	if err = errors.Join(err, edgeErr); err != nil {
		return nil, errors.Join(fmt.Errorf("chat: %w", err), w.close(ctx))
	}
	w.background(ctx, w.capacity.Run)
	return f, nil
}

// wiring is chat while it is put together, and what has to be closed in the end, last made first.
type wiring struct {
	Config
	capacity *capacity.Capacity
	chain    *chain.Chain
	store    *session.Store
	policy   *gate.Policy
	quota    *quota.File
	sweep    func(context.Context) error // nil: there is no outbox to empty
	flags    *serve.Flags
	closers  []func(context.Context) error
}

func (w *wiring) onClose(f func(context.Context) error) { w.closers = append(w.closers, f) }

func (w *wiring) close(ctx context.Context) error {
	var faults []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		faults = append(faults, w.closers[i](ctx))
	}
	w.closers = nil
	return errors.Join(faults...)
}

// follow reads flags and limits. Bad files of these, and of engines, do not stop chat: it goes on with what is usual, and
// says so in /health.
func (w *wiring) follow(p *turn.Parts) {
	w.flags, w.quota = serve.FollowFlags(w.FlagsFile, w.Telemetry.Log), quota.Open(w.LimitsFile, w.Telemetry.Log)
	p.Flags = w.flags
	w.onClose(func(context.Context) error { w.flags.Close(); return nil })
}

// bad names the files that chat goes on without.
func (w *wiring) bad() error {
	var faults []error
	for _, file := range []struct{ name, fault string }{
		{"engines file", w.chain.Fault()}, {"flags file", w.flags.Fault()}, {"limits file", w.quota.Fault()},
	} {
		if file.fault != "" {
			faults = append(faults, fmt.Errorf("%s: %s", file.name, file.fault))
		}
	}
	return errors.Join(faults...)
}

// mayCost is what engines may cost in USD.
func (w *wiring) mayCost() (hour, day float64) {
	s := w.quota.Now().Spend
	return s.PerHour, s.PerDay
}

func (w *wiring) engines(ctx context.Context, p *turn.Parts) error {
	spend := chain.NewSpend(chain.SpendConfig{Limits: w.mayCost, Log: w.Telemetry.Log})
	if w.store != nil {
		spend.Store, spend.Redis = w.store, p.Redis
	}
	engines, err := chain.Open(chain.Config{
		File: w.EnginesFile, Getenv: w.Getenv, Last: local.Engine{},
		Observer: w.Telemetry, Tracer: w.Telemetry.Tracer, Meter: w.Telemetry.Meter, Log: w.Telemetry.Log, Spend: spend,
	})
	if err != nil {
		return err
	}
	p.Engines, w.chain, w.capacity.Spend = engines, engines, spend.Level
	w.background(ctx, spend.Run)
	w.onClose(func(context.Context) error { engines.Close(); return nil })
	return nil
}

func (w *wiring) sessions(ctx context.Context, p *turn.Parts) error {
	if w.RedisURL == "" {
		return nil
	}
	store, err := session.New(w.RedisURL)
	if err != nil {
		return err
	}
	w.store = store
	p.Sessions, p.Archive, p.Redis = store, store, guard.New(limits.Redis, w.capacity.ObserveRedis(w.Telemetry))
	w.onClose(func(context.Context) error { return store.Disconnect() })
	w.background(ctx, func(ctx context.Context) { p.Redis.Watch(ctx, store.Ping) })
	keeper := session.NewKeeper(store, p.Redis)
	p.Streams = keeper
	w.onClose(func(context.Context) error { keeper.Close(); return nil })
	return nil
}

// gates are asked in the order of what they cost: the key's budget, the policy for messages, the heuristic.
func (w *wiring) gates(ctx context.Context, p *turn.Parts) (err error) {
	if w.policy, err = gate.Open(w.PolicyFile, w.Telemetry.Log); err != nil {
		return err
	}
	var ledger gate.Ledger
	if w.store != nil {
		ledger = w.store
	}
	budget := gate.NewBudget(ledger, p.Redis)
	w.background(ctx, budget.Run)
	p.Gates, p.Meter = []turn.Gate{budget, gate.Messages{Policy: w.policy}, gate.Injection{Policy: w.policy}}, budget
	return nil
}

// memory opens the graph: the one that is given, Neo4j, or the embedded one.
func (w *wiring) memory(ctx context.Context, p *turn.Parts) error {
	dependency, store := limits.Neo4jRead, w.Graph
	if w.Neo4jURI == "" {
		dependency.Name = "graph" // it must not look like a Neo4j that is down
	}
	w.capacity.GraphName = dependency.Name
	var err error
	switch {
	case store != nil:
	case w.Neo4jURI != "":
		store, err = neo4j.Open(ctx, neo4j.Config{URI: w.Neo4jURI, Username: w.Neo4jUsername, Password: w.Neo4jPassword})
	case w.DataDir != "":
		store, err = embedded.Open(ctx, filepath.Join(w.DataDir, graphFile))
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if w.Graph == nil {
		w.onClose(func(context.Context) error { return store.Close() })
	}
	p.Memory, p.Graph = store, guard.New(dependency, w.capacity.ObserveGraph(w.Telemetry))
	w.background(ctx, func(ctx context.Context) { p.Graph.Watch(ctx, store.Ping) })
	return nil
}

// events makes the ways out: the sender of what must survive, the buffer of decision traces, and the drainer that
// empties the outbox when the broker takes events again.
func (w *wiring) events(ctx context.Context, p *turn.Parts) {
	c := event.SenderConfig{Broker: w.Sink, Observer: w.Telemetry, Lost: w.Telemetry.Metrics.EventsLost, Log: w.Telemetry.Log}
	if w.MaterializeURL != "" {
		// Not user.forgotten: trace must hear of it too, so it waits in the outbox for the broker.
		c.Direct = map[string]string{event.TurnCompleted: w.MaterializeURL}
	}
	if w.store != nil {
		c.Outbox = w.store
	}
	sender := event.NewSender(c)
	p.Outbox = sender
	w.onClose(func(ctx context.Context) error { sender.Close(ctx); return nil })
	if w.Sink != "" {
		buffer := event.NewBuffer(sender, w.Telemetry.Metrics.DecisionsDropped)
		p.Publisher = buffer
		w.onClose(func(ctx context.Context) error { buffer.Close(ctx); return nil })
	}
	if w.store != nil && (w.Sink != "" || w.MaterializeURL != "") {
		w.drain(ctx, sender, p.Redis)
	}
}

func (w *wiring) drain(ctx context.Context, sender *event.Sender, redis *guard.Guard) {
	d := &session.Drainer{
		Store: w.store, Redis: redis, Consumer: uuid.NewString(), Post: sender.Post, Defer: w.deferred(),
		Waiting: w.Telemetry.Metrics.OutboxTurns, Log: w.Telemetry.Log,
	}
	w.sweep = d.Drain
	w.background(ctx, d.Run)
}

// background runs what chat does beside its turns, until it closes.
func (w *wiring) background(ctx context.Context, run func(context.Context)) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	w.onClose(func(context.Context) error { stop(); running.Wait(); return nil })
}

// edge makes the handler around the teller.
func (w *wiring) edge(teller *turn.Teller) (*serve.Function, error) {
	proxies, err := httpapi.ParseProxies(w.TrustedProxies)
	keys, keysErr := httpapi.OpenKeys(w.KeysFile, w.Telemetry.Log)
	if err = errors.Join(err, keysErr); err != nil || w.chain == nil {
		return nil, err
	}
	health := func() serve.Health { return w.health(teller, keys) }
	handler, err := httpapi.New(httpapi.Parts{
		Teller: teller, Models: w.chain.Models, Keys: keys, Quota: w.quota, Proxies: proxies, Health: health, Sweep: w.sweep,
		Page: page.Options{TraceURL: w.TraceURL, MaxMessage: limits.MaxMessage}, Telemetry: w.Telemetry,
	})
	if err != nil {
		return nil, err
	}
	return &serve.Function{Name: "chat", Handler: handler, Health: health, Close: w.close}, nil
}

// followed is a file that is read again when it changes.
type followed interface {
	Fault() string // why it is not used as it is, or nothing
	FaultSince() time.Time
}

// health is that of the dependencies, and of the files that are followed while chat runs.
func (w *wiring) health(teller *turn.Teller, keys *httpapi.Keys) serve.Health {
	statuses := append(teller.Statuses(), w.capacity.Statuses()...)
	for _, file := range []struct {
		name string
		followed
	}{{"flags file", w.flags}, {"limits file", w.quota}, {"keys file", keys}, {"policy file", w.policy}} {
		if fault := file.Fault(); fault != "" {
			statuses = append(statuses, guard.Status{Dependency: file.name, Zone: limits.ZoneSync, State: "bad", Since: file.FaultSince(), LastError: fault})
		}
	}
	return serve.NewHealth(statuses...)
}
