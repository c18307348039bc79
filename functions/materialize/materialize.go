// Package materialize is the function that turns finished turns into a memory graph: events in, facts out.
package materialize

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/aguante-chat/aguante/functions/materialize/internal/materialize"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// graphFile is the embedded graph's name in DATA_DIR.
const graphFile = "graph.db"

type function struct {
	Config
	worker *materialize.Worker
	guard  *guard.Guard
	flags  *serve.Flags

	stop     context.CancelFunc // of watching the graph
	watching sync.WaitGroup
}

// New wires materialize. It starts with Neo4j down: events are answered 503 until it is back.
func New(ctx context.Context, c Config) (*serve.Function, error) {
	c.Telemetry = cmp.Or(c.Telemetry, telemetry.Nop())
	f := &function{Config: c}
	store, dependency, err := f.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("materialize: %w", err)
	}
	f.flags = serve.FollowFlags(c.FlagsFile, c.Telemetry.Log)
	if fault := f.flags.Fault(); c.Strict && fault != "" {
		f.flags.Close()
		return nil, errors.Join(fmt.Errorf("materialize: flags file: %s", fault), f.release(store))
	}
	f.guard = guard.New(dependency, c.Telemetry)
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	f.watching.Go(func() { f.guard.Watch(ctx, store.Ping) })
	f.worker = materialize.New(materialize.Parts{Store: store, Guard: f.guard, Flags: f.flags, Memory: serve.NewMemory(cmp.Or(c.Memory, limits.WorkerMemory)).Used, Telemetry: c.Telemetry})
	return &serve.Function{Name: "materialize", Handler: f.routes(), Health: f.health,
		Close: func(ctx context.Context) error { return f.close(ctx, store) }}, nil
}

// open gives the graph: the one that is given, Neo4j, or the embedded one.
func (f *function) open(ctx context.Context) (graph.Store, limits.Dependency, error) {
	d := limits.Neo4jWrite
	if f.Neo4jURI != "" {
		if f.Graph != nil {
			return f.Graph, d, nil
		}
		store, err := neo4j.Open(ctx, neo4j.Config{URI: f.Neo4jURI, Username: f.Neo4jUsername, Password: f.Neo4jPassword})
		return store, d, err
	}
	d.Name = "graph" // it must not look like a Neo4j that is down
	if f.Graph != nil {
		return f.Graph, d, nil
	}
	store, err := embedded.Open(ctx, filepath.Join(cmp.Or(f.DataDir, ".aguante"), graphFile))
	return store, d, err
}

func (f *function) release(store graph.Store) error {
	if f.Graph != nil {
		return nil
	}
	return store.Close()
}

func (f *function) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/{$}", event.Handler(materialize.Source, f.worker.Take,
		event.HandlerOptions{HopsRefused: f.Telemetry.Metrics.HopsRefused, Log: f.Telemetry.Log}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		serve.Problem(w, r, http.StatusNotFound, "No such route", "Send events to /.", nil)
	})
	serve.Probes(mux, f.health)
	return mux
}

func (f *function) health() serve.Health {
	statuses := []guard.Status{f.guard.Status()}
	if fault := f.flags.Fault(); fault != "" {
		statuses = append(statuses, guard.Status{Dependency: "flags file", Zone: limits.ZoneAsync, State: "bad", Since: f.flags.FaultSince(), LastError: fault})
	}
	h := serve.NewHealth(statuses...)
	h.Load = f.worker.Load()
	return h
}

// close writes what has been taken before it lets the store go.
func (f *function) close(ctx context.Context, store graph.Store) error {
	err := f.worker.Close(ctx)
	f.stop()
	f.watching.Wait()
	f.flags.Close()
	return errors.Join(err, f.release(store))
}
