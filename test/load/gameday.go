package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"

	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/test/stack"
)

// The game day: Redis gone, the graph 5 s slow and the workers stopped, together.
const (
	gameRate   = 100 // turns a second: peak (WS1)
	calm       = 30 * time.Second
	opening    = 15 * time.Second // until the breakers are open: 3 to 5 calls of 100 ms to 2 s
	gamePeople = 100
)

// game is a system with real stores, and the proxies before what it calls.
type game struct {
	up                      *stack.Up
	graph                   *neo4j.Store
	redis, neo4j, materials *toxiproxy.Proxy
	stop                    []func() error
}

func gameDay(ctx context.Context, work string) (err error) {
	g := &game{}
	defer func() { err = errors.Join(err, g.close()) }()
	if err := g.start(ctx, work); err != nil {
		return err
	}
	fmt.Printf("| %d turns/s | turns | answered 200 | p50 | p99 | p99 beside undisturbed |\n| --- | --- | --- | --- | --- | --- |\n", gameRate)
	g.phase(ctx, 10*time.Second) // caches and pools fill
	well := g.phase(ctx, calm)
	report("undisturbed", well, well)
	if err := g.breakAll(); err != nil {
		return err
	}
	falling := g.phase(ctx, opening)
	report("all three fail, until the breakers are open", falling, well)
	fallen := g.phase(ctx, calm)
	report("all three fail, breakers open", fallen, well)
	if err := g.mend(); err != nil {
		return err
	}
	mended := time.Now()
	back := time.Duration(-1)
	returning := g.watch(ctx, calm, func(t turn) {
		if len(t.Degraded) > 0 || t.status != http.StatusOK {
			back = time.Since(mended)
		}
	})
	report("all three are back", returning, well)
	all := append(append(append(well, falling...), fallen...), returning...)
	lost, err := g.lost(ctx, all)
	fmt.Printf("\nlast turn that lacked something: %v after all were back\n%d turns answered, %d of them not in the graph\n",
		max(back, 0).Round(10*time.Millisecond), len(answered(all)), lost)
	return err
}

func (g *game) start(ctx context.Context, work string) error {
	redis, err := stack.StartRedis(ctx)
	if err != nil {
		return err
	}
	g.stop = append(g.stop, redis.Stop)
	store, err := stack.StartNeo4j(ctx)
	if err != nil {
		return err
	}
	g.stop = append(g.stop, store.Stop)
	if g.graph, err = neo4j.Open(ctx, neo4j.Config{URI: store.URL}); err != nil {
		return err
	}
	g.stop = append(g.stop, g.graph.Close)
	binary, err := stack.Build(ctx, work, "-trimpath", "-ldflags=-s -w")
	if err != nil {
		return err
	}
	keys := filepath.Join(work, "keys.yaml")
	if err := os.WriteFile(keys, keysFile(), 0o600); err != nil {
		return err
	}
	g.up, err = stack.StartUp(ctx, binary, filepath.Join(work, "data"),
		[]string{"--keys", keys, "--redis", redis.URL, "--neo4j", store.URL, "--faults", "127.0.0.1:0"}, nil)
	if err != nil {
		return err
	}
	g.stop = append(g.stop, g.up.Stop)
	proxies, err := toxiproxy.NewClient(g.up.Faults).Proxies()
	g.redis, g.neo4j, g.materials = proxies["redis"], proxies["neo4j"], proxies["materialize"]
	return err
}

func (g *game) close() (err error) {
	for i := len(g.stop) - 1; i >= 0; i-- {
		err = errors.Join(err, g.stop[i]())
	}
	return err
}

// phase takes turns for so long.
func (g *game) phase(ctx context.Context, lasting time.Duration) []turn {
	return g.watch(ctx, lasting, func(turn) {})
}

// watch is phase, and shows each turn when it ends.
func (g *game) watch(ctx context.Context, lasting time.Duration, see func(turn)) []turn {
	ending, cancel := context.WithTimeout(ctx, lasting)
	defer cancel()
	seen := make(chan turn, gameRate)
	done := make(chan []turn)
	go func() {
		done <- pace(ending, gameRate, func(n int) turn {
			t := talk(ctx, g.up.Chat, fmt.Sprintf("player%d", n%gamePeople), n)
			seen <- t
			return t
		})
		close(seen)
	}()
	var all []turn
	for {
		select {
		case t, open := <-seen:
			if open {
				see(t)
			} else {
				seen = nil
			}
		case all = <-done:
			for t := range seen {
				see(t)
			}
			return all
		}
	}
}

func (g *game) breakAll() error {
	_, slow := g.neo4j.AddToxic("slow", "latency", "downstream", 1, toxiproxy.Attributes{"latency": 5000})
	_, hung := g.materials.AddToxic("hung", "timeout", "downstream", 1, toxiproxy.Attributes{"timeout": 0})
	return errors.Join(g.redis.Disable(), slow, hung)
}

func (g *game) mend() error {
	return errors.Join(g.redis.Enable(), g.neo4j.RemoveToxic("slow"), g.materials.RemoveToxic("hung"))
}

// lost waits for the turns that were answered to be in the graph, five minutes at most, and counts those that are not.
func (g *game) lost(ctx context.Context, turns []turn) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	missing := map[string]bool{}
	for _, t := range answered(turns) {
		missing[t.ID] = true
	}
	for {
		for n := range gamePeople {
			kept, err := g.graph.Session(ctx, fmt.Sprintf("player%d", n), "s", len(turns))
			if err != nil && ctx.Err() == nil {
				return len(missing), err
			}
			for _, t := range kept {
				delete(missing, t.ID)
			}
		}
		if len(missing) == 0 || ctx.Err() != nil {
			return len(missing), nil
		}
		time.Sleep(time.Second)
	}
}

func report(name string, turns, well []turn) {
	good := answered(turns)
	p99 := quantile(good, 0.99)
	fmt.Printf("| %s | %d | %s | %.1f ms | %.1f ms | %.2f× |\n", name, len(turns), percent(len(good), len(turns)),
		ms(quantile(good, 0.5)), ms(p99), ms(p99)/ms(quantile(answered(well), 0.99)))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
