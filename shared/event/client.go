package event

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.opentelemetry.io/otel/propagation"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// faulty are the statuses that say: this event will never be taken, whoever sends it.
var faulty = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}

// maxAnswer bounds what is read of an answer so that its connection can be used again.
const maxAnswer = 64 << 10

// client posts events, one attempt each.
type client struct {
	http.Client
	broker string // URL
	token  string // file
}

// oidcToken is the file in which Knative's SinkBinding keeps who this process is, where authentication-oidc is on.
const oidcToken = "/oidc/token"

func newClient(broker string) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, limits.Broker.InFlight
	transport.DisableCompression = true
	return &client{broker: broker, token: oidcToken, Client: http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// identify tells the broker, and nobody else, who sends. The file is read each time: Knative renews it every hour or so.
func (c *client) identify(request *http.Request, url string) {
	if url != c.broker {
		return
	}
	if token, err := os.ReadFile(c.token); err == nil {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
}

// post sends e in binary mode. A refusal that is the event's own fault is neutral for the guard around the call.
func (c *client) post(ctx context.Context, url string, e Event) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	if err := cehttp.WriteRequest(ctx, binding.ToMessage(&e), request); err != nil {
		return guard.Neutral(&Never{http.StatusBadRequest, err})
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	c.identify(request, url)
	answer, err := c.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	return refusal(answer)
}

// ping wants any answer from each of urls that is not the server's own failure: who takes events refuses a GET.
func (c *client) ping(urls ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, url := range urls {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			answer, err := c.Do(request)
			if err != nil {
				return err
			}
			_ = answer.Body.Close()
			if answer.StatusCode >= http.StatusInternalServerError {
				return fmt.Errorf("%s answered %d", request.URL.Host, answer.StatusCode)
			}
		}
		return nil
	}
}

func refusal(answer *http.Response) error {
	status := answer.StatusCode
	err := fmt.Errorf("%s answered %d", answer.Request.URL.Host, status)
	switch {
	case status >= 200 && status < 300:
		return nil
	case slices.Contains(faulty, status):
		return guard.Neutral(&Never{status, err})
	}
	if after, wrong := strconv.Atoi(answer.Header.Get("Retry-After")); wrong == nil && after > 0 {
		return &Again{After: time.Duration(after) * time.Second, Err: err}
	}
	return err
}
