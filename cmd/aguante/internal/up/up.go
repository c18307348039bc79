// Package up is `aguante up`: the three functions' own handlers, the broker between them and the stores beneath them, in
// one process that starts at once and loses nothing when it stops.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/aguante-chat/aguante/cmd/aguante/internal/broker"
	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/functions/materialize"
	"github.com/aguante-chat/aguante/functions/trace"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Options are the flags of the command and the variables that stand for them. The other variables of the functions
// (LOG_LEVEL, GRACE, OTEL_*, …) hold too; see docs/reference.
type Options struct {
	Chat        string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Chat page and API (${default})."`
	Materialize string `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Events in (${default})."`
	Trace       string `default:"127.0.0.1:8082" placeholder:"HOST:PORT" help:"Operator console and decision API (${default})."`
	Broker      string `default:"127.0.0.1:8083" placeholder:"HOST:PORT" help:"CloudEvents in (${default})."`
	Ops         string `default:"127.0.0.1:9464" placeholder:"HOST:PORT" help:"/metrics, pprof and /health of all of them (${default})."`
	Data        string `default:".aguante" placeholder:"DIR" help:"Where the embedded stores keep their files (${default})."`
	Redis       string `env:"REDIS_URL" placeholder:"URL" help:"redis:// or rediss:// instead of the embedded Redis."`
	Neo4j       string `name:"neo4j" env:"NEO4J_URI" placeholder:"URI" help:"bolt:// or neo4j+s:// instead of the embedded graph; NEO4J_USERNAME and NEO4J_PASSWORD go with it."`
	Engines     string `env:"ENGINES_FILE" placeholder:"FILE" help:"The chain of engines; the local engine alone if there is none."`
	Flags       string `env:"FLAGS_FILE" placeholder:"FILE" help:"Feature flags; all of them on if there is none."`
	Keys        string `env:"KEYS_FILE" placeholder:"FILE" help:"Hashed API keys; every caller is anonymous if there is none."`
	Faults      string `placeholder:"HOST:PORT" help:"Let aguante drill break things: Toxiproxy's API, such as 127.0.0.1:8474. Whoever reaches it can break this system."`
}

// drainBroker is how long events under way are still delivered when everything stops. The rest is in the journal.
const drainBroker = 5 * time.Second

// machine is everything that runs, and what undoes it, last made first.
type machine struct {
	Options
	common    serve.Common
	telemetry *telemetry.Telemetry
	stores    *stores
	ports     map[string]net.Listener
	proxied   map[string]string // URL of each port that is called through --faults
	undo      []func(context.Context) error
	failed    chan error // what ended a server before its time
}

