package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/signal.loop")) }

var quiet = slog.New(slog.DiscardHandler)

// eventually waits until holds says yes.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(address)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestDrainLetsARunningRequestFinish(t *testing.T) {
	l := listen(t)
	began, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-release
		fmt.Fprint(w, "whole")
	})
	ctx, stop := context.WithCancel(t.Context())
	served, answered := make(chan error, 1), make(chan string, 1)
	go func() { served <- serve.Serve(ctx, l, h, time.Minute) }()
	go func() { _, body := get(t, "http://"+l.Addr().String()); answered <- body }()
	<-began
	stop()
	eventually(t, "the port is closed to new requests", func() bool { status, _ := get(t, "http://"+l.Addr().String()); return status == 0 })
	close(release)
	if body := <-answered; body != "whole" {
		t.Errorf("answered %q", body)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestTheEndOfGraceEndsTheContextOfARequestThatGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		grace time.Duration
		goOn  bool
		says  string
	}{
		"one that listens says its last words": {2 * time.Second, false, ""},
		"one that does not is cut":             {time.Millisecond, true, "still ran"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			began, ended, release := make(chan struct{}), make(chan error, 1), make(chan struct{})
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(began)
				<-r.Context().Done()
				ended <- context.Cause(r.Context())
				if c.goOn {
					<-release
				}
				fmt.Fprint(w, "last words")
			})
			ctx, stop := context.WithCancel(t.Context())
			served, answered := make(chan error, 1), make(chan string, 1)
			go func() { served <- serve.Serve(ctx, l, h, c.grace) }()
			go func() { _, body := get(t, "http://"+l.Addr().String()); answered <- body }()
			<-began
			stop()
			if cause := <-ended; !errors.Is(cause, serve.ErrDraining) {
				t.Errorf("the cause is %v", cause)
			}
			err := <-served
			close(release)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("it says %v", err)
			}
			if body := <-answered; (body == "last words") == c.goOn {
				t.Errorf("answered %q", body)
			}
		})
	}
}

func TestHTTP2WithoutTLSIsSpoken(t *testing.T) {
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- serve.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }), time.Second)
	}()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	answer, err := (&http.Client{Transport: transport}).Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	transport.CloseIdleConnections()
	stop()
	if err := <-served; err != nil || string(body) != "HTTP/2.0" {
		t.Errorf("%s, %v", body, err)
	}
}

func TestPortInUseIsOneClearSentence(t *testing.T) {
	l := listen(t)
	defer l.Close()
	if _, err := serve.Listen(l.Addr().String()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("it says %v", err)
	}
}

