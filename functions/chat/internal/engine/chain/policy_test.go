package chain_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// times answers the first n requests as bad does, and the others well. It notes when each came.
func times(t *testing.T, n int, bad http.HandlerFunc) (*scripted, func() []time.Time) {
	var calls atomic.Int32
	var at [100]time.Time
	s := newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		i := int(calls.Add(1))
		if at[i-1] = time.Now(); i <= n {
			bad(w, r)
			return
		}
		answerWhole(w, r)
	})
	return s, func() []time.Time { return at[:calls.Load()] }
}

func TestWaitsAsLongAsTheEngineAsks(t *testing.T) {
	for name, value := range map[string]func() string{
		"seconds": func() string { return "1" },
		"date":    func() string { return time.Now().Add(1900 * time.Millisecond).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at := times(t, 1, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", value())
				status(429)(w, r)
			})
			ctx, cancel := context.WithTimeout(t.Context(), limits.Turn)
			defer cancel()
			other := newScripted(t, answerWhole)
			a, err := open(t, entry("first", s.URL), entry("second", other.URL)).Answer(ctx, hello(), nil)
			if err != nil || a.Engine != "first" || len(at()) != 2 || a.Degraded != nil {
				t.Fatalf("asked %d times, got %+v, %v", len(at()), a, err)
			}
			if waited := at()[1].Sub(at()[0]); waited < 800*time.Millisecond {
				t.Errorf("asked again after %s", waited)
			}
		})
	}
}

func TestGoesOnToTheNextEngineWhenThereIsNoTimeToWait(t *testing.T) {
	s, at := times(t, 1, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Retry-After", "12"); status(429)(w, r) })
	other := newScripted(t, answerWhole)
	ctx, cancel := context.WithTimeout(t.Context(), limits.Turn)
	defer cancel()
	a, err := open(t, entry("first", s.URL), entry("second", other.URL)).Answer(ctx, hello(), nil)
	if err != nil || a.Engine != "second" || len(at()) != 1 {
		t.Errorf("asked %d times, got %+v, %v", len(at()), a, err)
	}
}

func TestAsksAgainOnlyWhereThatMayHelp(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewTLSServer(http.HandlerFunc(answerWhole))
	untrusted.Config.ErrorLog = nil
	t.Cleanup(untrusted.Close)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		url    string
		want   int
	}{
		"500 once":       {status(500), "", 2},
		"502":            {status(502), "", 1},
		"503":            {status(503), "", 1},
		"504":            {status(504), "", 1},
		"529":            {status(529), "", 1},
		"429":            {status(429), "", 3},
		"401":            {status(401), "", 1},
		"404":            {status(404), "", 1},
		"reset":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", 1},
		"no completion":  {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }, "", 1},
		"refused":        {nil, closed.URL, 0},
		"name not known": {nil, "http://no.such.name.invalid", 0},
		"not trusted":    {nil, untrusted.URL, 0},
		"no HTTP":        {nil, garbage(t), 0},
		"deeply nested":  {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("[", 1<<20)) }, "", 1},
		"endless":        {endless, "", 1},
		"a body cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "999")
			io.WriteString(w, whole)
		}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			bad, url := newScripted(t, c.answer), c.url
			if url == "" {
				url = bad.URL
			}
			good := newScripted(t, answerWhole)
			a, err := open(t, entry("first", url, "    breaker: {failures: 9}"), entry("second", good.URL)).Answer(t.Context(), hello(), nil)
			if err != nil || a.Engine != "second" || len(bad.asked()) != c.want || len(good.asked()) != 1 {
				t.Errorf("asked %d and %d times, want %d and 1; got %+v, %v", len(bad.asked()), len(good.asked()), c.want, a, err)
			}
		})
	}
}

