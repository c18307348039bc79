package faults

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	server "github.com/Shopify/toxiproxy/v2"
	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
	"github.com/rs/zerolog"

	memory "github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/test/stack"
)

// key is the API key of the cells: their pace is not what is tested.
const key = "a-key-for-the-fault-matrix"

// world is what all cells share.
type world struct {
	dir                        string
	chat, materialize, aguante string // binaries
	keys                       string // file
	proxies                    *toxiproxy.Client
	up                         *stack.Up // its broker and its materialize
	graph                      *neo4j.Store
	controls                   chan *system
	closers                    []func() error
	users                      atomic.Int64
}

// crowd is how many cells are measured at once, each beside a control of its own; alive is how many there are at once,
// most of them waiting for their recovery.
const (
	crowd = 3
	alive = 9
)

func newWorld(ctx context.Context, dir string) (w *world, err error) {
	w = &world{dir: dir, keys: filepath.Join(dir, "keys.yaml"), controls: make(chan *system, crowd)}
	if err := errors.Join(w.build(ctx), w.serve(ctx)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	for range crowd {
		control, err := w.start(ctx, cell{of: redis})
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.closers = append(w.closers, control.close)
		w.controls <- control
	}
	return w, nil
}

func (w *world) build(ctx context.Context) (err error) {
	keys := fmt.Sprintf("keys: [{name: faults, sha256: %x, routes: [chat, internal], limits: {chat: {per_minute: 600000, burst: 100000}}}]", sha256.Sum256([]byte(key)))
	if err := os.WriteFile(w.keys, []byte(keys), 0o600); err != nil {
		return err
	}
	if w.aguante, err = stack.Build(ctx, w.dir); err != nil {
		return err
	}
	if w.materialize, err = stack.BuildFunction(ctx, w.dir, "materialize"); err != nil {
		return err
	}
	w.chat, err = stack.BuildFunction(ctx, w.dir, "chat")
	return err
}

// serve starts what all cells share: a system of its own, and Toxiproxy.
func (w *world) serve(ctx context.Context) (err error) {
	if w.up, err = stack.StartUp(ctx, w.aguante, filepath.Join(w.dir, "up"), []string{"--neo4j", neo4jURI()}, nil); err != nil {
		return err
	}
	w.closers = append(w.closers, w.up.Stop)
	if w.graph, err = neo4j.Open(ctx, neo4j.Config{URI: neo4jURI()}); err != nil {
		return err
	}
	w.closers = append(w.closers, w.graph.Close)
	address := free()
	host, port, _ := net.SplitHostPort(address)
	go server.NewServer(server.NewMetricsContainer(nil), zerolog.Nop()).Listen(host, port)
	w.proxies = toxiproxy.NewClient(address)
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if _, err := w.proxies.Proxies(); err == nil {
			return nil
		}
	}
	return ctx.Err()
}

func neo4jURI() string { return os.Getenv(stack.Neo4jVariable) }

// free is an address that nothing listens on.
func free() string {
	address, err := stack.FreeAddress()
	if err != nil {
		panic(err) // there is no loopback
	}
	return address
}

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
	up     *stack.Up     // broker, materialize and trace, where they are the cell's own
	client http.Client
	graph  interface {
		Session(ctx context.Context, user, sessionID string, limit int) ([]memory.Turn, error)
	}
	dir   string // of the embedded graph, where there is one
	user  string
	said  atomic.Int64
	there func(ctx context.Context, ids []string) (map[string]int, error) // how often each turn arrived

	environment []string
	closers     []func() error

	mu       sync.Mutex
	answered []string // turns
}

// start starts chat with a Redis of its own and everything well, arranged as the cell's column wants it.
func (w *world) start(ctx context.Context, c cell) (*system, error) {
	s := &system{graph: w.graph, user: fmt.Sprintf("faults-%d-%d", time.Now().UnixNano(), w.users.Add(1)), client: http.Client{Timeout: time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	s.there = s.inGraph
	redis, err := stack.StartRedis(ctx)
	if err != nil {
		return nil, err
	}
	s.server = redis
	s.onClose(redis.Stop)
	s.tell("KEYS_FILE="+w.keys, "REDIS_URL="+redis.URL, "NEO4J_URI="+neo4jURI(), "NEO4J_USERNAME=",
		"K_SINK="+w.up.Broker, "MATERIALIZE_URL="+w.up.Materialize)
	if err = c.of.arrange(ctx, w, s, c.fault); err == nil {
		s.chat, err = stack.StartFunction(ctx, w.chat, s.environment...)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.onClose(s.chat.Stop)
	return s, nil
}

// tell gives chat a variable; the last one of a name counts.
func (s *system) tell(variables ...string) { s.environment = append(s.environment, variables...) }

func (s *system) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *system) close() (err error) {
	s.client.CloseIdleConnections()
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	return err
}

// arriving is how long turns may take: a delivery that failed is tried again after 10, 20, 40 and 80 s.
const arriving = 3 * time.Minute

// account waits until all answered turns are there, and counts those that are not, and those that are there twice.
func (s *system) account(ctx context.Context) (answered, lost, twice int) {
	s.mu.Lock()
	ids := s.answered
	s.mu.Unlock()
	for end := time.Now().Add(arriving); ; time.Sleep(2 * time.Second) {
		there, err := s.there(ctx, ids)
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

// inGraph counts the system's turns in the graph.
func (s *system) inGraph(ctx context.Context, ids []string) (map[string]int, error) {
	there := map[string]int{}
	turns, err := s.graph.Session(ctx, s.user, "s", 10*len(ids))
	for _, t := range turns {
		there[t.ID]++
	}
	return there, err
}
