package broker

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"knative.dev/eventing/pkg/kncloudevents"
	"knative.dev/eventing/pkg/kncloudevents/attributes"

	"github.com/aguante-chat/aguante/shared/event"
)

// window is how many events are read from the journal at once.
const window = 64

// A worker that cannot go on waits, twice as long each time.
const (
	firstPause = time.Second
	mostPause  = 30 * time.Second
)

// deliverAll gives the subscriber what is in the journal, oldest first, inFlight at a time, until ctx ends.
func (t *trigger) deliverAll(ctx context.Context) {
	var flying sync.WaitGroup
	defer flying.Wait()
	for last := int64(0); ctx.Err() == nil; {
		found, err := t.journal.next(ctx, t.name, false, last, window)
		for _, d := range found {
			select {
			case t.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			last = d.seq
			flying.Go(func() {
				defer func() { <-t.slots }()
				t.deliver(ctx, d)
			})
		}
		if err != nil {
			t.complain(ctx, "the journal cannot be read", err)
			sleep(ctx, firstPause)
		} else if len(found) == 0 {
			t.live.await(ctx)
		}
	}
}

// deliver makes all attempts at one delivery, waits between them included. Cut off by ctx it stays in the journal.
func (t *trigger) deliver(ctx context.Context, d delivery) {
	e, err := unmarshal(d.body)
	if err != nil {
		t.bury(ctx, d, failure{Code: http.StatusInternalServerError, Data: encodeData([]byte(err.Error()))})
		return
	}
	info, err := t.dispatcher.SendEvent(ctx, e, t.subscriber,
		kncloudevents.WithRetryConfig(&t.retry), kncloudevents.WithEventFormat(t.format))
	switch {
	case err == nil:
		t.finish(ctx, e, d, info)
	case ctx.Err() == nil:
		t.bury(ctx, d, failure{Code: info.ResponseCode, Data: encodeData(info.ResponseBody)})
	}
}

// finish ends a delivery; the subscriber's reply goes in like any other event, one hop further.
func (t *trigger) finish(ctx context.Context, e event.Event, d delivery, info *kncloudevents.DispatchInfo) {
	var body []byte
	var routes []route
	if reply, _ := parseReply(info.ResponseHeader, info.ResponseBody); reply != nil {
		reply.SetExtension(event.ExtHops, max(event.Hops(*reply), event.Hops(e)+1))
		if encoded, err := marshal(*reply); err == nil {
			body, routes = encoded, t.routes(ctx, *reply)
		}
	}
	t.insist(ctx, func(ctx context.Context) error {
		return expecting(routes, func() error { return t.journal.done(ctx, t.name, d, body, routes) })
	})
	t.live.remove()
}

// bury hands what failed to the worker for dead letters or, without a sink for them, drops it.
func (t *trigger) bury(ctx context.Context, d delivery, why failure) {
	if t.deadLetters == nil {
		t.log.Error("event dropped: no dead-letter sink", "trigger", t.name, "code", why.Code)
		t.insist(ctx, func(ctx context.Context) error { return t.journal.done(ctx, t.name, d, nil, nil) })
		t.live.remove()
		return
	}
	buried := []route{{to: t, failure: why.to(t.subscriber.URL)}}
	t.insist(ctx, func(ctx context.Context) error {
		return expecting(buried, func() error { return t.journal.bury(ctx, t.name, d, *buried[0].failure) })
	})
	t.live.remove()
}

// buryAll sends what failed to the dead-letter sink until ctx ends. What the sink does not take now is kept.
func (t *trigger) buryAll(ctx context.Context) {
	for pause := firstPause; ctx.Err() == nil; {
		sent, kept, err := t.buryOnce(ctx)
		switch {
		case err != nil || kept > 0:
			if sent > 0 {
				pause = firstPause
			}
			sleep(ctx, pause)
			pause = min(2*pause, mostPause)
		case sent == 0:
			pause = firstPause
			t.dead.await(ctx)
		}
	}
}

// buryOnce goes once through the dead letters. It stops at a sink that is down, and passes by letters that it refuses.
func (t *trigger) buryOnce(ctx context.Context) (sent, kept int, err error) {
	for last := int64(0); ; {
		found, err := t.journal.next(ctx, t.name, true, last, window)
		if err != nil || len(found) == 0 {
			return sent, kept, err
		}
		for _, d := range found {
			last = d.seq
			taken, again := t.sendDead(ctx, d)
			if again {
				return sent, kept + 1, nil
			}
			if !taken {
				kept++
				continue
			}
			sent++
			t.insist(ctx, func(ctx context.Context) error { return t.journal.done(ctx, t.name, d, nil, nil) })
			t.dead.remove()
		}
	}
}

// sendDead makes one attempt, with the extension attributes by which Knative says what happened.
func (t *trigger) sendDead(ctx context.Context, d delivery) (taken, again bool) {
	e, err := unmarshal(d.body)
	destination, urlErr := url.Parse(d.failure.Destination)
	if err != nil || urlErr != nil || t.deadLetters == nil {
		return true, false // nobody could read it
	}
	once := kncloudevents.NoRetries()
	once.RequestTimeout = t.retry.RequestTimeout
	info, err := t.dispatcher.SendEvent(ctx, e, *t.deadLetters, kncloudevents.WithRetryConfig(&once),
		kncloudevents.WithTransformers(attributes.KnativeErrorTransformers(*destination, d.failure.Code, d.failure.Data)...))
	if err == nil {
		return true, false
	}
	again, _ = kncloudevents.SelectiveRetry(ctx, &http.Response{StatusCode: info.ResponseCode}, nil)
	return false, again
}

// insist repeats a write to the journal until it works or ctx ends. A write that is under way is not cut off.
func (t *trigger) insist(ctx context.Context, write func(context.Context) error) {
	for {
		err := write(context.WithoutCancel(ctx))
		if err == nil {
			return
		}
		t.complain(ctx, "the journal cannot be written", err)
		if !sleep(ctx, firstPause) {
			return
		}
	}
}

func (t *trigger) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		t.log.Error(what, "trigger", t.name, "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
