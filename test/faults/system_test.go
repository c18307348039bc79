package faults

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/test/stack"
)

// key is the API key of the cells: their pace is not what is tested.
const key = "a-key-for-the-fault-matrix"

// column is one dependency: how chat is wired to it, and what the figures promise.
type column struct {
	name   string        // in degraded, /health and metrics
	cutoff time.Duration // of one call
	calls  int           // that a turn makes of it
	open   time.Duration // how long its breaker stays open
	pinged bool          // meanwhile, it is asked for a sign of life
	unseen bool          // chat does not wait for it, and nothing lacks without it
	start  func(ctx context.Context, w *world, f *fault) (*system, error)
}

// most is what a turn may wait for it.
func (c *column) most() time.Duration { return time.Duration(c.calls) * c.cutoff }

var redis = &column{name: "redis", cutoff: limits.Redis.Timeout, calls: 2, open: limits.Redis.Breaker.Open, pinged: true,
	start: func(ctx context.Context, w *world, _ *fault) (*system, error) {
		return w.system(ctx, func(s *system) error {
			server, err := stack.StartRedis(ctx)
			if err != nil {
				return err
			}
			s.server, s.closers = server, append(s.closers, server.Stop)
			return s.behind(w, "REDIS_URL", "redis://%s", server.Address)
		})
	}}

// world is what all cells share.
type world struct {
	chat, aguante string // binaries
	keys          string // file
	proxies       *toxiproxy.ApiServer
	up            *stack.Up // its broker and its materialize
	graph         *neo4j.Store
	controls      chan *system
	closers       []func() error
	users         atomic.Int64
}

// crowd is how many cells are measured at once, each beside a control of its own.
const crowd = 2

func newWorld(ctx context.Context, dir string) (w *world, err error) {
	w = &world{keys: filepath.Join(dir, "keys.yaml"), controls: make(chan *system, crowd),
		proxies: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	keys := fmt.Sprintf("keys: [{name: faults, sha256: %x, routes: [chat, internal], limits: {chat: {per_minute: 600000, burst: 100000}}}]", sha256.Sum256([]byte(key)))
	if err := os.WriteFile(w.keys, []byte(keys), 0o600); err != nil {
		return w, err
	}
	if w.aguante, err = stack.Build(ctx, dir); err != nil {
		return w, err
	}
	if w.chat, err = stack.BuildFunction(ctx, dir, "chat"); err != nil {
		return w, err
	}
	if w.up, err = stack.StartUp(ctx, w.aguante, filepath.Join(dir, "up"), []string{"--neo4j", neo4jURI()}, nil); err != nil {
		return w, err
	}
	w.closers = append(w.closers, w.up.Stop)
	if w.graph, err = neo4j.Open(ctx, neo4j.Config{URI: neo4jURI()}); err != nil {
		return w, err
	}
	w.closers = append(w.closers, w.graph.Close)
	for range crowd {
		control, err := redis.start(ctx, w, nil)
		if err != nil {
			return w, err
		}
		w.closers = append(w.closers, control.close)
		w.controls <- control
	}
	return w, nil
}

func neo4jURI() string { return os.Getenv(stack.Neo4jVariable) }

func (w *world) close() (err error) {
	for i := len(w.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, w.closers[i]())
	}
	return err
}

// enter waits until a control is free, and leave frees it.
func (w *world) enter() *system { return <-w.controls }

func (w *world) leave(control *system) { w.controls <- control }

// system is chat as a process, and around it what it needs. One dependency is behind a proxy.
type system struct {
	chat   *stack.Function
	proxy  *toxiproxy.Proxy
	server *stack.Server // the dependency itself
	client http.Client
	graph  *neo4j.Store
	user   string
	said   atomic.Int64

	environment []string
	closers     []func() error

	mu       sync.Mutex
	answered []string // turns
}

// system starts chat with everything well, and what arrange changes of that.
func (w *world) system(ctx context.Context, arrange func(s *system) error) (*system, error) {
	s := &system{graph: w.graph, user: fmt.Sprintf("faults-%d-%d", time.Now().UnixNano(), w.users.Add(1)), client: http.Client{Timeout: time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 2 * callers}}}
	s.environment = []string{"KEYS_FILE=" + w.keys, "NEO4J_URI=" + neo4jURI(), "NEO4J_USERNAME=",
		"K_SINK=" + w.up.Broker, "MATERIALIZE_URL=" + w.up.Materialize}
	err := arrange(s)
	if err == nil {
		s.chat, err = stack.StartFunction(ctx, w.chat, s.environment...)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.closers = append(s.closers, s.chat.Stop)
	return s, nil
}

// behind tells chat by a variable of a server that is behind the system's proxy.
func (s *system) behind(w *world, variable, url, address string) error {
	s.proxy = toxiproxy.NewProxy(w.proxies, s.user, "127.0.0.1:0", address)
	if err := s.proxy.Start(); err != nil {
		return err
	}
	s.closers = append(s.closers, func() error { s.proxy.Stop(); return nil })
	s.environment = append(s.environment, variable+"="+fmt.Sprintf(url, s.proxy.Listen))
	return nil
}

func (s *system) close() (err error) {
	s.client.CloseIdleConnections()
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	return err
}

// arriving is how long turns may take into the graph: a delivery that failed is tried again after 10, 20 and 40 s.
const arriving = 90 * time.Second

// account waits until all answered turns are in the graph, and counts those that are not, and those that are there twice.
func (s *system) account(ctx context.Context) (answered, lost, twice int) {
	s.mu.Lock()
	ids := s.answered
	s.mu.Unlock()
	for end := time.Now().Add(arriving); ; time.Sleep(time.Second) {
		there := map[string]int{}
		turns, err := s.graph.Session(ctx, s.user, "s", 10*len(ids))
		for _, t := range turns {
			there[t.ID]++
		}
		lost, twice = 0, 0
		for _, id := range ids {
			switch n := there[id]; {
			case n == 0:
				lost++
			case n > 1:
				twice++
			}
		}
		if err == nil && lost == 0 || time.Now().After(end) || ctx.Err() != nil {
			return len(ids), lost, twice
		}
	}
}
