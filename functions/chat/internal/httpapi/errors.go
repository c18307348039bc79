package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

// OpenAI's words for kinds of error.
const (
	kindRequest = "invalid_request_error"
	kindServer  = "server_error"
	kindTimeout = "timeout_error"
)

// statusLeft is nginx's word for a caller who left before the answer; it is logged and counted, never sent.
const statusLeft = 499

// unavailableRetry is when what a breaker guards may be worth asking for again.
const unavailableRetry = 5 * time.Second

// fault is an error as the caller is told of it. Kind, code and param are OpenAI's words for it.
type fault struct {
	status     int
	title      string
	detail     string
	kind       string
	code       string
	param      string
	retryAfter time.Duration
}

func (f fault) Error() string { return f.title + ": " + f.detail }

// What the edge itself refuses.
var (
	errUnknownKey = fault{status: 401, title: "Unknown API key", detail: "The API key is not known here.", kind: kindRequest, code: "invalid_api_key"}
	errKeyNeeded  = fault{status: 401, title: "API key needed", detail: "This route needs an API key.", kind: kindRequest, code: "invalid_api_key"}
	errNoRoute    = fault{status: 404, title: "Not found", detail: "There is nothing at this address.", kind: kindRequest, code: "unknown_url"}
	errNoModel    = fault{status: 404, title: "No such model", detail: "There is no model of this name.", kind: kindRequest, code: "model_not_found", param: "model"}
	errMethod     = fault{status: 405, title: "Method not allowed", detail: "This address does not take this method.", kind: kindRequest, code: "method_not_allowed"}
	errSlowBody   = fault{status: 408, title: "Request timed out", detail: "The body did not arrive in time.", kind: kindTimeout, code: "request_timeout", retryAfter: time.Second}
	errTooLarge   = fault{status: 413, title: "Too large", detail: fmt.Sprintf("The body is larger than %d bytes.", limits.MaxBody), kind: kindRequest, code: "request_too_large"}
	errLong       = fault{status: 413, title: "Too large", detail: fmt.Sprintf("The message is longer than %d bytes.", limits.MaxMessage), kind: kindRequest, code: "request_too_large", param: "message"}
	errMediaType  = fault{status: 415, title: "Unsupported media type", detail: "The body has to be application/json.", kind: kindRequest, code: "unsupported_media_type"}
)

// What is told of any other error, whatever it says itself.
var errInternal = fault{status: 500, title: "Internal error", detail: "Something went wrong here. It was noted.", kind: kindServer, code: "internal_error"}

// faultOf is the one table from errors to statuses.
func faultOf(err error) fault {
	var (
		own      fault
		bad      *turn.Invalid
		limited  *turn.Limited
		refused  *turn.Refused
		hops     *turn.HopsError
		rejected *engine.Rejected
		spent    *engine.Spent
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &bad):
		return fault{status: 400, title: "Malformed request", detail: invalidDetail(bad), kind: kindRequest, code: "invalid_value", param: bad.Field}
	case errors.As(err, &refused):
		return fault{status: 403, title: "Refused", detail: refused.Reason, kind: "permission_error", code: refused.Gate}
	case errors.As(err, &spent):
		return fault{status: 403, title: "Refused", detail: "What may be spent on engines today is used up; the day begins at midnight UTC.", kind: "permission_error", code: "spend"}
	case errors.As(err, &rejected):
		return fault{status: rejectedStatus(rejected.Status), title: "Refused by the engine", detail: rejected.Message, kind: rejected.Type, code: rejected.Code}
	case errors.Is(err, turn.ErrNoSession):
		return fault{status: 404, title: "No such session", detail: "There is no session of this name, or no longer.", kind: kindRequest, code: "session_not_found"}
	case errors.Is(err, turn.ErrNoStream):
		return errNoStream
	case errors.Is(err, turn.ErrResume):
		return fault{status: 503, title: "Leaving", detail: "This instance leaves. Go on with GET /chat/{turn_id}/stream.", kind: kindServer, code: "resume", retryAfter: comeBack}
	case errors.Is(err, serve.ErrDraining):
		return fault{status: 503, title: "Leaving", detail: "This instance leaves. Please try again.", kind: kindServer, code: "leaving", retryAfter: comeBack}
	case errors.Is(err, turn.ErrDeadline):
		return fault{status: 408, title: "Past the deadline", detail: "There was no answer in time.", kind: kindTimeout, code: "deadline_exceeded", retryAfter: time.Second}
	case errors.As(err, &limited):
		return fault{status: 429, title: "Too many requests", detail: "You have used your share for now.", kind: "requests", code: "rate_limit_exceeded", retryAfter: limited.RetryAfter}
	case errors.Is(err, engine.ErrLeft), errors.Is(err, context.Canceled):
		return fault{status: statusLeft}
	case errors.Is(err, engine.ErrCut):
		return fault{status: 500, title: "Cut off", detail: "The answer broke off before its end.", kind: kindServer, code: "answer_cut_off"}
	case errors.Is(err, turn.ErrShed):
		return fault{status: 503, title: "Too busy", detail: "Too many turns are under way. Please try again.", kind: kindServer, code: "overloaded", retryAfter: turn.ShedRetry}
	case errors.Is(err, turn.ErrUnavailable):
		return fault{status: 503, title: "Not available", detail: "The memory cannot be reached now. Please try again.", kind: kindServer, code: "unavailable", retryAfter: unavailableRetry}
	case errors.As(err, &hops):
		return fault{status: 508, title: "Loop detected", detail: fmt.Sprintf("This call made %d hops; %d are allowed.", hops.Hops, limits.MaxHops), kind: kindServer, code: "loop_detected"}
	}
	return errInternal
}

