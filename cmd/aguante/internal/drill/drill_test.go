package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/cmd/aguante/internal/up"
	"github.com/aguante-chat/aguante/shared/limits"
)

// What is there has all the time it needs, for this machine may be slow.
func TestMain(m *testing.M) {
	limits.Redis.Timeout, limits.Broker.Timeout, limits.Materialize.Timeout = 5*time.Second, 20*time.Second, 20*time.Second
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("knative.dev/eventing/pkg/kncloudevents.cleanupClientsMap"),
		goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

// running starts `aguante up` in this process and gives the flags that lead to it.
func running(t *testing.T) Options {
	t.Helper()
	t.Setenv("LOG_LEVEL", "error")
	const free = "127.0.0.1:0"
	printed, print := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := up.Run(ctx, up.Options{Chat: free, Materialize: free, Trace: free, Broker: free, Ops: free, Faults: free, Data: t.TempDir()}, print)
		_ = print.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	o := Options{Rate: 5, Short: true}
	into := map[string]*string{"chat": &o.Chat, "trace": &o.Trace, "broker": &o.Broker, "ops": &o.Ops, "faults": &o.Faults}
	text := make([]byte, 0, 1000)
	for chunk := make([]byte, 1000); !strings.Contains(string(text), "ops "); {
		n, err := printed.Read(chunk)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, chunk[:n]...)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); into[words[0]] != nil {
			*into[words[0]] = words[1]
		}
	}
	return o
}

func TestAReplayDrillPassesAndForgetsWhatItSaid(t *testing.T) {
	o := running(t)
	o.JSON = true
	var out bytes.Buffer
	if err := Run(t.Context(), o, "replay", &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || !report.Passed || len(report.Phases) != 3 {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestAnInterruptedDrillLeavesNoFault(t *testing.T) {
	o := running(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	door := newDoor(o.Faults)
	go func() {
		for ctx.Err() == nil {
			if p, err := door.client.Proxy(materialize); err == nil && len(p.ActiveToxics) > 0 {
				interrupt()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	err := Run(ctx, o, "workers-hung", io.Discard, io.Discard)
	if !errors.Is(err, errInterrupted) {
		t.Errorf("it ends with %v", err)
	}
	if err := door.ready(false); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestFaultsInPlaceAreNotAddedTo(t *testing.T) {
	o := running(t)
	var f injected
	if err := f.slow(newDoor(o.Faults), redis, 1); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), o, "redis-down", io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "a fault is in place already at redis") {
		t.Errorf("it says %v", err)
	}
	if err := errors.Join(f.undo(), f.undo()); err != nil {
		t.Error(err)
	}
}

// answering is a system that answers every path with the same.
func answering(t *testing.T, health string) Options {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			_, _ = io.WriteString(w, health)
		}
	}))
	t.Cleanup(s.Close)
	return Options{Chat: s.URL, Trace: s.URL, Broker: s.URL, Ops: s.URL, Faults: "127.0.0.1:1", Rate: 1}
}

func TestWhatCannotBeDrilledSaysWhy(t *testing.T) {
	whole := answering(t, `{}`)
	gone := whole
	gone.Chat = "127.0.0.1:1"
	hasty := whole
	hasty.Rate = 0
	cases := map[string]struct {
		options Options
		drill   string
		says    string
	}{
		"no such drill":   {whole, "redis", "there are all, redis-down"},
		"nothing running": {gone, "replay", "nothing to drill: --chat: "},
		"no door":         {whole, "redis-down", "start the system with `aguante up --faults 127.0.0.1:1`"},
		"no rate":         {hasty, "replay", "--rate"},
		"degraded": {answering(t, `{"chat": {"status": "degraded", "zones": {"sync": {"state": "degraded", "dependencies": [
			{"dependency": "redis", "zone": "sync", "state": "open", "since": "2026-01-01T00:00:00Z"}]}}}}`), "replay",
			"the system is degraded already (redis of chat is open)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), c.options, c.drill, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func TestAnswersAreCountedByWhatCallersGot(t *testing.T) {
	turns := []said{{status: 429}, {status: 503}, {status: 0}, {status: 403}}
	for n := range 96 {
		turns = append(turns, said{status: 200, took: time.Duration(n) * time.Millisecond, degraded: []string{"redis", "redis"}})
	}
	c := count(turns)
	if c.Sent != 100 || c.Answered != 96 || c.Limited != 1 || c.Failed != 1 || c.Silent != 1 || c.Refused != 1 || c.Degraded["redis"] != 96 {
		t.Errorf("%+v", c)
	}
	if c.P50 != 46 || c.P99 != 95 {
		t.Errorf("p50 %v, p99 %v", c.P50, c.P99)
	}
}

func TestAMetricIsSummedOverTheSeriesWithItsLabels(t *testing.T) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	metrics, err := parser.TextToMetricFamilies(strings.NewReader(`# TYPE m counter
m{dependency="redis",outcome="ok"} 1
m{dependency="redis",outcome="error"} 2
m{dependency="neo4j",outcome="ok"} 4
`))
	if err != nil {
		t.Fatal(err)
	}
	l := look{metrics: metrics}
	for labels, want := range map[string]float64{"": 7, "dependency redis": 3, "dependency redis outcome ok": 1, "dependency x": 0} {
		if got := l.value("m", strings.Fields(labels)...); got != want {
			t.Errorf("%s: %v, want %v", labels, got, want)
		}
	}
}

func TestADrillPassesOnlyWithEveryCheckAndHeldToItsEnd(t *testing.T) {
	good, bad := Check{Passed: true}, Check{}
	for name, c := range map[string]struct {
		checks []Check
		err    error
		passes bool
	}{
		"all good":     {[]Check{good, good}, nil, true},
		"one bad":      {[]Check{good, bad, good}, nil, false},
		"none at all":  {nil, nil, false},
		"cut off":      {[]Check{good}, errInterrupted, false},
		"only bad one": {[]Check{bad}, nil, false},
	} {
		r := Report{Checks: c.checks}
		if r.judge(c.err); r.Passed != c.passes {
			t.Errorf("%s: passed is %t", name, r.Passed)
		}
	}
}
