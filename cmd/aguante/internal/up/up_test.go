package up

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/alecthomas/kong"
	"go.uber.org/goleak"
)

// What is there has all the time it needs, for this machine may be slow.
func TestMain(m *testing.M) {
	limits.Redis.Timeout, limits.Broker.Timeout, limits.Materialize.Timeout = 5*time.Second, 20*time.Second, 20*time.Second
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("knative.dev/eventing/pkg/kncloudevents.cleanupClientsMap"))
}

// output is what Run prints, told as soon as the last address is there.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if strings.Contains(o.text.String(), "ops ") {
		o.once.Do(func() { close(o.ready) })
	}
	return len(p), nil
}

// running is one `aguante up` in this process.
type running struct {
	addresses map[string]string
	stop      func() error
}

func onFreePorts(data string) Options {
	const free = "127.0.0.1:0"
	return Options{Chat: free, Materialize: free, Trace: free, Broker: free, Ops: free, Data: data}
}

func start(t *testing.T, o Options) *running {
	t.Helper()
	t.Setenv("LOG_LEVEL", "error")
	out := &output{ready: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o, out) }()
	select {
	case <-out.ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	r := &running{addresses: map[string]string{}}
	for line := range strings.Lines(out.text.String()) {
		words := strings.Fields(line)
		r.addresses[words[0]] = words[1]
	}
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content)
}

func (r *running) say(t *testing.T, message string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"user": "ana", "message": message})
	status, answer := call(t, http.MethodPost, r.addresses["chat"]+"/chat", string(body))
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, answer)
	}
	var reply struct {
		Reply    string
		Degraded []any
	}
	if err := json.Unmarshal([]byte(answer), &reply); err != nil || len(reply.Degraded) > 0 {
		t.Fatalf("%v: %s", err, answer)
	}
	return reply.Reply
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

func TestWhatIsSaidIsRemembered(t *testing.T) {
	r := start(t, onFreePorts(t.TempDir()))
	r.say(t, "My sister Lucía lives in Cuenca.")
	eventually(t, "the reply remembers", func() bool { return strings.Contains(r.say(t, "Where does my sister live?"), "Cuenca") })
}

func TestStoppingLosesNothing(t *testing.T) {
	data := t.TempDir()
	r := start(t, onFreePorts(data))
	for n := range 30 {
		r.say(t, fmt.Sprintf("My box%d is in room%d.", n, n))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, onFreePorts(data))
	for n := range 30 {
		_, found := call(t, http.MethodGet, fmt.Sprintf("%s/recall?user=ana&q=box%d&limit=5", r.addresses["chat"], n), "")
		if !strings.Contains(found, fmt.Sprintf("room%d.", n)) {
			t.Errorf("turn %d is lost: %s", n, found)
		}
	}
}

func TestTheOpsPortKnowsAllOfThem(t *testing.T) {
	r := start(t, onFreePorts(t.TempDir()))
	_, health := call(t, http.MethodGet, r.addresses["ops"]+"/health", "")
	for _, name := range []string{"chat", "materialize", "trace", "broker"} {
		if !strings.Contains(health, `"`+name+`":{"status":"ok"`) {
			t.Errorf("%s is not ok: %s", name, health)
		}
		if status, _ := call(t, http.MethodGet, r.addresses[name]+"/readyz", ""); status != http.StatusOK {
			t.Errorf("%s is not ready: %d", name, status)
		}
	}
	if _, metrics := call(t, http.MethodGet, r.addresses["ops"]+"/metrics", ""); !strings.Contains(metrics, "aguante_degradation_level") {
		t.Error("no metrics")
	}
}

func TestWhatCannotStartSaysWhyInOneSentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inUse := t.TempDir()
	start(t, onFreePorts(inUse))
	cases := map[string]struct {
		change func(*Options)
		says   string
	}{
		"port in use":      {func(o *Options) { o.Trace = taken.Addr().String() }, "--trace: cannot listen on " + taken.Addr().String() + ": address already in use"},
		"no address":       {func(o *Options) { o.Chat = "nonsense" }, "--chat: "},
		"data is a file":   {func(o *Options) { o.Data = file }, "--data: "},
		"data is in use":   {func(o *Options) { o.Data = inUse }, "--data: another aguante up uses " + inUse},
		"bad flags file":   {func(o *Options) { o.Flags = file + "-missing" }, "flags file: "},
		"bad engines file": {func(o *Options) { o.Engines = file + "-missing" }, file + "-missing"},
		"Redis URL no URL": {func(o *Options) { o.Redis = "localhost" }, "chat: "},
		"faults anywhere":  {func(o *Options) { o.Faults = ":8474" }, `--faults: ":8474" is no host and port`},
		"faults in TLS":    {func(o *Options) { o.Faults, o.Redis = "127.0.0.1:0", "rediss://r" }, "--faults: only a single redis at redis:// can be drilled"},
		"faults in a ring": {func(o *Options) { o.Faults, o.Neo4j = "127.0.0.1:0", "neo4j://n" }, "--faults: only a single neo4j at bolt:// can be drilled"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := onFreePorts(t.TempDir())
			c.change(&o)
			err := Run(t.Context(), o, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("says %v", err)
			}
		})
	}
}

func TestTraceKeepsToItsFileAlsoWithARedisForChat(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
	o := onFreePorts(t.TempDir())
	o.Redis = "redis://127.0.0.1:1"
	r := start(t, o)
	status, _ := call(t, http.MethodGet, r.addresses["trace"]+"/decisions", "")
	if _, err := os.Stat(filepath.Join(o.Data, "trace.db")); err != nil || status != http.StatusOK {
		t.Errorf("%d, %v", status, err)
	}
}

func TestABadVariableIsNamed(t *testing.T) {
	t.Setenv("GRACE", "soon")
	if err := Run(t.Context(), onFreePorts(t.TempDir()), io.Discard); err == nil || !strings.Contains(err.Error(), "GRACE") {
		t.Errorf("says %v", err)
	}
}

func TestFlagsAndVariablesAreThoseOfTheContract(t *testing.T) {
	for name, value := range map[string]string{"REDIS_URL": "redis://r", "NEO4J_URI": "bolt://n", "ENGINES_FILE": "e", "FLAGS_FILE": "f", "KEYS_FILE": "k"} {
		t.Setenv(name, value)
	}
	var o Options
	parser, err := kong.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--keys=flag"}); err != nil {
		t.Fatal(err)
	}
	want := Options{
		Chat: "127.0.0.1:8080", Materialize: "127.0.0.1:8081", Trace: "127.0.0.1:8082", Broker: "127.0.0.1:8083",
		Ops: "127.0.0.1:9464", Data: ".aguante", Redis: "redis://r", Neo4j: "bolt://n", Engines: "e", Flags: "f", Keys: "flag",
	}
	if o != want {
		t.Errorf("%+v", o)
	}
}
