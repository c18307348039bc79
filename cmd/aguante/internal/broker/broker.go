// Package broker is the broker of `aguante up`: it honours the Broker and Triggers of config/knative in one process, with
// Knative's own filters, delivery specification and dispatcher, and a journal on disk instead of a cluster's channel. An
// event is answered 202 once it is in the journal, and leaves it when each trigger's subscriber, or its dead-letter sink,
// has taken it.
package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"knative.dev/eventing/pkg/eventingtls"
	"knative.dev/eventing/pkg/kncloudevents"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// maxWaiting is how many deliveries the journal holds before events are refused: at 2 KB an event, half a gigabyte.
const maxWaiting = 250_000

// inFlight is how many events a trigger's subscriber is given at once, those between two attempts included: fewer than
// the mutations that materialize takes on before it asks for less (limits.MutationBacklog).
const inFlight = 64

// Config says what the broker serves and where.
type Config struct {
	Journal   string            // file of the events under way
	Manifests fs.FS             // the Broker and its Triggers, in *.yaml
	Services  map[string]string // Knative Service by name → its URL here
	Telemetry *telemetry.Telemetry
}

type broker struct {
	journal     *journal
	triggers    []*trigger
	dispatcher  *kncloudevents.Dispatcher
	hopsRefused prometheus.Counter
	log         *slog.Logger

	stop    context.CancelFunc // of deliveries
	running sync.WaitGroup
}

// New opens the journal and goes on delivering what is in it. The function takes events by POST, on any path; closing
// it delivers what is under way until the context given ends. The rest stays in the journal.
func New(ctx context.Context, c Config) (*serve.Function, error) {
	t := cmp.Or(c.Telemetry, telemetry.Nop())
	b := &broker{log: t.Log, hopsRefused: t.Metrics.HopsRefused}
	kncloudevents.ConfigureConnectionArgs(&kncloudevents.ConnectionArgs{MaxIdleConnsPerHost: inFlight})
	b.dispatcher = kncloudevents.NewDispatcher(eventingtls.ClientConfig{}, nil)
	if err := b.addTriggers(ctx, c); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	journal, err := openJournal(ctx, c.Journal)
	if err != nil {
		b.closeTriggers()
		return nil, err
	}
	b.journal = journal
	if err := b.start(ctx); err != nil {
		b.closeTriggers()
		return nil, errors.Join(fmt.Errorf("broker: %w", err), journal.close())
	}
	return &serve.Function{Name: "broker", Handler: b.handler(), Health: b.health, Close: b.close}, nil
}

func (b *broker) addTriggers(ctx context.Context, c Config) error {
	found, err := read(ctx, c.Manifests)
	if err != nil {
		return err
	}
	for _, t := range found.triggers {
		added, err := newTrigger(b, t, found.delivery(t), c.Services)
		if err != nil {
			b.closeTriggers()
			return fmt.Errorf("trigger %s: %w", t.Name, err)
		}
		b.triggers = append(b.triggers, added)
	}
	return nil
}

// start counts what the journal holds and begins to deliver it. As in Knative, a trigger that is gone takes with it what
// it had not delivered.
func (b *broker) start(ctx context.Context) error {
	names := make([]string, len(b.triggers))
	for i, t := range b.triggers {
		names[i] = t.name
	}
	gone, err := b.journal.keepOnly(ctx, names)
	if err != nil {
		return err
	}
	if gone > 0 {
		b.log.Warn("deliveries dropped: their triggers are gone", "deliveries", gone)
	}
	for _, t := range b.triggers {
		if err := t.count(ctx); err != nil {
			return err
		}
	}
	ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, t := range b.triggers {
		b.running.Go(func() { t.deliverAll(ctx) })
		b.running.Go(func() { t.buryAll(ctx) })
	}
	return nil
}

func (b *broker) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", b.ingest)
	serve.Probes(mux, b.health)
	return mux
}

// ingest answers 202 once the event is durable.
func (b *broker) ingest(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		serve.Problem(w, r, http.StatusMethodNotAllowed, "Not an event", "Send events by POST.", nil)
		return
	}
	e, err := event.Read(w, r)
	if err == nil && b.waiting() >= maxWaiting {
		err = &event.Again{After: 10 * time.Second, Err: errors.New("too many events wait")}
	}
	if err == nil {
		err = b.take(r.Context(), e)
	}
	if err != nil {
		event.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (b *broker) take(ctx context.Context, e event.Event) error {
	routes := b.routes(ctx, e)
	if len(routes) == 0 {
		return nil
	}
	body, err := marshal(e)
	if err != nil {
		return err
	}
	return expecting(routes, func() error { return b.journal.append(ctx, body, routes) })
}

// routes are the triggers whose filters e passes. An event that was led to by too many others goes to their dead-letter
// sinks (WS3, anti-loop), as if they had refused it.
func (b *broker) routes(ctx context.Context, e event.Event) []route {
	var loop *failure
	if event.Hops(e) > limits.MaxHops {
		loop = &failure{Code: http.StatusLoopDetected, Data: encodeData([]byte("too many hops"))}
		b.hopsRefused.Inc()
	}
	var routes []route
	for _, t := range b.triggers {
		if t.wants(ctx, e) {
			routes = append(routes, route{to: t, failure: loop.to(t.subscriber.URL)})
		}
	}
	return routes
}

// expecting counts what write adds to the journal, before it does, and wakes those who are to deliver it afterwards.
func expecting(routes []route, write func() error) error {
	for _, r := range routes {
		r.queue().n.Add(1)
	}
	err := write()
	for _, r := range routes {
		if err != nil {
			r.queue().remove()
		} else {
			r.queue().wake()
		}
	}
	return err
}

// waiting counts all deliveries in the journal.
func (b *broker) waiting() (n int64) {
	for _, t := range b.triggers {
		n += t.live.n.Load() + t.dead.n.Load()
	}
	return n
}

func (b *broker) health() serve.Health {
	statuses := make([]guard.Status, len(b.triggers))
	for i, t := range b.triggers {
		statuses[i] = t.status()
	}
	return serve.NewHealth(statuses...)
}

// close waits until every subscriber has what is for it, or ctx ends.
func (b *broker) close(ctx context.Context) error {
	for _, t := range b.triggers {
		t.live.drained(ctx)
	}
	b.stop()
	b.running.Wait()
	b.closeTriggers()
	return b.journal.close()
}

func (b *broker) closeTriggers() {
	for _, t := range b.triggers {
		t.filter.Cleanup()
	}
}
