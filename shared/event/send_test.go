package event

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// place is somewhere that events go to, in a state of health.
type place struct {
	*httptest.Server
	mu  sync.Mutex
	how func(w http.ResponseWriter, r *http.Request) // nil: well
	got []string
}

func newPlace(t testing.TB, how func(http.ResponseWriter, *http.Request)) *place {
	p := &place{how: how}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	how := p.how
	p.mu.Unlock()
	if how != nil {
		how(w, r)
		return
	}
	e, err := Read(w, r)
	if err != nil {
		Refuse(w, r, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, e.ID())
	w.WriteHeader(http.StatusAccepted)
}

func (p *place) recovers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.how = nil
}

func (p *place) has() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

func answers(status int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// frozen takes the request and says nothing, as a stopped process does.
func frozen(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the sender left
	<-r.Context().Done()
}

// garbage talks, but not HTTP.
func garbage(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = connection.Write([]byte("\x00\x01\x02 garbage\r\n\r\n"))
		_ = connection.Close()
	}
}

// kept is an outbox in memory.
type kept struct {
	mu   sync.Mutex
	err  error
	ids  []string
	slow bool
}

func (k *kept) Keep(ctx context.Context, e Event) error {
	if k.slow {
		<-ctx.Done()
		return ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.ids = append(k.ids, e.ID())
	}
	return k.err
}

// nowhere is an address where nobody listens.
func nowhere(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func newSender(t testing.TB, c SenderConfig) *Sender {
	t.Helper()
	s := NewSender(c)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(ctx)
	})
	return s
}

func reasons(degraded []guard.Degraded) string {
	var words []string
	for _, d := range degraded {
		words = append(words, d.Dependency+" "+d.Reason)
	}
	return strings.Join(words, ", ")
}

func TestAnEventGoesTheFirstWayThatTakesIt(t *testing.T) {
	well := func(t *testing.T) string { return newPlace(t, nil).URL }
	is := func(how func(http.ResponseWriter, *http.Request)) func(*testing.T) string {
		return func(t *testing.T) string { return newPlace(t, how).URL }
	}
	dead := func(t *testing.T) string { return nowhere(t) }
	none := func(*testing.T) string { return "" }
	cases := []struct {
		name           string
		broker, direct func(*testing.T) string
		outbox         Outbox
		way, degraded  string
	}{
		{"all well", well, well, &kept{}, WayBroker, ""},
		{"broker dead", dead, well, &kept{}, WayDirect, "broker error"},
		{"broker frozen", is(frozen), well, &kept{}, WayDirect, "broker timeout"},
		{"broker talks garbage", is(garbage), well, &kept{}, WayDirect, "broker error"},
		{"broker full", is(answers(503)), well, &kept{}, WayDirect, "broker error"},
		{"broker refuses the event", is(answers(413)), well, &kept{}, WayDirect, "broker error"},
		{"broker moved", is(answers(307)), well, &kept{}, WayDirect, "broker error"},
		{"broker and direct frozen", is(frozen), is(frozen), &kept{}, WayOutbox, "broker timeout, materialize timeout"},
		{"nothing direct", dead, none, &kept{}, WayOutbox, "broker error"},
		{"outbox fails", dead, dead, &kept{err: errors.New("down")}, WayMemory, "broker error, materialize error, outbox error"},
		{"all frozen", is(frozen), is(frozen), &kept{slow: true}, WayMemory, "broker timeout, materialize timeout, outbox timeout"},
		{"no outbox", dead, dead, nil, WayMemory, "broker error, materialize error"},
		{"no broker", none, well, &kept{}, WayDirect, ""},
		{"nothing at all", none, none, &kept{}, WayNone, "broker not configured"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSender(t, SenderConfig{Broker: c.broker(t), Outbox: c.outbox, Direct: map[string]string{TurnCompleted: c.direct(t)}})
			ctx, cancel := context.WithTimeout(t.Context(), limits.Broker.Timeout)
			defer cancel()
			way, degraded := s.Send(ctx, made(t, "1"))
			if way != c.way || reasons(degraded) != c.degraded {
				t.Errorf("went %s; lacking %s", way, reasons(degraded))
			}
		})
	}
}

func TestADirectWayIsForItsEventsOnly(t *testing.T) {
	direct, outbox := newPlace(t, nil), &kept{}
	s := newSender(t, SenderConfig{Broker: nowhere(t), Outbox: outbox, Direct: map[string]string{TurnCompleted: direct.URL}})
	forgotten, _ := New(UserForgotten, "/test", "f", "", 0, nil)
	if way, _ := s.Send(t.Context(), forgotten); way != WayOutbox {
		t.Errorf("went %s", way)
	}
}

