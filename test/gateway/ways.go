package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/test/stack"
)

// The ways that are measured.
const (
	direct     = "direct"
	bare       = "bare proxy"
	gateway    = "pure gateway"
	nobody     = "all on, no user"
	everything = "all on, a user"
	portkey    = "portkey"
)

// key is an API key without limits to speak of: the rate limit's cost is measured, not its verdict.
const key = "load"

const (
	users      = 100
	remembered = 20 // turns of each user, in the graph before the load
	perSession = 10 // turns
)

// way is one way to the engine. The process is nil for the direct one.
type way struct {
	name    string
	address string // host:port
	user    bool
	headers string
	process *process
	metrics string // URL of Go's memory figures; empty: it has none
}

// request is the nth request as it goes over the wire.
func (w *way) request(n, words int, stream bool) []byte {
	headers, user := w.headers, ""
	if w.user {
		who := n % users
		user = fmt.Sprintf(`"user":"user%d",`, who)
		headers += fmt.Sprintf("Aguante-Session: session-%d-%d\r\n", who, n/users/perSession)
	}
	body := fmt.Sprintf(`{"model":"scripted",%s"stream":%t,"max_tokens":%d,"temperature":0.7,"messages":[{"role":"system","content":%q},{"role":"user","content":"My friend Ana%d lives in Cuenca. Where does she live, and who told me so?"}]}`,
		user, stream, words, instructions, n%1000)
	return fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n%sContent-Length: %d\r\n\r\n%s",
		w.address, key, headers, len(body), body)
}

var instructions = strings.Repeat("You are a helpful assistant who answers briefly and says so when something is not known. ", 8)

// check asks once, both ways, and compares what is said: a wrong answer is no measurement.
func (w *way) check() error {
	c, err := dial(w.address)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, stream := range []bool{false, true} {
		got, err := c.ask(w.request(0, 5, stream))
		if err != nil {
			return err
		}
		whole := bytes.Contains(got.body, []byte(strings.Repeat(word, 5)))
		if stream {
			whole = len(got.pieces()) == 5
		}
		if !got.right() || !whole {
			return fmt.Errorf("it answers %d: %s", got.status, got.body)
		}
	}
	return nil
}

// allocations is the metric of Go's that counts them.
const allocations = "go_memstats_mallocs_total"

// mallocs is how many objects the way's process has allocated since its start.
func (w *way) mallocs() (float64, error) {
	answer, err := http.Get(w.metrics)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	var n float64
	if _, rest, found := strings.Cut(string(text), "\n"+allocations+" "); found {
		_, err = fmt.Sscan(rest, &n)
	} else {
		_, err = fmt.Sscanf(string(text), allocations+" %g", &n)
	}
	return n, err
}

func (w *way) resident() float64 {
	if w.process == nil {
		return 0
	}
	mb, _ := w.process.resident()
	return mb
}

// house is what the ways are started in.
type house struct {
	ctx    context.Context
	work   string
	chat   string // the binary
	engine string // host:port
	ways   []*way
	undo   []func()
}