// endless answers with more than any answer has.
func endless(w http.ResponseWriter, _ *http.Request) {
	for block := make([]byte, 1<<20); ; {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// garbage is the address of a server that speaks no HTTP.
func garbage(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "\x00\xff garbage\n")
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestExtraAttemptsStayWithinTheirShare(t *testing.T) {
	const calls = 300
	s := newScripted(t, status(500))
	c := open(t, entry("first", s.URL, "    breaker: {failures: 1000000}", "    retries: 1"), entry("second", s.URL, "    breaker: {failures: 1000000}"))
	slots := make(chan struct{}, 50)
	var budget atomic.Int32
	for range calls {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			a, err := c.Answer(t.Context(), hello(), nil)
			if err != nil || a.Engine != engine.Local {
				t.Errorf("got %+v, %v", a, err)
			}
			if slices.ContainsFunc(a.Degraded, func(d guard.Degraded) bool { return d.Reason == "retry budget" }) {
				budget.Add(1)
			}
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	extra := len(s.asked()) - calls
	if most := int(limits.Retries.Of * calls); extra > most || extra < limits.Retries.Few || budget.Load() == 0 {
		t.Errorf("%d extra attempts on %d calls, at most %d; %d times the budget was named", extra, calls, most, budget.Load())
	}
}

func TestASlowEngineIsHedged(t *testing.T) {
	var slow atomic.Bool
	var first *scripted
	first = newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			first.hang(r)
			return
		}
		answerWhole(w, r)
	})
	second := newScripted(t, answerWhole)
	c := open(t, entry("first", first.URL, "    hedge: true", "    breaker: {failures: 1}"), entry("second", second.URL))
	for range 20 { // as many as are needed to know how slow it mostly is: none of them is hedged, however slow this machine
		if a, err := c.Answer(t.Context(), hello(), nil); err != nil || a.Engine != "first" || len(second.asked()) != 0 {
			t.Fatalf("got %+v, %v", a, err)
		}
	}
	slow.Store(true)
	a, err := c.Answer(t.Context(), hello(), nil)
	if err != nil || a.Engine != "second" || len(second.asked()) != 1 || a.Degraded != nil {
		t.Fatalf("got %+v, %v", a, err)
	}
	<-first.left
	if state := c.Statuses()[0].State; state != "closed" {
		t.Errorf("the engine that lost is counted as failed: %s", state)
	}
}

func TestHedgesStayWithinTheirShare(t *testing.T) {
	const calls, quick = 40, 20
	var asked atomic.Int32
	first, second := newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > quick {
			time.Sleep(100 * time.Millisecond) // slower than ever before: each of these would be hedged
		}
		answerWhole(w, r)
	}), newScripted(t, answerWhole)
	c := open(t, entry("first", first.URL, "    hedge: true"), entry("second", second.URL))
	for range calls {
		if _, err := c.Answer(t.Context(), hello(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if hedged := len(second.asked()); hedged == 0 || float64(hedged) > calls*limits.Hedges.Of {
		t.Errorf("%d of %d calls were hedged", hedged, calls)
	}
}

func TestEnginesWithAWeightShareTheirPlace(t *testing.T) {
	var servers []*scripted
	var entries []string
	for i, weight := range []int{3, 1} {
		servers = append(servers, newScripted(t, answerWhole))
		entries = append(entries, entry(fmt.Sprint("e", i), servers[i].URL, fmt.Sprint("    weight: ", weight)))
	}
	c := open(t, entries...)
	const sessions = 400
	for i := range sessions {
		r := hello()
		r.SessionID = fmt.Sprint("session-", i)
		var first string
		for range 2 {
			a, err := c.Answer(t.Context(), r, nil)
			if err != nil || first != "" && a.Engine != first {
				t.Fatalf("session %d: answered by %s and then %s, %v", i, first, a.Engine, err)
			}
			first = a.Engine
		}
	}
	if got := len(servers[0].asked()); got < sessions*2*6/10 || got > sessions*2*9/10 {
		t.Errorf("the engine with three quarters of the weight got %d of %d", got, sessions*2)
	}
}

func TestHeadersOfTheFileAreSent(t *testing.T) {
	s := newScripted(t, answerWhole)
	if _, err := open(t, entry("first", s.URL, "    headers: {X-Team: memory}")).Answer(t.Context(), hello(), nil); err != nil || s.last.Get("X-Team") != "memory" {
		t.Errorf("sent %v, %v", s.last, err)
	}
}

const tooLong = `{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`

func TestARequestThatIsTooLongGoesToALargerEngine(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, tooLong, http.StatusBadRequest) }
	small, same, large := newScripted(t, refuse), newScripted(t, refuse), newScripted(t, answerWhole)
	c := open(t, entry("small", small.URL, "    context: 8000"), entry("same", same.URL, "    context: 8000"), entry("large", large.URL, "    context: 64000"))
	r := hello()
	r.History = make([]engine.Message, 10)
	a, err := c.Answer(t.Context(), r, nil)
	if err != nil || a.Engine != "large" || len(small.asked()) != 1 || len(same.asked()) != 0 || !slices.Equal(reasons(a.Degraded), []string{"small: refused", "same: context"}) {
		t.Errorf("asked %d and %d times, got %+v, %v", len(small.asked()), len(same.asked()), a, err)
	}
}