// rejectedStatus keeps an engine's refusal where it is the caller's to mend.
func rejectedStatus(status int) int {
	switch status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return status
	}
	return http.StatusBadRequest
}

func invalidDetail(e *turn.Invalid) string {
	if e.Field == "" {
		return "The request " + e.Reason + "."
	}
	return fmt.Sprintf("%q %s.", e.Field, e.Reason)
}

// outcome is the fault's word in metrics and logs.
func (f fault) outcome() string {
	switch {
	case f.status == statusLeft:
		return "left"
	case f.status == http.StatusRequestTimeout:
		return "timeout"
	case f.status == http.StatusTooManyRequests:
		return "limited"
	case f.status == http.StatusServiceUnavailable:
		return "shed"
	case f.status == http.StatusLoopDetected || f.status < 500:
		return "refused"
	}
	return "error"
}

// headers sets what goes with the status, whatever the body's dialect.
func (f fault) headers(h http.Header) {
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds(f.retryAfter)))
	}
	switch f.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close") // what is left of the body is not read
	case http.StatusLoopDetected:
		h.Set("X-Should-Retry", "false") // OpenAI's clients try a 5xx again otherwise
	}
}

// rateLimit tells the caller's share in the fields of draft-ietf-httpapi-ratelimit-headers-10.
func rateLimit(h http.Header, class string, v *turn.Verdict) {
	if v == nil {
		return
	}
	h.Set("RateLimit-Policy", v.Policy)
	h.Set("RateLimit", `"`+class+`";r=`+strconv.Itoa(v.Remaining)+";t="+strconv.Itoa(seconds(v.Reset)))
}

// seconds rounds up: a caller who waits that long has waited long enough.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// problem is the RFC 9457 body of f, as it also goes into a stream that has begun.
type problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty"` // seconds
}

func (f fault) problem() problem {
	return problem{Type: "about:blank", Title: f.title, Status: f.status, Detail: f.detail, RetryAfter: seconds(f.retryAfter)}
}

func writeProblem(w http.ResponseWriter, r *http.Request, f fault) {
	f.headers(w.Header())
	serve.Problem(w, r, f.status, f.title, f.detail, nil)
}

// openAIError is OpenAI's error object.
type openAIError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

func (f fault) openAI() (e openAIError) {
	e.Error.Message, e.Error.Type = f.detail, f.kind
	if f.param != "" {
		e.Error.Param = &f.param
	}
	if f.code != "" {
		e.Error.Code = &f.code
	}
	return e
}

func writeOpenAIError(w http.ResponseWriter, _ *http.Request, f fault) {
	f.headers(w.Header())
	writeJSON(w, f.status, f.openAI())
}
