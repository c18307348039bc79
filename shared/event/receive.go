package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"

	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

// retryAfter is what a sender is told when who refused its event named no time.
const retryAfter = time.Second

// HandlerOptions may be left zero.
type HandlerOptions struct {
	HopsRefused prometheus.Counter // events with more than limits.MaxHops hops
	Log         *slog.Logger       // one line per event that is refused for good
}

type receiver struct {
	source string
	accept func(ctx context.Context, e Event) (*Event, error)
	o      HandlerOptions
}

// Handler receives events and answers them so that a Knative broker understands: 202 when accept took the event, 200
// with the reply event (one hop further, from source unless it names its own), 503 with Retry-After when it should be
// sent again (*Again, and any error of another type), and with a status that is not retried when it never should
// (*Never, malformed events, those over limits.MaxHops).
func Handler(source string, accept func(ctx context.Context, e Event) (reply *Event, err error), o HandlerOptions) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &receiver{source: source, accept: accept, o: o}
}

func (h *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		serve.Problem(w, r, http.StatusMethodNotAllowed, "Not an event", "Send events by POST.", nil)
		return
	}
	e, err := Read(w, r)
	if err != nil {
		h.refuse(w, r, e, err)
		return
	}
	reply, err := h.take(traced(r, e), e)
	switch {
	case err != nil:
		h.refuse(w, r, e, err)
	case reply == nil:
		w.WriteHeader(http.StatusAccepted)
	default:
		h.answer(w, r, e, reply)
	}
}

func (h *receiver) take(ctx context.Context, e Event) (*Event, error) {
	if Hops(e) > limits.MaxHops {
		if h.o.HopsRefused != nil {
			h.o.HopsRefused.Inc()
		}
		return nil, &Never{http.StatusUnprocessableEntity, fmt.Errorf("more than %d hops", limits.MaxHops)}
	}
	return h.accept(ctx, e)
}

func (h *receiver) answer(w http.ResponseWriter, r *http.Request, e Event, reply *Event) {
	reply.SetExtension(ExtHops, Hops(e)+1)
	if reply.Source() == "" {
		reply.SetSource(h.source)
	}
	if err := Validate(*reply); err != nil {
		h.refuse(w, r, e, fmt.Errorf("reply: %w", err))
		return
	}
	if err := cehttp.WriteResponseWriter(r.Context(), binding.ToMessage(reply), http.StatusOK, w); err != nil {
		h.o.Log.WarnContext(r.Context(), "reply not sent", "id", e.ID(), "type", e.Type(), "error", err)
	}
}

func (h *receiver) refuse(w http.ResponseWriter, r *http.Request, e Event, err error) {
	status := Refuse(w, r, err)
	if never := (*Never)(nil); e.Context != nil && errors.As(err, &never) { // what is to come again is for who is down to say, once
		h.o.Log.WarnContext(r.Context(), "event refused", "id", e.ID(), "type", e.Type(), "status", status, "error", err)
	}
}

// Refuse answers r with err as brokers understand it, and says with which status: a *Never has its own, anything else is
// 503 with Retry-After. Its body is safe because it is an error's: one on 2xx that is no event makes brokers retry.
func Refuse(w http.ResponseWriter, r *http.Request, err error) int {
	status, title, detail := http.StatusServiceUnavailable, "Send it again", "The event could not be taken now."
	var never *Never
	if errors.As(err, &never) {
		status, title, detail = never.Status, "Never send it again", never.Err.Error()
		if status == 0 {
			status = http.StatusBadRequest
		}
	} else {
		w.Header().Set("Retry-After", seconds(err))
	}
	serve.Problem(w, r, status, title, detail, nil)
	return status
}

func seconds(err error) string {
	after := retryAfter
	if again := (*Again)(nil); errors.As(err, &again) && again.After > 0 {
		after = again.After
	}
	return strconv.Itoa(int(math.Ceil(after.Seconds())))
}

// traced gives the request's context with the trace that e belongs to: the extension's, which survives brokers, or
// else the header's.
func traced(r *http.Request, e Event) context.Context {
	carrier := propagation.MapCarrier{"traceparent": r.Header.Get("traceparent"), "tracestate": r.Header.Get("tracestate")}
	if parent, ok := e.Extensions()[ExtTraceParent].(string); ok {
		carrier = propagation.MapCarrier{"traceparent": parent}
	}
	return propagation.TraceContext{}.Extract(r.Context(), carrier)
}
