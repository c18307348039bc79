package accounting

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/test/stack"
)

// key is the API key of those who talk: how fast they do is not what is tested.
const key = "a-key-for-the-accounting"

// world is the whole system, every part a process: Redis, Neo4j, the broker (with materialize and trace), one more
// materialize for what cannot go by the broker, and two instances of chat.
type world struct {
	redis, neo4j *stack.Server
	up           *stack.Up
	broker       string // its address
	chats        [2]*stack.Function
	graph        *neo4j.Store
	parts        []part
}

// part is one process that may break.
type part struct {
	name   string
	server *stack.Server
}

// start starts all parts. What was started is in w.parts also when one of them fails.
func (w *world) start(ctx context.Context, dir string) (err error) {
	if w.redis, err = stack.StartRedis(ctx, "--appendfsync", "always"); err != nil {
		return err
	}
	w.parts = append(w.parts, part{"redis", w.redis})
	if w.neo4j, err = stack.StartNeo4j(ctx); err != nil {
		return err
	}
	w.parts = append(w.parts, part{"neo4j", w.neo4j})
	if w.graph, err = neo4j.Open(ctx, neo4j.Config{URI: w.neo4j.URL}); err != nil {
		return err
	}
	if err = w.startBroker(ctx, dir); err != nil {
		return err
	}
	return w.startFunctions(ctx, dir)
}

func (w *world) startBroker(ctx context.Context, dir string) error {
	aguante, err := stack.Build(ctx, dir)
	if err != nil {
		return err
	}
	w.broker = free()
	arguments := []string{"--redis", w.redis.URL, "--neo4j", w.neo4j.URL, "--broker", w.broker}
	if w.up, err = stack.StartUp(ctx, aguante, filepath.Join(dir, "data"), arguments, nil); err != nil {
		return err
	}
	w.parts = append(w.parts, part{"broker", &w.up.Server})
	return nil
}

func (w *world) startFunctions(ctx context.Context, dir string) error {
	program, err := stack.BuildFunction(ctx, dir, "materialize")
	if err != nil {
		return err
	}
	stores := []string{"NEO4J_URI=" + w.neo4j.URL, "NEO4J_USERNAME=", "REDIS_URL=" + w.redis.URL}
	materialize, err := stack.StartFunction(ctx, program, stores...)
	if err != nil {
		return err
	}
	w.parts = append(w.parts, part{"materialize", &materialize.Server})
	keys := filepath.Join(dir, "keys.yaml")
	text := fmt.Sprintf("keys: [{name: accounting, sha256: %x, limits: {chat: {per_minute: 600000, burst: 100000}}}]", sha256.Sum256([]byte(key)))
	if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
		return err
	}
	if program, err = stack.BuildFunction(ctx, dir, "chat"); err != nil {
		return err
	}
	environment := append(slices.Clone(stores), "K_SINK=http://"+w.broker, "MATERIALIZE_URL="+materialize.URL, "KEYS_FILE="+keys)
	for i := range w.chats {
		if w.chats[i], err = stack.StartFunction(ctx, program, environment...); err != nil {
			return err
		}
		w.parts = append(w.parts, part{"chat", &w.chats[i].Server})
	}
	return nil
}

// free is an address that nothing listens on.
func free() string {
	address, err := stack.FreeAddress()
	if err != nil {
		panic(err) // there is no loopback
	}
	return address
}

func (w *world) close() {
	if w.graph != nil {
		_ = w.graph.Close()
	}
	for _, p := range slices.Backward(w.parts) {
		_ = p.server.Stop()
	}
}

// breakParts breaks one or two parts at a time until ctx ends, for some seconds each, and then has all of them up. Of the
// three ways that a turn may go (broker, materialize, Redis) one is always left.
func (w *world) breakParts(ctx context.Context) (broken []string, err error) {
	for ctx.Err() == nil {
		chosen := []part{w.parts[rand.N(len(w.parts))], w.parts[rand.N(len(w.parts))]}
		if rand.N(2) == 0 || chosen[0] == chosen[1] {
			chosen = chosen[:1]
		}
		var mend []func(context.Context) error
		var said []string
		for _, p := range chosen {
			name, m := p.breakIt()
			said, mend = append(said, name), append(mend, m)
		}
		broken = append(broken, strings.Join(said, " and "))
		pause(ctx, time.Second+rand.N(4*time.Second))
		group, mending := errgroup.WithContext(context.WithoutCancel(ctx)) // at once: Neo4j takes long to start
		for _, m := range mend {
			group.Go(func() error { return m(mending) })
		}
		if err := group.Wait(); err != nil {
			return broken, err
		}
		pause(ctx, rand.N(2*time.Second))
	}
	return broken, nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// breakIt kills, freezes or, where that drains, ends a part, and gives what mends it.
func (p part) breakIt() (what string, mend func(context.Context) error) {
	restart := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // Neo4j, on a busy machine
		defer cancel()
		return p.server.Restart(ctx)
	}
	switch kind := rand.N(3); {
	case kind == 0:
		_ = p.server.Kill()
		return p.name + " killed", restart
	case kind == 1 && p.name == "chat":
		_ = p.server.Signal(syscall.SIGTERM)
		return "chat drained", func(ctx context.Context) error { p.server.Wait(); return restart(ctx) }
	}
	_ = p.server.Signal(syscall.SIGSTOP)
	return p.name + " frozen", func(context.Context) error { return p.server.Signal(syscall.SIGCONT) }
}
