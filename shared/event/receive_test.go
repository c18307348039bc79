package event

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace"

	"github.com/aguante-chat/aguante/shared/limits"
)

// receive gives what a handler around accept answers to e, in binary mode.
func receive(t testing.TB, e Event, accept func(context.Context, Event) (*Event, error), o HandlerOptions) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	if err := cehttp.WriteRequest(t.Context(), binding.ToMessage(&e), r); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	Handler("/receiver", accept, o).ServeHTTP(w, r)
	return w
}

func TestAnswersAreThoseThatBrokersUnderstand(t *testing.T) {
	cause := errors.New("a secret cause")
	cases := []struct {
		name       string
		err        error
		status     int
		retryAfter string
	}{
		{"taken", nil, 202, ""},
		{"again", &Again{After: 1500 * time.Millisecond, Err: cause}, 503, "2"},
		{"again, any time", &Again{Err: cause}, 503, "1"},
		{"again, wrapped", fmt.Errorf("write: %w", &Again{After: time.Minute, Err: cause}), 503, "60"},
		{"never", &Never{Status: 422, Err: errors.New("no user")}, 422, ""},
		{"never, no status", &Never{Err: errors.New("no user")}, 400, ""},
		{"another error", cause, 503, "1"},
		{"out of time", context.DeadlineExceeded, 503, "1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := receive(t, made(t, "1"), func(context.Context, Event) (*Event, error) { return nil, c.err }, HandlerOptions{})
			if w.Code != c.status || w.Header().Get("Retry-After") != c.retryAfter {
				t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
			if c.status < 300 && w.Body.Len() > 0 {
				t.Errorf("a body makes brokers retry: %s", w.Body)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the cause is told to the sender: %s", w.Body)
			}
		})
	}
}

func TestAReplyIsOneHopFurtherAndHasASource(t *testing.T) {
	e := made(t, "1")
	e.SetExtension(ExtHops, 2)
	w := receive(t, e, func(context.Context, Event) (*Event, error) {
		reply := made(t, "reply")
		reply.SetSource("")
		return &reply, nil
	}, HandlerOptions{})
	reply, err := binding.ToEvent(t.Context(), cehttp.NewMessageFromHttpResponse(w.Result()))
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d: %v", w.Code, err)
	}
	if reply.ID() != "reply" || Hops(*reply) != 3 || reply.Source() != "/receiver" {
		t.Errorf("%v", reply)
	}
}

func TestTooManyHopsAreRefusedAndCounted(t *testing.T) {
	refused := prometheus.NewCounter(prometheus.CounterOpts{Name: "refused"})
	for hops := range limits.MaxHops + 3 {
		e := made(t, "1")
		e.SetExtension(ExtHops, hops)
		w := receive(t, e, func(context.Context, Event) (*Event, error) { return nil, nil }, HandlerOptions{HopsRefused: refused})
		if over := hops > limits.MaxHops; (w.Code == http.StatusUnprocessableEntity) != over {
			t.Errorf("%d hops: %d", hops, w.Code)
		}
	}
	if n := testutil.ToFloat64(refused); n != 2 {
		t.Errorf("counted %v", n)
	}
}

func TestTheEventsTraceGoesOn(t *testing.T) {
	e := made(t, "1")
	e.SetExtension(ExtTraceParent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	receive(t, e, func(ctx context.Context, _ Event) (*Event, error) {
		if id := trace.SpanContextFromContext(ctx).TraceID().String(); id != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("trace %s", id)
		}
		return nil, nil
	}, HandlerOptions{})
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	const whole = `{"specversion":"1.0","id":"1","source":"/x","type":"a"`
	cases := []struct {
		name, method, contentType, body string
		status                          int
	}{
		{"GET", http.MethodGet, "", "", 405},
		{"no content type", http.MethodPost, "", "{}", 415},
		{"plain JSON", http.MethodPost, "application/json", "{}", 415},
		{"batch", http.MethodPost, "application/cloudevents-batch+json", "[" + whole + "}]", 415},
		{"another format", http.MethodPost, "application/cloudevents+avro", "x", 415},
		{"no id", http.MethodPost, "application/cloudevents+json", `{"specversion":"1.0","source":"/x","type":"a"}`, 400},
		{"a number as id", http.MethodPost, "application/cloudevents+json", `{"specversion":"1.0","id":1,"source":"/x","type":"a"}`, 400},
		{"empty body", http.MethodPost, "application/cloudevents+json", "", 400},
		{"cut off", http.MethodPost, "application/cloudevents+json", whole, 400},
		{"garbage", http.MethodPost, "application/cloudevents+json", "\x00\xff", 400},
		{"too large", http.MethodPost, "application/cloudevents+json", whole + `,"data":"` + strings.Repeat("a", 2*limits.MaxBody) + `"}`, 413},
		{"control character", http.MethodPost, "application/cloudevents+json", `{"specversion":"1.0","id":"a\u0000b","source":"/x","type":"a"}`, 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), c.method, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.contentType)
			w := httptest.NewRecorder()
			Handler("/receiver", func(context.Context, Event) (*Event, error) {
				t.Error("accepted")
				return nil, nil
			}, HandlerOptions{}).ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

// FuzzHandler: whatever comes in, the answer is an acknowledgement or a refusal that brokers do not retry, and what is
// accepted can be sent on in both modes.
func FuzzHandler(f *testing.F) {
	f.Add("application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/x","type":"a","hops":1,"data":{"a":1}}`, "", "")
	f.Add("application/json", `{"a":1}`, "1.0", "id")
	f.Add("application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"%zz","type":"a","time":"yesterday"}`, "", "")
	f.Add("text/plain", "\xff", "0.3", "\x01")
	f.Fuzz(func(t *testing.T, contentType, body, version, id string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header = http.Header{"Content-Type": {contentType}, "Ce-Id": {id}, "Ce-Source": {"/x"}, "Ce-Type": {"a"}}
		if version != "" {
			r.Header["Ce-Specversion"] = []string{version}
		}
		w := httptest.NewRecorder()
		Handler("/receiver", func(_ context.Context, e Event) (*Event, error) {
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", nil)
			if err := cehttp.WriteRequest(t.Context(), binding.ToMessage(&e), request); err != nil {
				t.Errorf("accepted and cannot be sent: %v", err)
			} else if err := request.Write(io.Discard); err != nil {
				t.Errorf("accepted and cannot be sent: %v", err)
			}
			return nil, nil
		}, HandlerOptions{}).ServeHTTP(w, r)
		switch w.Code {
		case 202, 400, 413, 415, 422:
		default:
			t.Errorf("status %d", w.Code)
		}
	})
}
