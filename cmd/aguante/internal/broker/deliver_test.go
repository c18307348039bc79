package broker

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

func TestAnEventGoesToTheTriggersWhoseFilterItPasses(t *testing.T) {
	b := newBench(t).run(t)
	for i, typ := range []string{"a", "b", "both", "neither"} {
		b.send(t, typ, fmt.Sprint(i))
	}
	b.idle(t)
	for name, s := range map[string]*subscriber{"a": b.first, "b": b.second} {
		got := map[string]bool{}
		for _, e := range s.events() {
			got[e.Type()] = true
		}
		if len(s.events()) != 2 || !got[name] || !got["both"] {
			t.Errorf("subscriber %s got %v", name, got)
		}
	}
	if e := b.first.events()[0]; data(t, e)["id"] != e.ID() || e.Subject() != "s1" || extension(e, event.ExtPartitionKey) != "s1" {
		t.Errorf("the event changed on its way: %v", e)
	}
}

func TestATemporaryFailureIsTriedAgain(t *testing.T) {
	for _, code := range []int{404, 408, 409, 429, 500, 503} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			b := newBench(t).run(t)
			b.first.answers(func(attempt int, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(map[bool]int{true: code, false: 202}[attempt == 1])
			})
			b.send(t, "a", "1")
			b.idle(t)
			if n := len(b.first.events()); n != 2 {
				t.Errorf("%d attempts", n)
			}
			if n := len(b.sink.events()); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

func TestNeverAgainIsADeadLetterAtOnce(t *testing.T) {
	for _, code := range []int{400, 401, 403, 410, 413, 415, 422} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			b := newBench(t).run(t)
			b.first.answers(func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(code)
				_, _ = fmt.Fprint(w, strings.Repeat("no", 2000))
			})
			b.send(t, "a", "1")
			b.idle(t)
			if n := len(b.first.events()); n != 1 {
				t.Errorf("%d attempts", n)
			}
			dead := b.sink.events()
			if len(dead) != 1 || dead[0].ID() != "1" || data(t, dead[0])["id"] != "1" {
				t.Fatalf("dead letters: %v", dead)
			}
			text, _ := base64.StdEncoding.DecodeString(extension(dead[0], "knativeerrordata"))
			if extension(dead[0], "knativeerrorcode") != fmt.Sprint(code) ||
				extension(dead[0], "knativeerrordest") != b.first.URL || !strings.HasPrefix(string(text), "nono") {
				t.Errorf("the letter does not say what happened: %v", dead[0].Extensions())
			}
		})
	}
}

func TestAnEventIsADeadLetterWhenItsAttemptsAreUsedUp(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(status(500))
	b.send(t, "a", "1")
	b.idle(t)
	if attempts, dead := len(b.first.events()), len(b.sink.events()); attempts != 3 || dead != 1 {
		t.Errorf("%d attempts, %d dead letters", attempts, dead)
	}
}

func TestRetryAfterIsHonouredUpToItsMaximum(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(func(attempt int, w http.ResponseWriter, _ *http.Request) {
		if attempt == 1 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	b.send(t, "a", "1")
	b.idle(t)
	if waited := b.first.times[1].Sub(b.first.times[0]); waited < time.Second {
		t.Errorf("tried again after %v", waited)
	}
}

func TestAnAnswerThatIsNoEventIsAFailure(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"status":"ok"}`) })
	b.send(t, "a", "1")
	b.idle(t)
	dead := b.sink.events()
	if attempts := len(b.first.events()); attempts != 3 || len(dead) != 1 || extension(dead[0], "knativeerrorcode") != "502" {
		t.Errorf("%d attempts, dead letters: %v", attempts, dead)
	}
}

func TestAFrozenSubscriberHoldsUpNobodyElse(t *testing.T) {
	b := newBench(t)
	b.timeout = "PT0.5S"
	b.run(t)
	thaw := make(chan struct{})
	b.first.answers(func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-thaw:
		case <-r.Context().Done():
		}
	})
	for i := range 2 * inFlight {
		b.send(t, "both", fmt.Sprint(i))
	}
	eventually(t, "the other subscriber has all events", b.second.has(2*inFlight))
	if s := b.function.Health().Status; s != "degraded" {
		eventually(t, "health says degraded", func() bool { return b.function.Health().Status == "degraded" })
	}
	close(thaw)
	b.first.answers(nil)
	b.idle(t)
}

func TestAReplyIsAnEventOneHopFurther(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/cloudevents+json")
		_, _ = fmt.Fprint(w, `{"specversion":"1.0","id":"r","source":"/first","type":"b","data":{"id":"r"}}`)
	})
	b.send(t, "a", "1")
	b.idle(t)
	got := b.second.events()
	if len(got) != 1 || got[0].ID() != "r" || event.Hops(got[0]) != 1 {
		t.Errorf("the other subscriber got %v", got)
	}
}

func TestALoopEndsAmongTheDeadLetters(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/cloudevents+json")
		_, _ = fmt.Fprint(w, `{"specversion":"1.0","id":"again","source":"/first","type":"a"}`)
	})
	b.send(t, "a", "1")
	b.idle(t)
	if n := len(b.first.events()); n != limits.MaxHops+1 {
		t.Errorf("the subscriber got %d events", n)
	}
	dead := b.sink.events()
	if len(dead) != 1 || extension(dead[0], "knativeerrorcode") != "508" {
		t.Errorf("dead letters: %v", dead)
	}
	if n := testutil.ToFloat64(b.telemetry.Metrics.HopsRefused); n != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestDeadLettersWaitForTheirSink(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(status(400))
	b.sink.answers(status(503))
	b.send(t, "a", "1")
	eventually(t, "the sink was tried", b.sink.has(1))
	b.kill()
	b.sink.answers(nil)
	b.run(t).idle(t)
	if n := len(b.first.events()); n != 1 {
		t.Errorf("the subscriber was tried %d times", n)
	}
	if dead := b.sink.events(); extension(dead[len(dead)-1], "knativeerrorcode") != "400" {
		t.Errorf("the letter forgot what happened: %v", dead)
	}
}