func TestOlderTurnsAreDroppedOnceWhenTheRequestIsTooLong(t *testing.T) {
	var refuse atomic.Int32
	s := newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		if refuse.Add(-1) >= 0 {
			http.Error(w, tooLong, http.StatusBadRequest)
			return
		}
		answerWhole(w, r)
	})
	r := hello()
	for i := range 6 {
		r.History = append(r.History, engine.Message{Role: engine.User, Content: fmt.Sprint("said ", i)})
	}
	refuse.Store(1)
	a, err := open(t, entry("only", s.URL)).Answer(t.Context(), r, nil)
	if sent := messagesOf(t, s.asked()[1]); err != nil || a.Engine != "only" || len(sent) != 3 || sent[0].Content != "said 4" {
		t.Errorf("sent %+v; %v", sent, err)
	}
	refuse.Store(9)
	_, err = open(t, entry("only", s.URL)).Answer(t.Context(), r, nil)
	rejected := (*engine.Rejected)(nil)
	if !errors.As(err, &rejected) || rejected.Code != engine.ContextLength || rejected.Message != "too long" || len(s.asked()) != 4 {
		t.Errorf("asked %d times: %v", len(s.asked())-2, err)
	}
}

func TestARefusalOfContentIsTheCallersToHear(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"400": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"not this","code":"content_filter"}}`, http.StatusBadRequest)
		},
		"403": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"not this","code":"content_policy_violation"}}`, http.StatusForbidden)
		},
		"an inner code": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"not this","code":"bad","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, http.StatusBadRequest)
		},
		"in the stream": func(w http.ResponseWriter, _ *http.Request) {
			say(w, `data: {"error":{"message":"not this","code":"content_filter"}}`+"\n\n", "Well")
		},
	} {
		s, other := newScripted(t, answer), newScripted(t, answerWhole)
		_, err := open(t, entry("first", s.URL), entry("second", other.URL)).Answer(t.Context(), hello(), new(heard).emit)
		rejected := (*engine.Rejected)(nil)
		if !errors.As(err, &rejected) || rejected.Code != engine.ContentFilter || rejected.Message != "not this" || len(s.asked()) != 1 || len(other.asked()) != 0 {
			t.Errorf("%s: asked %d and %d times: %v", name, len(s.asked()), len(other.asked()), err)
		}
	}
}

func TestTheFirstEngineIsBackSoonAfterItRecovers(t *testing.T) {
	var down atomic.Bool
	first, second := newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			status(503)(w, r)
			return
		}
		answerWhole(w, r)
	}), newScripted(t, answerWhole)
	c := open(t, entry("first", first.URL, "    breaker: {failures: 3, open: 300ms}"), entry("second", second.URL))
	down.Store(true)
	for range 20 {
		if a, err := c.Answer(t.Context(), hello(), nil); err != nil || a.Engine != "second" {
			t.Fatalf("got %+v, %v", a, err)
		}
	}
	down.Store(false)
	recovered := time.Now()
	for {
		a, err := c.Answer(t.Context(), hello(), nil)
		if err != nil || time.Since(recovered) > 30*time.Second {
			t.Fatalf("got %+v, %v", a, err)
		}
		if a.Engine == "first" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAThriftyRequestGoesToTheCheaperEngine(t *testing.T) {
	s := newScripted(t, answerWhole)
	c := open(t, entry("dear", s.URL, "    price: {input: 5, output: 5}"), entry("cheap", s.URL, "    price: {input: 1, output: 1}"))
	r := hello()
	r.Thrifty = true
	if a, err := c.Answer(t.Context(), r, nil); err != nil || a.Engine != "cheap" {
		t.Errorf("got %+v, %v", a, err)
	}
	r.Model = "dear"
	if a, err := c.Answer(t.Context(), r, nil); err != nil || a.Engine != "dear" {
		t.Errorf("got %+v, %v", a, err)
	}
}
