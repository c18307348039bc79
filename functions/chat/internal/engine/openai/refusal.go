package openai

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

// callers are the codes of errors that another attempt would meet again, whatever their status: what was asked is too
// long, or not to be answered.
var callers = map[string]string{
	"context_length_exceeded":      engine.ContextLength,
	"content_filter":               engine.ContentFilter,
	"content_policy_violation":     engine.ContentFilter,
	"ResponsibleAIPolicyViolation": engine.ContentFilter,
}

// refused turns an answer that is not 200 into the error that it stands for.
func (c *Client) refused(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // an engine need not explain itself
	why := gjson.GetBytes(text, "error")
	status := response.StatusCode
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return c.rejected(status, why)
	}
	if _, ours := callers[codeOf(why)]; ours {
		return c.rejected(status, why)
	}
	return &engine.Failure{
		Engine: c.Name(), Status: status, Err: fmt.Errorf("answered %d", status),
		RetryAfter: retryAfter(response.Header, time.Now()),
	}
}

// rejected is the engine's refusal in its own words.
func (c *Client) rejected(status int, why gjson.Result) *engine.Rejected {
	r := &engine.Rejected{Engine: c.Name(), Status: status, Type: stringOf(why.Get("type")), Code: codeOf(why), Message: stringOf(why.Get("message"))}
	if known, ok := callers[r.Code]; ok {
		r.Code = known
	}
	if why.Type == gjson.String {
		r.Message = why.String()
	}
	return r
}

// codeOf is an error's code: a string with some servers, a number with others, and with Azure inside another error.
func codeOf(why gjson.Result) string {
	inner := stringOf(why.Get("innererror.code"))
	if _, known := callers[inner]; known {
		return inner
	}
	code := why.Get("code")
	if code.Type == gjson.Null {
		return ""
	}
	return code.String()
}

// retryAfter is how long the engine asks to wait: in milliseconds as OpenAI's servers say it too, in seconds, or until
// a date (RFC 9110, section 10.2.3). 0: it does not ask.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < maxRetryAfter.Seconds()*1000 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds > 0 && seconds < maxRetryAfter.Seconds() {
			return time.Duration(seconds * float64(time.Second))
		}
		if seconds >= maxRetryAfter.Seconds() {
			return maxRetryAfter
		}
		return 0
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// maxRetryAfter is more than any turn waits.
const maxRetryAfter = 24 * time.Hour