// Run starts everything, prints the addresses to out and serves until ctx ends or a server fails; then it drains.
func Run(ctx context.Context, o Options, out io.Writer) error {
	m := &machine{Options: o, ports: map[string]net.Listener{}, proxied: map[string]string{}}
	m.failed = make(chan error, len(m.names()))
	err := m.start(ctx)
	if err == nil {
		m.print(out)
		select {
		case <-ctx.Done():
		case err = <-m.failed:
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(m.common.Grace, time.Second))
	defer cancel()
	return errors.Join(err, m.stop(ctx))
}

// names are the ports, in the order in which they are printed.
func (m *machine) names() []string {
	if m.Faults == "" {
		return []string{"chat", "materialize", "trace", "broker", "ops"}
	}
	return []string{"chat", "materialize", "trace", "broker", "faults", "ops"}
}

func (m *machine) onStop(undo func(context.Context) error) { m.undo = append(m.undo, undo) }

func (m *machine) stop(ctx context.Context) error {
	var faults []error
	for i := len(m.undo) - 1; i >= 0; i-- {
		faults = append(faults, m.undo[i](ctx))
	}
	return errors.Join(faults...)
}

// start makes things in the order of who needs whom, which is also the order of draining, turned round: chat first, then
// the broker that has its last events, then those who take them.
func (m *machine) start(ctx context.Context) error {
	if err := serve.Load(&m.common); err != nil {
		return err
	}
	if err := m.listen(); err != nil {
		return err
	}
	if err := m.open(ctx); err != nil {
		return err
	}
	if err := m.startFaults(); err != nil {
		return err
	}
	var functions []*serve.Function
	for _, make := range []func(context.Context) (*serve.Function, error){m.newTrace, m.newMaterialize, m.newBroker, m.newChat} {
		f, err := make(ctx)
		if err != nil {
			return err
		}
		functions = append(functions, f)
		if f.Name == "broker" {
			f = briefly(f)
		}
		m.serve(f.Name, f.Handler, f.Close)
	}
	m.serve("ops", serve.Ops(m.telemetry, functions...), func(context.Context) error { return nil })
	return nil
}

func (m *machine) listen() error {
	if err := checkFaults(m.Faults); err != nil {
		return err
	}
	addresses := map[string]string{"chat": m.Chat, "materialize": m.Materialize, "trace": m.Trace, "broker": m.Broker,
		"ops": m.Ops, "faults": m.Faults}
	for _, name := range m.names() {
		l, err := serve.Listen(addresses[name])
		if err != nil {
			return fmt.Errorf("--%s: %w", name, plain(addresses[name], err))
		}
		m.ports[name] = l
		m.onStop(func(context.Context) error { _ = l.Close(); return nil }) // closed before, if it was served
	}
	return nil
}

// open takes the data directory and opens the stores in it.
func (m *machine) open(ctx context.Context) (err error) {
	m.telemetry, err = telemetry.New(ctx, telemetry.Config{Service: "aguante", Version: version(),
		LogLevel: m.common.LogLevel, Endpoint: m.common.Endpoint})
	if err != nil {
		return err
	}
	m.onStop(m.telemetry.Close)
	m.stores, err = openStores(ctx, m.Options)
	if err != nil {
		return err
	}
	m.onStop(func(context.Context) error { return m.stores.close() })
	return nil
}

// serve answers on a name's port until it is undone: then requests under way are finished before the function is closed.
func (m *machine) serve(name string, h http.Handler, closeFunction func(context.Context) error) {
	ctx, drain := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() {
		err := serve.Serve(ctx, m.ports[name], h, m.common.Grace)
		if ctx.Err() == nil {
			m.failed <- fmt.Errorf("%s: %w", name, err)
			err = nil // said
		}
		stopped <- err
	}()
	m.onStop(func(late context.Context) error {
		drain()
		return errors.Join(<-stopped, closeFunction(late))
	})
}

func (m *machine) newTrace(ctx context.Context) (*serve.Function, error) {
	var c trace.Config
	if err := serve.Load(&c); err != nil {
		return nil, err
	}
	m.tell(&c.Common)
	c.RedisURL, c.DataDir, c.Telemetry = "", m.Data, m.telemetry // one instance has a file of its own
	return trace.New(ctx, c)
}

func (m *machine) newMaterialize(ctx context.Context) (*serve.Function, error) {
	var c materialize.Config
	if err := serve.Load(&c); err != nil {
		return nil, err
	}
	m.tell(&c.Common)
	c.Neo4jURI, c.DataDir, c.Telemetry, c.Graph = m.Neo4j, m.Data, m.telemetry, m.stores.graph
	c.Memory = limits.ChatMemory // of the one process that all of them are
	c.Strict = true              // somebody is looking
	return materialize.New(ctx, c)
}

func (m *machine) newBroker(ctx context.Context) (*serve.Function, error) {
	return broker.New(ctx, broker.Config{
		Journal: filepath.Join(m.Data, "broker.db"), Manifests: broker.Manifests(), Telemetry: m.telemetry,
		Services: map[string]string{"chat": m.url("chat"), "materialize": m.reach("materialize"), "trace": m.reach("trace")},
	})
}

func (m *machine) newChat(ctx context.Context) (*serve.Function, error) {
	var c chat.Config
	if err := serve.Load(&c); err != nil {
		return nil, err
	}
	m.tell(&c.Common)
	c.RedisURL, c.Neo4jURI, c.DataDir = m.stores.redisURL, m.Neo4j, m.Data
	c.EnginesFile, c.KeysFile, c.Replicas, c.Strict = m.Engines, m.Keys, 1, true
	c.MaterializeURL, c.TraceURL = m.reach("materialize"), m.url("trace")
	c.Telemetry, c.Getenv, c.Graph = m.telemetry, os.Getenv, m.stores.graph
	return chat.New(ctx, c)
}

func (m *machine) tell(c *serve.Common) { c.Sink, c.FlagsFile = m.reach("broker"), m.Flags }

func (m *machine) print(out io.Writer) {
	for _, name := range m.names() {
		fmt.Fprintf(out, "%-11s %s\n", name, m.url(name))
	}
}

// briefly is f with less time to close.
func briefly(f *serve.Function) *serve.Function {
	brief := *f
	brief.Close = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, drainBroker)
		defer cancel()
		return f.Close(ctx)
	}
	return &brief
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}
