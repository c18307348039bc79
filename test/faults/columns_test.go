package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"

	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/test/stack"
)

// column is one dependency: how chat is wired to it, and what the figures promise.
type column struct {
	name    string        // in degraded, /health and metrics
	cutoff  time.Duration // of one call
	calls   int           // that a turn makes of it
	open    time.Duration // how long its breaker stays open
	pinged  bool          // meanwhile, it is asked for a sign of life
	around  time.Duration // what a turn does instead while the breaker is open may take this long
	unseen  bool          // chat does not wait for it, and nothing lacks without it
	arrange func(ctx context.Context, w *world, s *system, f *fault) error
}

// most is what a turn may wait for it.
func (c *column) most() time.Duration { return time.Duration(c.calls) * c.cutoff }

var redis = &column{name: limits.Redis.Name, cutoff: limits.Redis.Timeout, calls: 2, open: limits.Redis.Breaker.Open, pinged: true,
	arrange: func(_ context.Context, w *world, s *system, _ *fault) error {
		return s.behind(w, "REDIS_URL", "redis://%s", s.server.Address)
	}}

// graph is Neo4j for both sides, chat and the materialize of a system of its own. Where signals go to Neo4j it is the
// cell's own too.
var graph = &column{name: limits.Neo4jRead.Name, cutoff: limits.Neo4jRead.Timeout, calls: 1, open: limits.Neo4jRead.Breaker.Open, pinged: true,
	arrange: func(ctx context.Context, w *world, s *system, f *fault) (err error) {
		address := strings.TrimPrefix(neo4jURI(), "bolt://")
		if f == dead || f == frozen {
			if s.server, err = stack.StartNeo4j(ctx); err != nil {
				return err
			}
			s.onClose(s.server.Stop)
			store, err := neo4j.Open(ctx, neo4j.Config{URI: s.server.URL})
			if err != nil {
				return err
			}
			s.onClose(store.Close)
			s.graph = store
			address = s.server.Address
		}
		if err := s.behind(w, "NEO4J_URI", "bolt://%s", address); err != nil {
			return err
		}
		up, err := w.newUp(ctx, s, "--neo4j", "bolt://"+s.proxy.Listen)
		if err != nil {
			return err
		}
		s.tell("K_SINK="+up.Broker, "MATERIALIZE_URL="+up.Materialize)
		return nil
	}}

// broker is a system of its own; what materializes directly meanwhile, before the answer, is the shared one.
var broker = &column{name: limits.Broker.Name, cutoff: limits.Broker.Timeout, calls: 1, open: limits.Broker.Breaker.Open,
	around: limits.Materialize.Timeout,
	arrange: func(ctx context.Context, w *world, s *system, _ *fault) error {
		up, err := w.newUp(ctx, s, "--neo4j", neo4jURI(), "--broker", free())
		if err != nil {
			return err
		}
		s.server = &up.Server
		return s.behind(w, "K_SINK", "http://%s", strings.TrimPrefix(up.Broker, "http://"))
	}}

// materialize is a process of its own with an embedded graph, and chat has no broker: it hands turns over directly.
var materialize = &column{name: limits.Materialize.Name, cutoff: limits.Materialize.Timeout, calls: 1, open: limits.Materialize.Breaker.Open,
	arrange: func(ctx context.Context, w *world, s *system, f *fault) error {
		s.dir = filepath.Join(w.dir, s.user)
		if f == fullDisk {
			if err := s.smallDisk(); err != nil {
				return err
			}
		}
		function, err := stack.StartFunction(ctx, w.materialize, "DATA_DIR="+s.dir)
		if err != nil {
			return err
		}
		s.server = &function.Server
		s.onClose(function.Stop)
		store, err := embedded.Open(ctx, filepath.Join(s.dir, "graph.db"))
		if err != nil {
			return err
		}
		s.onClose(store.Close)
		s.graph = store
		s.tell("K_SINK=")
		return s.behind(w, "MATERIALIZE_URL", "http://%s", function.Address)
	}}

// trace is behind the proxy of a system of its own, between its broker and its trace. What has to arrive are decisions.
var trace = &column{name: "trace", unseen: true,
	arrange: func(ctx context.Context, w *world, s *system, _ *fault) error {
		up, err := w.newUp(ctx, s, "--neo4j", neo4jURI(), "--faults", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.tell("K_SINK="+up.Broker, "MATERIALIZE_URL="+up.Materialize)
		s.there = func(ctx context.Context, ids []string) (map[string]int, error) {
			there := map[string]int{}
			for _, id := range ids {
				if status, _, err := s.call(ctx, http.MethodGet, up.Trace+"/decisions/"+id, nil); err == nil && status == http.StatusOK {
					there[id] = 1
				}
			}
			return there, nil
		}
		s.proxy, err = toxiproxy.NewClient(up.Faults).Proxy("trace")
		return err
	}}

// engine is a process of its own, the first of the chain; the local engine follows it. Nothing pings an engine: each call costs.
var engine = &column{name: "engine", cutoff: 2 * time.Second, calls: 1, open: limits.Engine("engine").Breaker.Open,
	arrange: func(ctx context.Context, w *world, s *system, _ *fault) error {
		process, err := stack.StartFunction(ctx, os.Args[0], engineVariable+"=1")
		if err != nil {
			return err
		}
		s.server = &process.Server
		s.onClose(process.Stop)
		file := filepath.Join(w.dir, s.user+".yaml")
		if err := s.through(w, process.Address); err != nil {
			return err
		}
		s.tell("ENGINES_FILE=" + file)
		return os.WriteFile(file, fmt.Appendf(nil,
			"engines: [{name: engine, url: 'http://%s/v1', model: m, timeout: 2s, retries: 0}]", s.proxy.Listen), 0o600)
	}}

// newUp starts `aguante up` for one cell.
func (w *world) newUp(ctx context.Context, s *system, arguments ...string) (up *stack.Up, err error) {
	if s.up, err = stack.StartUp(ctx, w.aguante, filepath.Join(w.dir, s.user), arguments, nil); err != nil {
		return nil, err
	}
	s.onClose(s.up.Stop)
	return s.up, nil
}

// through puts the system's proxy before an address.
func (s *system) through(w *world, address string) (err error) {
	if s.proxy, err = w.proxies.CreateProxy(s.user, "127.0.0.1:0", address); err == nil {
		s.onClose(s.proxy.Delete)
	}
	return err
}

// behind tells chat by a variable of a server that is behind the system's proxy.
func (s *system) behind(w *world, variable, url, address string) error {
	if err := s.through(w, address); err != nil {
		return err
	}
	s.tell(variable + "=" + fmt.Sprintf(url, s.proxy.Listen))
	return nil
}
