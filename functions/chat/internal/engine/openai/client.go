// Package openai asks one OpenAI-compatible server: one attempt, and the error back.
package openai

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/limits"
)

// HopHeader counts the hops of a call; each engine is sent one more than came in.
const HopHeader = "Aguante-Hop"

// TimeoutHeader says for how many milliseconds from now an answer is waited for. It is Envoy's word, which proxies on the
// way may set and use too.
const TimeoutHeader = "X-Envoy-Expected-Rq-Timeout-Ms"

// Config is one server.
type Config struct {
	Name       string
	URL        string // its base URL, as https://engine.example/v1
	Model      string // empty: the one that the caller names
	Key        string
	KeyFile    string // instead of Key; read anew each time, so that a rotated key is taken at once
	Headers    map[string]string
	FirstToken time.Duration // until the first piece of a stream
	Stall      time.Duration // the longest silence inside a stream
}

// Client asks one server. Safe for concurrent use.
type Client struct {
	Config
	transport http.RoundTripper
}

// New returns a client of the server that c names, over t.
func New(c Config, t http.RoundTripper) *Client { return &Client{c, t} }

// NewTransport returns what clients share: it keeps connections open, and leaves it to each engine's own figures how
// long to wait for an answer. A transport follows no redirect: that would take the key elsewhere.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		TLSHandshakeTimeout: 2 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: limits.ConcurrentChats.Soft,
		IdleConnTimeout:     90 * time.Second,
	}
}

// Name is the engine's name in the engines file.
func (c *Client) Name() string { return c.Config.Name }

// Answer makes one attempt; with emit it asks for a stream. It fails with *engine.Rejected, *engine.Failure or
// engine.ErrLeft.
func (c *Client) Answer(ctx context.Context, r engine.Request, emit engine.Emit) (engine.Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var silence *watchdog
	if emit != nil {
		silence = watch(cancel, c.FirstToken, c.Stall)
		defer silence.timer.Stop()
	}
	answer, err := c.ask(ctx, r, emit, silence)
	if err == nil || errors.Is(err, engine.ErrLeft) {
		return answer, err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled):
		err = engine.ErrLeft
	case cause != nil:
		err = c.failed(cause)
	}
	return answer, err
}

func (c *Client) ask(ctx context.Context, r engine.Request, emit engine.Emit, silence *watchdog) (engine.Answer, error) {
	response, err := c.post(ctx, r, emit != nil)
	if err != nil {
		return engine.Answer{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return engine.Answer{}, c.refused(response)
	}
	if emit != nil && strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return c.stream(response.Body, emit, silence)
	}
	return c.whole(response.Body, emit)
}

// post sends the request.
func (c *Client) post(ctx context.Context, r engine.Request, stream bool) (*http.Response, error) {
	body, err := c.body(r, stream)
	if err != nil {
		return nil, c.failed(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, c.failed(err)
	}
	for name, value := range c.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(HopHeader, strconv.Itoa(r.Hop+1))
	if until, limited := ctx.Deadline(); limited {
		request.Header.Set(TimeoutHeader, strconv.FormatInt(max(1, time.Until(until).Milliseconds()), 10))
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	if err := c.authorize(request); err != nil {
		return nil, c.failed(err)
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, c.failed(err)
	}
	return response, nil
}

func (c *Client) authorize(request *http.Request) error {
	key := c.Key
	if c.KeyFile != "" {
		text, err := os.ReadFile(c.KeyFile)
		if err != nil {
			return errors.New("its key file cannot be read")
		}
		key = strings.TrimSpace(string(text))
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	return nil
}

// whole reads an answer that is one JSON document.
func (c *Client) whole(body io.Reader, emit engine.Emit) (engine.Answer, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxEvent+1))
	switch {
	case err != nil:
		return engine.Answer{}, c.failed(err)
	case len(text) > maxEvent:
		return engine.Answer{}, c.failed(errEventTooLarge)
	}
	a := engine.Answer{Engine: c.Name(), Whole: text}
	w, err := c.parse(text, &a)
	if err != nil {
		return engine.Answer{}, err
	}
	message := w.Get("choices.0.message")
	if !message.IsObject() {
		return engine.Answer{}, c.failed(errNoChoice)
	}
	a.Text, a.ToolCalls = stringOf(message.Get("content")), rawOf(message.Get("tool_calls"))
	a.Finish = stringOf(w.Get("choices.0.finish_reason"))
	if emit != nil && emit(engine.Piece{Text: a.Text, ToolCalls: a.ToolCalls}) != nil {
		return engine.Answer{}, engine.ErrLeft
	}
	return a, nil
}

func (c *Client) failed(err error) *engine.Failure {
	return &engine.Failure{Engine: c.Name(), Err: err}
}
