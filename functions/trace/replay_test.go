package trace

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

// sink is a broker that keeps what it is sent, or does as it is told.
type sink struct {
	*httptest.Server
	mu      sync.Mutex
	headers []http.Header
	bodies  []string
	status  int
	frozen  chan struct{}
}

func newSink(t *testing.T) *sink {
	s := &sink{status: http.StatusAccepted}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.headers, s.bodies = append(s.headers, r.Header), append(s.bodies, string(body))
	status, frozen := s.status, s.frozen
	s.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	w.WriteHeader(status)
}

func (s *sink) answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// freeze makes the sink take requests and answer none until the test ends.
func (s *sink) freeze(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = make(chan struct{})
	frozen := s.frozen
	t.Cleanup(func() { close(frozen) })
}

func (s *sink) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

// withLetter runs trace with one dead letter, whose id it returns.
func withLetter(t *testing.T, c Config) (*running, string) {
	t.Helper()
	r := run(t, c)
	r.die("d1")
	return r, r.letters()["d1"]
}

// broken is data that is not what its content type says.
const broken = `{"user":"ana", "messages": [ "\u0000 `

func (r *running) die(id string) {
	r.t.Helper()
	a := r.send("/dead-letters", event.TurnCompleted, id, broken, "Ce-Hops", "4", "Ce-Knativeerrordest", "http://materialize/",
		"Ce-Knativeerrorcode", "422", "Ce-Time", "2026-10-01T12:00:00.5Z", "Ce-Subject", "s1", "Ce-Partitionkey", "s1")
	if a.status != http.StatusAccepted {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
}

func TestAReplaySendsTheEventAsItCameWithNoHopsBehindIt(t *testing.T) {
	broker := newSink(t)
	r, id := withLetter(t, Config{DeadLetterReplay: broker.URL})
	if a := r.do(http.MethodPost, "/dead-letters/"+id+"/replay", ""); a.status != http.StatusOK || !strings.Contains(a.body, `"replayed_at"`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	h := broker.headers[0]
	for name, want := range map[string]string{
		"Ce-Type": event.TurnCompleted, "Ce-Source": "/test", "Ce-Id": "d1", "Ce-Subject": "s1", "Ce-Partitionkey": "s1",
		"Ce-Time": "2026-10-01T12:00:00.5Z", "Ce-Hops": "0", "Ce-Knativeerrordest": "", "Ce-Knativeerrorcode": "", "Content-Type": "application/json",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if broker.bodies[0] != broken {
		t.Errorf("the data became %q", broker.bodies[0])
	}
	if n := testutil.ToFloat64(r.telemetry.Metrics.DeadLetters); n != 0 {
		t.Errorf("gauge: %v", n)
	}
}

// TestALetterThatReplaysItselfStopsAfterThreeTimes has a robot send each letter again as soon as it is there.
func TestALetterThatReplaysItselfStopsAfterThreeTimes(t *testing.T) {
	broker := newSink(t)
	r, id := withLetter(t, Config{DeadLetterReplay: broker.URL})
	replay := "/dead-letters/" + id + "/replay"
	for range limits.MaxHops {
		if a := r.do(http.MethodPost, replay, ""); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		r.die("d1")
	}
	r.problem(r.do(http.MethodPost, replay, ""), http.StatusLoopDetected)
	r.problem(r.do(http.MethodPost, "/dead-letters/replay", ""), http.StatusLoopDetected)
	if broker.taken() != limits.MaxHops || testutil.ToFloat64(r.telemetry.Metrics.HopsRefused) != 2 {
		t.Errorf("sent %d times, %v refused", broker.taken(), testutil.ToFloat64(r.telemetry.Metrics.HopsRefused))
	}
	if a := r.do(http.MethodGet, "/letters", ""); !strings.Contains(a.body, "in circles") {
		t.Errorf("the console does not say so: %s", a.body)
	}
	if a := r.do(http.MethodPost, replay+"?again=true", ""); a.status != http.StatusOK {
		t.Errorf("an operator who insists gets %d", a.status)
	}
}

func TestASecondReplayNeedsAgain(t *testing.T) {
	broker := newSink(t)
	r, id := withLetter(t, Config{DeadLetterReplay: broker.URL})
	replay := func(query string) answer { return r.do(http.MethodPost, "/dead-letters/"+id+"/replay"+query, "") }
	if a := replay(""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.problem(replay(""), http.StatusConflict)
	r.problem(replay("?again=perhaps"), http.StatusBadRequest)
	if a := replay("?again=true"); a.status != http.StatusOK || broker.taken() != 2 {
		t.Fatalf("%d, %d taken", a.status, broker.taken())
	}
	r.die("d1") // it failed once more
	if l := r.letterList()[0]; l.State != "waiting" || l.Arrivals != 2 || l.Replays != 2 {
		t.Fatalf("%+v", l)
	}
	if a := replay(""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.problem(r.do(http.MethodPost, "/dead-letters/nosuch/replay", ""), http.StatusNotFound)
}

func TestAFailedReplayKeepsTheLetter(t *testing.T) {
	for name, c := range map[string]struct {
		broker func(t *testing.T) string
		status int
	}{
		"none":     {func(*testing.T) string { return "" }, http.StatusServiceUnavailable},
		"gone":     {func(t *testing.T) string { s := newSink(t); s.Close(); return s.URL }, http.StatusBadGateway},
		"refusing": {func(t *testing.T) string { s := newSink(t); s.answer(400); return s.URL }, http.StatusBadGateway},
		"failing":  {func(t *testing.T) string { s := newSink(t); s.answer(500); return s.URL }, http.StatusBadGateway},
		"frozen":   {func(t *testing.T) string { s := newSink(t); s.freeze(t); return s.URL }, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			hurry(t)
			r, id := withLetter(t, Config{DeadLetterReplay: c.broker(t)})
			r.problem(r.do(http.MethodPost, "/dead-letters/"+id+"/replay", ""), c.status)
			if l := r.letterList()[0]; l.State != "waiting" || l.Replays != 0 {
				t.Fatalf("%+v", l)
			}
		})
	}
}

func TestAnOpenBreakerEndsReplayAllAndKeepsTheRest(t *testing.T) {
	broker := newSink(t)
	r := run(t, Config{DeadLetterReplay: broker.URL})
	for i := range 20 {
		r.die(fmt.Sprint("d", i))
	}
	broker.answer(http.StatusInternalServerError)
	a := r.do(http.MethodPost, "/letters/replay", "")
	if location := a.header.Get("Location"); a.status != http.StatusSeeOther || location != "/letters?failed=open&replayed=0" {
		t.Fatalf("%d %s", a.status, location)
	}
	if n := broker.taken(); n >= 20 {
		t.Fatalf("a broker that failed was asked %d times", n)
	}
	if n := testutil.ToFloat64(r.telemetry.Metrics.DeadLetters); n != 20 {
		t.Fatalf("%v wait", n)
	}
}

func TestReplayAllReplaysEachOnce(t *testing.T) {
	broker := newSink(t)
	r := run(t, Config{DeadLetterReplay: broker.URL})
	for i := range 30 {
		r.die(fmt.Sprint("d", i))
	}
	var operators sync.WaitGroup
	for range 3 {
		operators.Go(func() { r.do(http.MethodPost, "/letters/replay", "") })
	}
	operators.Wait()
	r.do(http.MethodPost, "/letters/replay", "") // what another one held while it was looked at
	seen := map[string]int{}
	for _, h := range broker.headers {
		seen[h.Get("Ce-Id")]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d of 30 were sent", len(seen))
	}
}

func TestAnotherSitesFormCannotReplay(t *testing.T) {
	broker := newSink(t)
	r, id := withLetter(t, Config{DeadLetterReplay: broker.URL})
	for _, path := range []string{"/letters/" + id + "/replay", "/letters/replay", "/dead-letters/" + id + "/replay"} {
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
			r.problem(r.do(http.MethodPost, path, "", headers...), http.StatusForbidden)
		}
	}
	if broker.taken() != 0 {
		t.Fatal("it was sent")
	}
	a := r.do(http.MethodPost, "/letters/"+id+"/replay", "", "Sec-Fetch-Site", "same-origin")
	if a.status != http.StatusSeeOther || broker.taken() != 1 {
		t.Fatalf("the console's own form: %d %s", a.status, a.body)
	}
	if page := r.do(http.MethodGet, a.header.Get("Location"), ""); !strings.Contains(page.body, "1 letter sent again.") {
		t.Fatal("the page does not say so")
	}
}
