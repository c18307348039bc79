package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
)

// HopHeader counts the hops of a call; each engine is sent one more than came in.
const HopHeader = "Aguante-Hop"

// client asks one OpenAI-compatible server: one attempt, and the error back.
type client struct {
	spec Spec
	http *http.Client
}

// Name is the engine's name in the engines file.
func (c *client) Name() string { return c.spec.Name }

// Answer makes one attempt; with emit it asks for a stream. It fails with *Rejected, *Failure or ErrLeft.
func (c *client) Answer(ctx context.Context, r Request, emit Emit) (Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var silence *watchdog
	if emit != nil {
		silence = watch(cancel, time.Duration(c.spec.FirstToken))
		defer silence.stop()
	}
	answer, err := c.ask(ctx, r, emit, silence)
	if err == nil || errors.Is(err, ErrLeft) {
		return answer, err
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		return answer, ErrLeft
	}
	if cause != nil {
		err = c.failed(cause)
	}
	return answer, err
}

func (c *client) ask(ctx context.Context, r Request, emit Emit, silence *watchdog) (Answer, error) {
	response, err := c.post(ctx, r, emit != nil)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Answer{}, c.refused(response)
	}
	if emit != nil && strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return c.stream(response.Body, emit, silence)
	}
	return c.whole(response.Body, emit)
}

// post sends the request.
func (c *client) post(ctx context.Context, r Request, stream bool) (*http.Response, error) {
	body, err := c.body(r, stream)
	if err != nil {
		return nil, c.failed(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.spec.URL+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, c.failed(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(HopHeader, strconv.Itoa(r.Hop+1))
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	if err := c.authorize(request); err != nil {
		return nil, c.failed(err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.failed(errors.Unwrap(err)) // without the *url.Error, which repeats the address
	}
	return response, nil
}

// authorize adds the key. A key file is read anew each time, so that a rotated key is taken at once.
func (c *client) authorize(request *http.Request) error {
	key := c.spec.key
	if c.spec.APIKeyFile != "" {
		text, err := os.ReadFile(c.spec.APIKeyFile)
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

// body is the request as OpenAI's API has it. Fields that we do not know go through as they came.
func (c *client) body(r Request, stream bool) ([]byte, error) {
	fields := make(map[string]any, len(r.Params)+4)
	for name, value := range maps.All(r.Params) {
		fields[name] = value
	}
	delete(fields, "stream")
	if stream {
		fields["stream"] = true
		if r.Params["stream_options"] == nil {
			fields["stream_options"] = map[string]bool{"include_usage": true}
		}
	}
	fields["messages"] = r.prompt()
	fields["model"] = r.Model
	if c.spec.Model != "" {
		fields["model"] = c.spec.Model
	}
	return json.Marshal(fields)
}

// whole reads an answer that is one JSON document.
func (c *client) whole(body io.Reader, emit Emit) (Answer, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxEvent+1))
	switch {
	case err != nil:
		return Answer{}, c.failed(err)
	case len(text) > maxEvent:
		return Answer{}, c.failed(errEventTooLarge)
	}
	var w completion
	if err := json.Unmarshal(text, &w); err != nil {
		return Answer{}, c.failed(errMalformed)
	}
	if len(w.Choices) == 0 || w.Choices[0].Message == nil {
		return Answer{}, c.failed(errNoChoice)
	}
	choice := w.Choices[0]
	a := Answer{Text: choice.Message.Content, ToolCalls: choice.Message.ToolCalls, Engine: c.spec.Name, Model: w.Model}
	a.Finish, a.Usage = choice.FinishReason, w.usage()
	if emit != nil && emit(Piece{Text: a.Text, ToolCalls: a.ToolCalls}) != nil {
		return Answer{}, ErrLeft
	}
	return a, nil
}

// refused turns an answer that is not 200 into the error it stands for.
func (c *client) refused(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	var w completion
	_ = json.Unmarshal(text, &w) // an engine need not explain itself
	why := wireError{}
	if w.Error != nil {
		why = *w.Error
	}
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &Rejected{Engine: c.spec.Name, Status: response.StatusCode, Type: why.Type, Code: string(why.Code), Message: why.Message}
	}
	f := &Failure{Engine: c.spec.Name, Status: response.StatusCode, Err: fmt.Errorf("answered %d", response.StatusCode)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		f.RetryAfter = time.Duration(seconds) * time.Second
	}
	return f
}

func (c *client) failed(err error) *Failure { return &Failure{Engine: c.spec.Name, Err: err} }
