package broker

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	eventingduck "knative.dev/eventing/pkg/apis/duck/v1"
	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/eventing/pkg/eventfilter"
	"knative.dev/eventing/pkg/kncloudevents"
	"knative.dev/pkg/apis"
	duck "knative.dev/pkg/apis/duck/v1"
	"knative.dev/pkg/logging"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// attemptTime bounds an attempt where the delivery specification does not: a frozen subscriber must not hold it forever.
const attemptTime = 30 * time.Second

// trigger delivers what passes its filter to one subscriber.
type trigger struct {
	*broker
	name        string
	filter      eventfilter.Filter
	subscriber  duck.Addressable
	deadLetters *duck.Addressable // nil: what fails is dropped, as in Knative
	retry       kncloudevents.RetryConfig
	format      *eventingduck.FormatType

	live, dead *queue
	slots      chan struct{} // one for each event in flight

	mu    sync.Mutex
	fault string // of the last attempt; empty: it worked
	since time.Time
}

func newTrigger(b *broker, t *eventing.Trigger, d eventingduck.DeliverySpec, services map[string]string) (*trigger, error) {
	made := &trigger{broker: b, name: t.Name, format: d.Format, since: time.Now(),
		live: newQueue(), dead: newQueue(), slots: make(chan struct{}, inFlight)}
	url, err := resolve(t.Spec.Subscriber, services)
	if err != nil {
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	made.subscriber.URL = url
	if d.DeadLetterSink != nil {
		url, err := resolve(*d.DeadLetterSink, services)
		if err != nil {
			return nil, fmt.Errorf("dead-letter sink: %w", err)
		}
		made.deadLetters = &duck.Addressable{URL: url}
	}
	if made.retry, err = kncloudevents.RetryConfigFromDeliverySpec(d); err != nil {
		return nil, err
	}
	made.retry.RequestTimeout = cmp.Or(made.retry.RequestTimeout, attemptTime)
	made.retry.CheckRetry = made.judge
	made.filter = newFilter(t)
	return made, nil
}

func (t *trigger) wants(ctx context.Context, e event.Event) bool {
	ctx = logging.WithLogger(ctx, zap.NewNop().Sugar())
	return t.filter.Filter(ctx, e) != eventfilter.FailFilter
}

func (t *trigger) count(ctx context.Context) error {
	for q, dead := range map[*queue]bool{t.live: false, t.dead: true} {
		n, err := t.journal.waiting(ctx, t.name, dead)
		if err != nil {
			return err
		}
		q.n.Store(n)
	}
	return nil
}

// judge is Knative's verdict on an attempt, with the rule of its broker filter that an answer which is neither empty nor
// an event is a failure (502).
func (t *trigger) judge(ctx context.Context, answer *http.Response, err error) (bool, error) {
	if err == nil {
		if _, wrong := readReply(answer); wrong != nil {
			setBody(answer, []byte(wrong.Error()))
			answer.StatusCode = http.StatusBadGateway
		}
	}
	again, checkErr := kncloudevents.SelectiveRetry(ctx, answer, err)
	switch {
	case ctx.Err() != nil: // our own end says nothing of the subscriber
	case err != nil:
		t.note(err.Error())
	case again:
		t.note(fmt.Sprintf("answered %d", answer.StatusCode))
	default:
		t.note("")
	}
	return again, checkErr
}

func (t *trigger) note(fault string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if (fault == "") != (t.fault == "") {
		t.since = time.Now()
	}
	t.fault = fault
}

// status tells of the subscriber as guards do of dependencies.
func (t *trigger) status() guard.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := guard.Status{Dependency: t.name, Zone: limits.ZoneAsync, State: "closed", Since: t.since, LastError: t.fault}
	if t.fault != "" {
		s.State = "open"
	}
	return s
}

// to is the failure with the address that knativeerrordest names.
func (f *failure) to(u *apis.URL) *failure {
	if f == nil {
		return nil
	}
	g := *f
	g.Destination = u.String()
	return &g
}

// queue counts the deliveries of one kind that the journal holds for a trigger, and tells its worker of new ones.
type queue struct {
	n     atomic.Int64
	fresh chan struct{} // holds one signal when something was added

	mu    sync.Mutex
	empty chan struct{} // closed when n comes down to zero; nil: nobody waits
}

func newQueue() *queue { return &queue{fresh: make(chan struct{}, 1)} }

func (q *queue) wake() {
	select {
	case q.fresh <- struct{}{}:
	default:
	}
}

func (q *queue) remove() {
	if q.n.Add(-1) > 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.empty != nil {
		close(q.empty)
		q.empty = nil
	}
}

// drained waits until the queue is empty or ctx ends.
func (q *queue) drained(ctx context.Context) {
	q.mu.Lock()
	if q.n.Load() == 0 {
		q.mu.Unlock()
		return
	}
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	empty := q.empty
	q.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

// await waits for something new in the queue.
func (q *queue) await(ctx context.Context) {
	select {
	case <-q.fresh:
	case <-ctx.Done():
	}
}
