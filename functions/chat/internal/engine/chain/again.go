package chain

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// again tells whether the engine at hand is asked once more after attempt number, and waits until then. brokeOff: the
// attempt had begun to answer.
func (w *walk) again(ctx context.Context, number int, brokeOff bool, err error) bool {
	if rejected := (*engine.Rejected)(nil); errors.As(err, &rejected) {
		return w.otherwise(rejected)
	}
	f := (*engine.Failure)(nil)
	if w.sealed || !errors.As(err, &f) || guard.ResultOf(err) != guard.Error || number > w.most(f) {
		return false
	}
	if brokeOff && w.others() {
		return false // the next engine goes on
	}
	return pause(ctx, number, f.RetryAfter)
}

// otherwise tells whether a request that was refused can be made in another way: without the older turns, or for all of
// the answer instead of the rest.
func (w *walk) otherwise(rejected *engine.Rejected) bool {
	history := w.request.History
	switch {
	case rejected.Code == engine.ContentFilter:
		return false
	case rejected.Code == engine.ContextLength && !w.trimmed && len(history) > lastTurn && !w.larger(rejected):
		w.trimmed, w.request.History = true, history[len(history)-lastTurn:]
		return true
	case w.text.Len() > 0 && !w.plain:
		w.plain = true
		return true
	}
	return false
}

// lastTurn is how many messages of a session are kept when they are too many for an engine.
const lastTurn = 2

// larger tells whether an engine further on takes more than the one at hand, for which the request was too long.
func (w *walk) larger(rejected *engine.Rejected) bool {
	room := max(w.room, w.links[w.at].spec.Context)
	return rejected.Code == engine.ContextLength && room > 0 &&
		slices.ContainsFunc(w.links[w.at+1:], func(l *link) bool { return l.spec.Context > room })
}

// others tells whether another engine that may be asked stands by, beside the last.
func (w *walk) others() bool {
	return slices.ContainsFunc(w.links[w.at+1:], func(l *link) bool { return l.guard != nil && l.guard.Status().State != "open" })
}

// most is how many attempts beyond the first f is worth. An engine that stumbled is asked again, and one that limits how
// often it is asked once more than that. One that is overloaded, not reached or talks nonsense is left alone while
// another stands by. A name that is not known and a certificate that is not trusted stay so.
func (w *walk) most(f *engine.Failure) int {
	retries := *w.links[w.at].spec.Retries
	switch f.Status {
	case http.StatusInternalServerError:
		return retries
	case http.StatusTooManyRequests:
		return retries + min(retries, 1)
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, statusOverloaded:
		if !w.others() && !errors.As(f.Err, new(*net.DNSError)) && !errors.As(f.Err, new(*tls.CertificateVerificationError)) {
			return retries
		}
	}
	return 0
}

// statusOverloaded is what some engines answer for 503.
const statusOverloaded = 529

// pause waits before another attempt: as long as the engine asked, else 100 to 300 ms, doubling. It says whether there
// is time for that and for an answer.
func pause(ctx context.Context, number int, asked time.Duration) bool {
	wait := (100*time.Millisecond + rand.N(200*time.Millisecond)) << (number - 1)
	if asked > 0 {
		wait = asked + rand.N(50*time.Millisecond) // not all at once
	}
	left := limits.Turn
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	if wait > left-limits.FirstToken-limits.HandOff && wait > left/4 {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}