// start starts the engine and all ways. stop must be called with an error too.
func start(ctx context.Context, work string) (ways []*way, stop func(), err error) {
	h := &house{ctx: ctx, work: work}
	stop = func() {
		for _, undo := range slices.Backward(h.undo) {
			undo()
		}
	}
	if err := h.build(); err != nil {
		return nil, stop, err
	}
	if err := h.startEngine(); err != nil {
		return nil, stop, err
	}
	h.ways = []*way{{name: direct, address: h.engine}}
	for _, w := range []struct {
		name  string
		start func() error
	}{{bare, h.startBare}, {gateway, h.startGateway}, {nobody, h.startEverything}, {portkey, h.startPortkey}} {
		if *only != "" && !slices.Contains(strings.Split(*only, ";"), w.name) {
			continue
		}
		if err := w.start(); err != nil {
			return nil, stop, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return h.ways, stop, nil
}

func (h *house) build() error {
	h.chat = filepath.Join(h.work, "chat")
	build := exec.CommandContext(h.ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", h.chat, "github.com/aguante-chat/aguante/functions/chat/cmd/chat")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build chat: %w: %s", err, output)
	}
	return nil
}

// run starts a process that listens on port and is up once it answers at path.
func (h *house) run(port, path string, command *exec.Cmd) (*process, error) {
	p, err := startProcess(h.ctx, "http://127.0.0.1:"+port+path, command)
	if p != nil {
		h.undo = append(h.undo, p.stop)
	}
	return p, err
}

// self runs this program as one of the servers.
func (h *house) self(path, kind string, arguments ...string) (string, *process, error) {
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	address := "127.0.0.1:" + port
	p, err := h.run(port, path, exec.Command(program, append([]string{kind, address}, arguments...)...))
	return address, p, err
}

func (h *house) startEngine() (err error) {
	h.engine, _, err = h.self("/ready", "engine")
	return err
}

func (h *house) startBare() error {
	address, p, err := h.self("/metrics", "proxy", "http://"+h.engine)
	h.ways = append(h.ways, &way{name: bare, address: address, process: p, metrics: "http://" + address + "/metrics"})
	return err
}

// startGateway starts chat with an engine and a key, and nothing to remember with.
func (h *house) startGateway() error {
	w, err := h.startChat(gateway)
	h.ways = append(h.ways, w)
	return err
}

// startEverything starts chat with all that a turn has: Redis, a graph that remembers every user, and a broker that takes
// each turn before its answer, and each decision trace. What other machines do in production, to write the turn into the
// graph and to show its trace, is left out.
func (h *house) startEverything() error {
	redis, err := stack.StartRedis(h.ctx)
	if err != nil {
		return err
	}
	h.undo = append(h.undo, func() { _ = redis.Stop() })
	data := filepath.Join(h.work, "data")
	if err := h.fill(filepath.Join(data, "graph.db")); err != nil {
		return err
	}
	w, err := h.startChat(nobody, "REDIS_URL="+redis.URL, "DATA_DIR="+data, "K_SINK=http://"+h.engine+"/events")
	if err != nil {
		return err
	}
	somebody := *w
	somebody.name, somebody.user = everything, true
	h.ways = append(h.ways, w, &somebody)
	return nil
}

func (h *house) startChat(name string, environment ...string) (*way, error) {
	port, portErr := freePort()
	ops, opsErr := freePort()
	engines, keys := filepath.Join(h.work, "engines.yaml"), filepath.Join(h.work, "keys.yaml")
	err := errors.Join(portErr, opsErr,
		os.WriteFile(engines, fmt.Appendf(nil, "engines:\n  - name: scripted\n    url: http://%s/v1\n", h.engine), 0o600),
		os.WriteFile(keys, fmt.Appendf(nil, "keys:\n  - name: load\n    sha256: %x\n    limits:\n      chat: {per_minute: 6000000, burst: 1000000}\n", sha256.Sum256([]byte(key))), 0o600))
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(h.work, name+".log")) // a line per request, as it is by default
	if err != nil {
		return nil, err
	}
	h.undo = append(h.undo, func() { _ = log.Close() })
	command := exec.Command(h.chat)
	command.Stderr = log
	command.Env = append(append(os.Environ(), "PORT="+port, "OPS_PORT="+ops, "ENGINES_FILE="+engines, "KEYS_FILE="+keys), environment...)
	p, err := h.run(port, "/readyz", command)
	return &way{name: name, address: "127.0.0.1:" + port, process: p, metrics: "http://127.0.0.1:" + ops + "/metrics"}, err
}

// fill gives every user a memory.
func (h *house) fill(path string) error {
	store, err := embedded.Open(h.ctx, path)
	if err != nil {
		return err
	}
	defer store.Close()
	at := time.Now().Add(-24 * time.Hour)
	for user := range users {
		var turns []graph.Write
		for n := range remembered {
			turns = append(turns, graph.Write{SentAt: at, Turn: graph.Turn{
				ID: fmt.Sprintf("turn%d-%d", user, n), SessionID: fmt.Sprintf("before-%d", user), User: fmt.Sprintf("user%d", user),
				Messages: []graph.Message{{Role: "user", At: at, Content: fmt.Sprintf("My friend Ana%d moved to town %d, where she lives beside the %d. bridge.", n*50, n, user)}},
			}})
		}
		if _, err := store.Write(h.ctx, turns); err != nil {
			return err
		}
	}
	return nil
}