func TestABrokerThatStaysDeadIsNotWaitedFor(t *testing.T) {
	s := newSender(t, SenderConfig{Broker: newPlace(t, frozen).URL, Outbox: &kept{}})
	for range limits.Broker.Breaker.Failures {
		s.Send(t.Context(), made(t, "1"))
	}
	if state := s.Statuses()[0].State; state != "open" {
		t.Errorf("breaker %s", state)
	}
	way, degraded := s.Send(t.Context(), made(t, "1"))
	if way != WayOutbox || reasons(degraded) != "broker open" {
		t.Errorf("went %s; lacking %s", way, reasons(degraded))
	}
}

func TestTheEventsOwnFaultOpensNoBreaker(t *testing.T) {
	s := newSender(t, SenderConfig{Broker: newPlace(t, answers(400)).URL})
	for range 2 * limits.Broker.Breaker.Failures {
		err := s.Post(t.Context(), made(t, "1"))
		if never := (*Never)(nil); !errors.As(err, &never) || never.Status != 400 {
			t.Fatalf("%v", err)
		}
	}
	if state := s.Statuses()[0].State; state != "closed" {
		t.Errorf("breaker %s", state)
	}
}

func TestPostSaysWhenToComeBack(t *testing.T) {
	s := newSender(t, SenderConfig{Broker: newPlace(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}).URL})
	if again := (*Again)(nil); !errors.As(s.Post(t.Context(), made(t, "1")), &again) || again.After != 7*time.Second {
		t.Errorf("%v", again)
	}
}

func TestWhatIsInMemoryIsSentWhenTheBrokerIsBack(t *testing.T) {
	broker := newPlace(t, answers(503))
	s := NewSender(SenderConfig{Broker: broker.URL})
	for _, id := range []string{"1", "2", "3"} {
		if way, _ := s.Send(t.Context(), made(t, id)); way != WayMemory {
			t.Fatalf("went %s", way)
		}
	}
	broker.recovers()
	s.Close(t.Context())
	if got := broker.has(); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("the broker got %v", got)
	}
}

func TestWhatMemoryCannotHoldIsDroppedAndCounted(t *testing.T) {
	lost := prometheus.NewCounter(prometheus.CounterOpts{Name: "lost"})
	s := newSender(t, SenderConfig{Broker: newPlace(t, answers(503)).URL, Lost: lost})
	ways := map[string]int{}
	for range limits.TurnBacklog.Hard + 10 {
		way, _ := s.Send(t.Context(), made(t, "1"))
		ways[way]++
	}
	if counted := int(testutil.ToFloat64(lost)); ways[WayDropped] == 0 || ways[WayMemory] < limits.TurnBacklog.Hard || counted != ways[WayDropped] {
		t.Errorf("%v, %d counted", ways, counted)
	}
}

func TestCloseDoesNotOutliveItsTimeAndCountsWhatIsLeft(t *testing.T) {
	lost := prometheus.NewCounter(prometheus.CounterOpts{Name: "lost"})
	s := NewSender(SenderConfig{Broker: newPlace(t, frozen).URL, Lost: lost})
	s.Send(t.Context(), made(t, "1"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.Close(ctx)
	if s.memory.offer(made(t, "2")) {
		t.Error("a closed sender took an event")
	}
	if counted := testutil.ToFloat64(lost); counted != 2 {
		t.Errorf("%v counted as lost", counted)
	}
}

func TestTheBufferSendsWhatItWasOfferedBeforeItCloses(t *testing.T) {
	broker := newPlace(t, nil)
	s := newSender(t, SenderConfig{Broker: broker.URL})
	dropped := prometheus.NewCounter(prometheus.CounterOpts{Name: "dropped"})
	b := NewBuffer(s, dropped)
	for range 200 {
		b.Offer(made(t, "1"))
	}
	b.Close(t.Context())
	if sent := len(broker.has()); sent != 200 || testutil.ToFloat64(dropped) != 0 {
		t.Errorf("%d sent, %v dropped", sent, testutil.ToFloat64(dropped))
	}
}

func TestTheBufferDropsAndCountsWhatItCannotHold(t *testing.T) {
	s := newSender(t, SenderConfig{Broker: newPlace(t, frozen).URL})
	dropped := prometheus.NewCounter(prometheus.CounterOpts{Name: "dropped"})
	b := NewBuffer(s, dropped)
	refused := 0
	for range limits.DecisionBuffer.Hard + bufferWorkers + 10 {
		if !b.Offer(made(t, "1")) {
			refused++
		}
	}
	if refused == 0 || testutil.ToFloat64(dropped) != float64(refused) {
		t.Errorf("%d refused, %v counted", refused, testutil.ToFloat64(dropped))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Close(ctx)
	if n := testutil.ToFloat64(dropped); n != float64(limits.DecisionBuffer.Hard+bufferWorkers+10) {
		t.Errorf("%v counted after closing", n)
	}
}

func BenchmarkSend(b *testing.B) {
	s := newSender(b, SenderConfig{Broker: newPlace(b, nil).URL})
	e := made(b, "1")
	for b.Loop() {
		if way, _ := s.Send(b.Context(), e); way != WayBroker {
			b.Fatal(way)
		}
	}
}
