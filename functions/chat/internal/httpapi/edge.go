package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
)

// call is one request on its way through the edge: who calls, and what is said of it in the end.
type call struct {
	caller   turn.Caller
	hops     int
	deadline time.Time // until when the caller waits; zero: they do not say
	turnID   string
	engine   string
	degraded []guard.Degraded
}

// turn is a turn of this caller's.
func (c *call) turn(r *http.Request) turn.Turn {
	return turn.Turn{Caller: c.caller, Hop: c.hops, Deadline: c.deadline, Route: r.Pattern}
}

// note takes from the reply what the log line and the headers say.
func (c *call) note(w http.ResponseWriter, reply turn.Reply) {
	c.turnID, c.engine, c.degraded = reply.TurnID, reply.Engine, reply.Degraded
	rateLimit(w.Header(), c.caller.Class, reply.Limit)
}

// edge is what every route goes through: who calls, the handler, its error told once, the metrics and the log line.
func (a *api) edge(rt route) http.Handler {
	name := strings.TrimSpace(rt.method + " " + rt.path)
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("http.route", rt.path))}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, out := time.Now(), &answer{ResponseWriter: w}
		c := &call{deadline: deadlineOf(r, began)}
		ctx, span := a.trace(r, name, options)
		defer span.End()
		r = r.WithContext(ctx)
		err := a.enter(rt, out, r, c)
		if err != nil && out.status == 0 {
			if f := faultOf(err); f.status != statusLeft {
				rt.tell(out, r, f)
			}
		}
		span.SetAttributes(attribute.Int("http.response.status_code", out.status))
		a.account(rt, r, c, out.status, err, time.Since(began))
		if errors.Is(err, errPanic) && out.status == http.StatusOK {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
	})
}

// trace gives the request a span in the caller's trace, or in one of its own. A trace that is not recorded has its id
// all the same: replies and log lines name it.
func (a *api) trace(r *http.Request, name string, options []trace.SpanStartOption) (context.Context, trace.Span) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := a.Telemetry.Tracer.Start(ctx, name, options...)
	span.SetAttributes(attribute.String("http.request.method", r.Method))
	if span.SpanContext().HasTraceID() {
		return ctx, span
	}
	var c trace.SpanContextConfig
	_, _ = rand.Read(c.TraceID[:]) // never fails
	_, _ = rand.Read(c.SpanID[:])
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(c))
	return ctx, trace.SpanFromContext(ctx)
}

var errPanic = errors.New("panic")

func (a *api) enter(rt route, w http.ResponseWriter, r *http.Request, c *call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanic
			a.Telemetry.Log.Error("panic", "route", rt.path, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		}
	}()
	if rt.class != "" {
		if c.hops, err = hops(r); err != nil {
			return err
		}
		if c.caller, err = a.Keys.caller(secretOf(r.Header), rt.class, a.Proxies.client(r), a.Quota.Now().Rates); err != nil {
			return err
		}
	}
	return rt.serve(w, r, c)
}

// account counts the request and writes its one log line, in which nothing is that a user said.
func (a *api) account(rt route, r *http.Request, c *call, status int, err error, took time.Duration) {
	outcome, level := "ok", slog.LevelInfo
	attrs := []slog.Attr{slog.String("route", rt.path), slog.String("method", r.Method)}
	if err != nil {
		f := faultOf(err)
		outcome, status = f.outcome(), f.status
		if outcome == "error" {
			level = slog.LevelError
		}
		attrs = append(attrs, slog.String("error", told(f, err)))
	} else if len(c.degraded) > 0 {
		outcome = "degraded"
	}
	a.Telemetry.Metrics.ChatDuration.WithLabelValues(rt.path, outcome).Observe(took.Seconds())
	a.Telemetry.Metrics.ChatRequests.WithLabelValues(rt.path, strconv.Itoa(status)).Inc()
	attrs = append(attrs, slog.Int("status", status), slog.String("outcome", outcome), slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	attrs = append(attrs, slog.String("trace_id", trace.SpanContextFromContext(r.Context()).TraceID().String()))
	if c.turnID != "" {
		attrs = append(attrs, slog.String("turn_id", c.turnID), slog.String("engine", c.engine), slog.Any("degraded", c.degraded))
	}
	a.Telemetry.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// told is an error for the log: of what the caller got wrong only the kind, of what we did all of it.
func told(f fault, err error) string {
	if f.status < http.StatusInternalServerError {
		return f.title
	}
	return err.Error()
}

// answer remembers what was written.
type answer struct {
	http.ResponseWriter
	status int
}

func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, _ := marshal(v)
	writeText(w, status, text)
}

// writeText writes JSON. It ignores the error of writing: the caller left, or stopped reading for so long that the
// connection is lost.
func writeText(w http.ResponseWriter, status int, text []byte) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTime))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
	_ = control.SetWriteDeadline(time.Time{}) // the connection may serve another request
}
