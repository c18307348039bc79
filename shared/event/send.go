package event

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Ways that an event went, as Send says.
const (
	WayBroker  = "broker"
	WayDirect  = "direct"  // to the function that takes it, without the broker
	WayOutbox  = "outbox"  // kept; a drainer sends it later
	WayMemory  = "memory"  // kept by this process alone, which sends it when it can
	WayDropped = "dropped" // lost: the memory is full
	WayNone    = "none"    // nowhere to send to
)

// Each way's share of the time of a hand-off (limits.Broker.Timeout), so that the last one still has time when those
// before it are frozen. Without a broker its share is the direct way's: that answers once the graph has the turn.
const (
	brokerShare = 0.5
	directShare = 0.25
	outboxShare = 0.2
)

func timeFor(share float64) time.Duration {
	return time.Duration(share * float64(limits.Broker.Timeout))
}

// Outbox keeps an event durably until it can be sent.
type Outbox interface {
	Keep(ctx context.Context, e Event) error
}

// SenderConfig says where events can go. Every field may be left zero.
type SenderConfig struct {
	Broker   string            // URL of the broker: K_SINK
	Direct   map[string]string // event type → URL of the function that takes it while the broker does not
	Outbox   Outbox
	Observer guard.Observer
	Lost     prometheus.Counter // what nothing durable took and memory could not hold, or not until the end
	Log      *slog.Logger
}

// Sender sends events the first way that takes them: broker, the receiving function itself, outbox, memory.
type Sender struct {
	SenderConfig
	client         *client
	broker, direct *guard.Guard
	memory         *queue

	stop     context.CancelFunc // of watching
	watching sync.WaitGroup
}

// NewSender returns a sender that must be closed.
func NewSender(c SenderConfig) *Sender {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sender{SenderConfig: c, client: newClient(c.Broker)}
	s.broker = guard.New(within(limits.Broker, timeFor(brokerShare)), c.Observer)
	share := directShare
	if c.Broker == "" {
		share += brokerShare
	}
	s.direct = guard.New(within(limits.Materialize, timeFor(share)), c.Observer)
	s.memory = newQueue(limits.TurnBacklog.Hard, 1, true, s.resend, s.lose)
	s.watch()
	return s
}

// watch finds out when the broker, or who takes events beside it, is back.
func (s *Sender) watch() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if s.Broker != "" {
		s.watching.Go(func() { s.broker.Watch(ctx, s.client.ping(s.Broker)) })
	}
	if direct := slices.Collect(maps.Values(s.Direct)); len(direct) > 0 {
		s.watching.Go(func() { s.direct.Watch(ctx, s.client.ping(direct...)) })
	}
}

// lose counts and logs an event that is lost, each: there is nowhere else to look for it.
func (s *Sender) lose(e Event, err error) {
	if s.Lost != nil {
		s.Lost.Inc()
	}
	s.Log.Error("event lost", "id", e.ID(), "type", e.Type(), "error", err)
}

func within(d limits.Dependency, timeout time.Duration) limits.Dependency {
	d.Timeout = timeout
	return d
}

// Send sends e and says which way it went and which ways before that did not take it. It never fails: an event that
// nothing durable takes in that time stays in memory.
func (s *Sender) Send(ctx context.Context, e Event) (way string, degraded []guard.Degraded) {
	e = withTrace(ctx, e)
	ways := s.ways(e)
	if len(ways) == 0 {
		d := guard.Degraded{Zone: limits.Broker.Zone, Dependency: limits.Broker.Name, Reason: "not configured"}
		return WayNone, []guard.Degraded{d}
	}
	way, degraded = first(ctx, ways, e)
	if way != "" {
		return way, degraded
	}
	if s.memory.offer(e) {
		return WayMemory, degraded
	}
	return WayDropped, degraded
}

// Post sends e to the broker once, or straight to the function that takes it where there is no broker. The error is a
// *Never when e itself is at fault, an *Again when it was said when to come back.
func (s *Sender) Post(ctx context.Context, e Event) error {
	to, g := s.Broker, s.broker
	if to == "" {
		to, g = s.Direct[e.Type()], s.direct
	}
	if to == "" {
		return errors.New("event: nowhere to send to")
	}
	_, err := guard.Do(ctx, g, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.client.post(ctx, to, withTrace(ctx, e))
	})
	return err
}

// Statuses are those of the dependencies that are configured.
func (s *Sender) Statuses() []guard.Status {
	var statuses []guard.Status
	if s.Broker != "" {
		statuses = append(statuses, s.broker.Status())
	}
	if len(s.Direct) > 0 {
		statuses = append(statuses, s.direct.Status())
	}
	return statuses
}

// Close sends what is in memory until ctx ends. Nothing may be sent afterwards.
func (s *Sender) Close(ctx context.Context) {
	s.memory.close(ctx)
	s.stop()
	s.watching.Wait()
	s.client.CloseIdleConnections()
}

// way is one way to send; try says what was lacking when it did not take the event.
type way struct {
	name string
	try  func(ctx context.Context, e Event) *guard.Degraded
}

// ways are the durable ways that e can go, best first. The outbox needs something to be drained to.
func (s *Sender) ways(e Event) []way {
	var ways []way
	if s.Broker != "" {
		ways = append(ways, way{WayBroker, s.to(s.broker, s.Broker)})
	}
	if direct := s.Direct[e.Type()]; direct != "" {
		ways = append(ways, way{WayDirect, s.to(s.direct, direct)})
	}
	if s.Outbox != nil && len(ways) > 0 {
		ways = append(ways, way{WayOutbox, s.keep})
	}
	return ways
}

func first(ctx context.Context, ways []way, e Event) (name string, degraded []guard.Degraded) {
	for _, w := range ways {
		lack := w.try(ctx, e)
		if lack == nil {
			return w.name, degraded
		}
		degraded = append(degraded, *lack)
	}
	return "", degraded
}

func (s *Sender) to(g *guard.Guard, url string) func(context.Context, Event) *guard.Degraded {
	return func(ctx context.Context, e Event) *guard.Degraded {
		_, lack := guard.FailOpen(ctx, g, struct{}{}, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, s.client.post(ctx, url, e)
		})
		return lack
	}
}

func (s *Sender) keep(ctx context.Context, e Event) *guard.Degraded {
	ctx, cancel := context.WithTimeout(ctx, timeFor(outboxShare))
	defer cancel()
	err := s.Outbox.Keep(ctx, e)
	if err == nil {
		return nil
	}
	lack := guard.Degraded{Zone: limits.ZoneAsync, Dependency: WayOutbox, Reason: string(guard.ResultOf(err))}
	if s.Observer != nil {
		s.Observer.FailedOpen(ctx, lack, err)
	}
	return &lack
}

// resend tries to get an event out of memory.
func (s *Sender) resend(ctx context.Context, e Event) error {
	if way, _ := first(ctx, s.ways(e), e); way == "" {
		return errors.New("no way took it")
	}
	return nil
}

// withTrace gives e the trace of ctx, unless it has one.
func withTrace(ctx context.Context, e Event) Event {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	parent := carrier["traceparent"]
	if _, has := e.Extensions()[ExtTraceParent]; has || parent == "" {
		return e
	}
	e = e.Clone()
	e.SetExtension(ExtTraceParent, parent)
	return e
}
