package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

func TestEveryErrorHasItsStatus(t *testing.T) {
	limited := &turn.Limited{Verdict: turn.Verdict{RetryAfter: 1200 * time.Millisecond}}
	for _, c := range []struct {
		err        error
		status     int
		outcome    string
		retryAfter string
	}{
		{&turn.Invalid{Field: "message", Reason: "is empty"}, 400, "refused", ""},
		{errUnknownKey, 401, "refused", ""},
		{errKeyNeeded, 401, "refused", ""},
		{&turn.Refused{Gate: "topic", Reason: "Not about this."}, 403, "refused", ""},
		{errNoRoute, 404, "refused", ""},
		{fmt.Errorf("history: %w", turn.ErrNoSession), 404, "refused", ""},
		{errMethod, 405, "refused", ""},
		{errSlowBody, 408, "timeout", "1"},
		{fmt.Errorf("answer: %w", turn.ErrDeadline), 408, "timeout", "1"},
		{errTooLarge, 413, "refused", ""},
		{errLong, 413, "refused", ""},
		{errMediaType, 415, "refused", ""},
		{limited, 429, "limited", "2"},
		{turn.ErrShed, 503, "shed", "1"},
		{fmt.Errorf("recall: %w: %w", turn.ErrUnavailable, errors.New("open")), 503, "shed", "5"},
		{&turn.HopsError{Hops: 4}, 508, "refused", ""},
		{&engine.Rejected{Status: 400, Code: "context_length_exceeded", Message: "Too long."}, 400, "refused", ""},
		{&engine.Rejected{Status: 422, Message: "No."}, 422, "refused", ""},
		{&engine.Rejected{Status: 418, Message: "No."}, 400, "refused", ""},
		{engine.ErrCut, 500, "error", ""},
		{errors.New("dial tcp 10.0.0.1:6379: password wrong"), 500, "error", ""},
	} {
		f := faultOf(c.err)
		if f.status != c.status || f.outcome() != c.outcome {
			t.Errorf("%v: %d %s, want %d %s", c.err, f.status, f.outcome(), c.status, c.outcome)
		}
		r := httptest.NewRequest(http.MethodPost, "/chat", nil)
		for kind, tell := range map[string]func(http.ResponseWriter, *http.Request, fault){
			"application/problem+json": writeProblem, "application/json": writeOpenAIError,
		} {
			w := httptest.NewRecorder()
			tell(w, r, f)
			if w.Code != c.status || w.Header().Get("Content-Type") != kind || w.Header().Get("Retry-After") != c.retryAfter {
				t.Errorf("%v as %s: %d %v", c.err, kind, w.Code, w.Header())
			}
			if strings.Contains(w.Body.String(), "password") || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%v as %s says %s", c.err, kind, w.Body)
			}
		}
	}
}

func TestACallerWhoLeftIsNoError(t *testing.T) {
	for _, err := range []error{engine.ErrLeft, context.Canceled, fmt.Errorf("answer: %w", context.Canceled)} {
		if f := faultOf(err); f.status != statusLeft || f.outcome() != "left" {
			t.Errorf("%v: %d %s", err, f.status, f.outcome())
		}
	}
}

func TestTheEnginesReasonReachesTheCaller(t *testing.T) {
	f := faultOf(&engine.Rejected{Status: 400, Code: "content_filter", Type: "policy", Message: "It was filtered."})
	e := f.openAI().Error
	if e.Message != "It was filtered." || e.Type != "policy" || *e.Code != "content_filter" || f.problem().Detail != "It was filtered." {
		t.Errorf("got %+v and %+v", e, f.problem())
	}
}

func TestRateLimitFields(t *testing.T) {
	h := http.Header{}
	rateLimit(h, "chat", &turn.Verdict{Remaining: 12, Reset: 1500 * time.Millisecond, Policy: `"chat";q=60;w=60`})
	if got := h.Get("RateLimit"); got != `"chat";r=12;t=2` {
		t.Errorf("RateLimit: %s", got)
	}
	if got := h.Get("RateLimit-Policy"); got != `"chat";q=60;w=60` {
		t.Errorf("RateLimit-Policy: %s", got)
	}
}