func TestRunSaysItIsLeavingBeforeItStopsAndClosesTheFunction(t *testing.T) {
	ports := make([]int, 2)
	for i := range ports {
		l := listen(t)
		ports[i] = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
	}
	closed := false
	mux := http.NewServeMux()
	health := func() serve.Health { return serve.NewHealth() }
	serve.Probes(mux, health)
	f := &serve.Function{Name: "test", Handler: mux, Health: health, Close: func(context.Context) error { closed = true; return nil }}
	ran := make(chan error, 1)
	go func() {
		ran <- serve.Run(context.Background(), serve.Common{Port: ports[0], OpsPort: ports[1], Grace: time.Second}, f, telemetry.Nop())
	}()
	ready := fmt.Sprintf("http://127.0.0.1:%d/readyz", ports[0])
	eventually(t, "ready", func() bool { status, _ := get(t, ready); return status == http.StatusOK })
	if status, body := get(t, fmt.Sprintf("http://127.0.0.1:%d/metrics", ports[1])); status != http.StatusOK || !strings.Contains(body, "aguante_shed_total") {
		t.Errorf("metrics: %d", status)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no longer ready", func() bool { status, _ := get(t, ready); return status == http.StatusServiceUnavailable })
	if err := <-ran; err != nil || !closed {
		t.Errorf("run: %v, closed: %v", err, closed)
	}
}

func TestHealthIsDegradedByAnyBreakerThatIsNotClosed(t *testing.T) {
	down := guard.Status{Dependency: "redis", Zone: limits.ZoneSync, State: "open"}
	up := guard.Status{Dependency: "neo4j", Zone: limits.ZoneGraph, State: "closed"}
	h := serve.NewHealth(down, up)
	if h.Status != "degraded" || h.Zones[limits.ZoneSync].State != "degraded" || h.Zones[limits.ZoneGraph].State != "ok" || len(h.Zones) != 4 {
		t.Errorf("%+v", h)
	}
}

func TestConfigurationNamesAllItsFaultsAtOnce(t *testing.T) {
	t.Setenv("PORT", "eighty")
	t.Setenv("GRACE", "soon")
	var c struct{ serve.Common }
	err := serve.Load(&c)
	if err == nil || !strings.Contains(err.Error(), "PORT") || !strings.Contains(err.Error(), "GRACE") {
		t.Errorf("it says %v", err)
	}
}

func TestReferenceListsEmbeddedVariablesAndTheirDefaults(t *testing.T) {
	type config struct {
		serve.Common
		Own  string `env:"OWN,notEmpty" envDefault:"x" doc:"Its own."`
		Seam int    `env:"-"`
	}
	all := serve.Reference(&config{})
	last := all[len(all)-1]
	if all[0].Name != "PORT" || all[0].Default != "8080" || last != (serve.Variable{Name: "OWN", Default: "x", Doc: "Its own."}) {
		t.Errorf("%+v", all)
	}
	for _, v := range all {
		if v.Doc == "" {
			t.Errorf("%s has no sentence", v.Name)
		}
	}
}

func TestFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.yaml")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil { // as a mounted ConfigMap changes: at once
			t.Fatal(err)
		}
	}
	write("async-enabled: true\nmaterializers-enabled: true\nmaterializers-percentage: 50\n")
	f := serve.FollowFlags(file, quiet)
	defer f.Close()
	if !f.Enabled(serve.Async) || f.Enabled(serve.DecisionTrace) || f.Enabled("nonsense") {
		t.Error("flags are not what the file says")
	}
	chosen := 0
	for n := range 1000 {
		session := fmt.Sprint(n)
		first, second := f.MaterializersFor(session), f.MaterializersFor(session)
		if first {
			chosen++
		}
		if first != second {
			t.Fatal("not sticky")
		}
	}
	if chosen < 400 || chosen > 600 {
		t.Errorf("50 %% of 1000 sessions are %d", chosen)
	}
	write("async-enabled: [\n")
	eventually(t, "the fault is said", func() bool { return f.Fault() != "" })
	if !f.Enabled(serve.Async) {
		t.Error("a bad file has put the last good flags out of force")
	}
	write("decision-trace-enabled: true\n")
	eventually(t, "the new flags are in force", func() bool { return f.Enabled(serve.DecisionTrace) && !f.Enabled(serve.Async) })
	if f.Fault() != "" {
		t.Errorf("the fault stays: %s", f.Fault())
	}
}

func TestWithBadFlagsAtTheStartEveryFeatureIsOnUntilTheyAreGood(t *testing.T) {
	for name, content := range map[string]string{
		"unknown flag": "async-enable: true\n", "percentage": "materializers-percentage: 101\n", "wrong type": "async-enabled: often\n",
	} {
		file := filepath.Join(t.TempDir(), "flags.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f := serve.FollowFlags(file, quiet)
		if f.Fault() == "" || !f.Enabled(serve.Async) || f.Enabled(serve.GraphLegacy) {
			t.Errorf("%s: fault %q", name, f.Fault())
		}
		if err := os.WriteFile(file, []byte("graph-legacy-mode: true\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the mended flags are in force", func() bool { return f.Enabled(serve.GraphLegacy) && f.Fault() == "" })
		f.Close()
	}
	missing := serve.FollowFlags("/nowhere/flags.yaml", quiet)
	defer missing.Close()
	if missing.Fault() == "" || !missing.Enabled(serve.Async) {
		t.Errorf("missing file: fault %q", missing.Fault())
	}
}

func TestWithoutAFlagsFileFeaturesAreOnAndModesOff(t *testing.T) {
	f := serve.FollowFlags("", quiet)
	defer f.Close()
	for flag, want := range map[string]bool{serve.Materializers: true, serve.Async: true, serve.DecisionTrace: true, serve.TelemetryFlag: true, serve.GraphLegacy: false, serve.StrictRate: false} {
		if f.Enabled(flag) != want {
			t.Errorf("%s is %v", flag, !want)
		}
	}
	if !f.MaterializersFor("any") {
		t.Error("not every session is materialized")
	}
}

func TestProblemIsRFC9457(t *testing.T) {
	w := httptest.NewRecorder()
	serve.Problem(w, httptest.NewRequest(http.MethodGet, "/chat", nil), http.StatusForbidden, "Refused", "By a gate.", map[string]any{"gate": "budget"})
	if w.Header().Get("Content-Type") != "application/problem+json" || w.Code != http.StatusForbidden {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, member := range []string{`"type":"about:blank"`, `"title":"Refused"`, `"status":403`, `"detail":"By a gate."`, `"instance":"/chat"`, `"gate":"budget"`} {
		if !strings.Contains(w.Body.String(), member) {
			t.Errorf("no %s in %s", member, w.Body)
		}
	}
}
