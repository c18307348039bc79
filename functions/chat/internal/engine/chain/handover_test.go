package chain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
)

// cuts are the ways in which a stream may end before its answer does.
var cuts = map[string]func(*scripted, http.ResponseWriter, *http.Request){
	"clean end":       func(*scripted, http.ResponseWriter, *http.Request) {},
	"reset":           func(*scripted, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"stall":           func(s *scripted, _ http.ResponseWriter, r *http.Request) { s.hang(r) },
	"malformed event": func(_ *scripted, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "data: {\n\n") },
	"error in the stream": func(_ *scripted, w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "data: {\"error\":{}}\n\n")
	},
	"cut in an event": func(_ *scripted, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "data: {\"choices\":") },
}

const told = "Quito lies high in the Andes. It is the capital of Ecuador."

// half is an engine that says the first n bytes of told, and then breaks off as ending does.
func half(t *testing.T, n int, ending string) *scripted {
	var s *scripted
	s = newScripted(t, func(w http.ResponseWriter, r *http.Request) { say(w, "", told[:n]); cuts[ending](s, w, r) })
	return s
}

func TestTheNextEngineGoesOnWhereOneBrokeOff(t *testing.T) {
	for ending := range cuts {
		for name, c := range map[string]struct {
			next, want string
			also       string // said in degraded of the second engine
		}{
			"with the rest":        {told[20:], told, ""},
			"from the beginning":   {told, told, ""},
			"from a little before": {told[6:], told, ""},
			"with another answer":  {"Ecuador's capital is Quito.", told[:20] + "… Ecuador's capital is Quito.", "second: diverged"},
			"with nothing more":    {"", told[:20], ""},
		} {
			t.Run(ending+"/"+name, func(t *testing.T) {
				first := half(t, 20, ending)
				second := newScripted(t, func(w http.ResponseWriter, _ *http.Request) {
					say(w, finish+usage+done, strings.SplitAfter(c.next, " ")...)
				})
				reason, figures := "first: cut off", []string{"    retries: 2"}
				if ending == "stall" {
					reason, figures = "first: stalled", append(figures, "    stall: 100ms")
				}
				chain := open(t, entry("first", first.URL, figures...), entry("second", second.URL))
				var heard heard
				a, err := chain.Answer(t.Context(), hello(), heard.emit)
				want := slices.DeleteFunc([]string{reason, c.also}, func(s string) bool { return s == "" })
				if err != nil || a.Text != c.want || heard.text.String() != c.want || a.Engine != "second" || !slices.Equal(reasons(a.Degraded), want) || !slices.Equal(heard.degraded, want) {
					t.Errorf("heard %q, %q; got %+v, %v", heard.text.String(), heard.degraded, a, err)
				}
				if len(first.asked()) != 1 || len(second.asked()) != 1 {
					t.Errorf("asked %d and %d times", len(first.asked()), len(second.asked()))
				}
			})
		}
	}
}

// messagesOf are those that an engine was sent.
func messagesOf(t *testing.T, body map[string]json.RawMessage) (all []struct{ Role, Content string }) {
	t.Helper()
	if err := json.Unmarshal(body["messages"], &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheNextEngineIsToldWhatWasSaid(t *testing.T) {
	first, second := half(t, 20, "reset"), newScripted(t, func(w http.ResponseWriter, _ *http.Request) { say(w, finish+done, told) })
	if _, err := open(t, entry("first", first.URL), entry("second", second.URL)).Answer(t.Context(), hello(), new(heard).emit); err != nil {
		t.Fatal(err)
	}
	messages := messagesOf(t, second.asked()[0])
	last := messages[len(messages)-1]
	if said := messages[len(messages)-2]; said.Role != engine.Assistant || said.Content != told[:20] || last.Role != engine.User || !strings.Contains(last.Content, "Go on") {
		t.Errorf("sent %+v", messages)
	}
}

func TestAnEngineThatWillNotGoOnIsAskedForAllOfIt(t *testing.T) {
	first := half(t, 20, "reset")
	second := newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		if body, _ := r.Context().Value(bodyKey{}).(map[string]json.RawMessage); strings.Contains(string(body["messages"]), engine.Assistant) {
			http.Error(w, `{"error":{"message":"no prefill"}}`, http.StatusBadRequest)
			return
		}
		say(w, finish+done, told)
	})
	var heard heard
	a, err := open(t, entry("first", first.URL), entry("second", second.URL)).Answer(t.Context(), hello(), heard.emit)
	if err != nil || a.Text != told || heard.text.String() != told || len(second.asked()) != 2 {
		t.Errorf("heard %q, asked %d times: %v", heard.text.String(), len(second.asked()), err)
	}
}

func TestNoRefusalToGoOnIsTheCallersError(t *testing.T) {
	first, second := half(t, 20, "reset"), newScripted(t, status(http.StatusBadRequest))
	third := newScripted(t, func(w http.ResponseWriter, _ *http.Request) { say(w, finish+done, told[20:]) })
	chain := open(t, entry("first", first.URL), entry("second", second.URL), entry("third", third.URL))
	a, err := chain.Answer(t.Context(), hello(), new(heard).emit)
	if err != nil || a.Text != told || !slices.Equal(reasons(a.Degraded), []string{"first: cut off", "second: refused"}) {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestAnEngineAloneIsAskedForTheRestItself(t *testing.T) {
	var calls atomic.Int32
	s := newScripted(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			say(w, "", told[:20])
			panic(http.ErrAbortHandler)
		}
		say(w, finish+done, told[20:])
	})
	a, err := open(t, entry("only", s.URL)).Answer(t.Context(), hello(), new(heard).emit)
	if err != nil || a.Text != told || calls.Load() != 2 {
		t.Errorf("asked %d times, got %+v, %v", calls.Load(), a, err)
	}
}

func TestHalfAnAnswerIsNeverPassedForAWholeOne(t *testing.T) {
	for ending := range cuts {
		t.Run(ending, func(t *testing.T) {
			bad := half(t, 20, ending)
			var heard heard
			a, err := open(t, entry("only", bad.URL, "    stall: 100ms")).Answer(t.Context(), hello(), heard.emit)
			if !errors.Is(err, engine.ErrCut) || a.Text != "" || heard.text.String() != told[:20] {
				t.Errorf("heard %q, got %+v, %v", heard.text.String(), a, err)
			}
		})
	}
}

func TestHalfADocumentIsNotJoinedToAnother(t *testing.T) {
	first := newScripted(t, func(w http.ResponseWriter, _ *http.Request) { say(w, "", `{"name": "Quito", "high`) })
	second := newScripted(t, func(w http.ResponseWriter, _ *http.Request) {
		say(w, finish+done, `{"name": "Quito", "capital": true}`)
	})
	r := hello()
	r.Params = map[string]json.RawMessage{"response_format": json.RawMessage(`{"type":"json_object"}`)}
	var heard heard
	_, err := open(t, entry("first", first.URL), entry("second", second.URL)).Answer(t.Context(), r, heard.emit)
	if !errors.Is(err, engine.ErrCut) || heard.text.String() != `{"name": "Quito", "high` {
		t.Errorf("heard %q: %v", heard.text.String(), err)
	}
}

func TestToolCallsThatBegunAreFinishedByNoOtherEngine(t *testing.T) {
	first := newScripted(t, func(w http.ResponseWriter, _ *http.Request) {
		say(w, `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}}]}`+"\n\n")
	})
	second := newScripted(t, answerWhole)
	_, err := open(t, entry("first", first.URL), entry("second", second.URL)).Answer(t.Context(), hello(), new(heard).emit)
	if !errors.Is(err, engine.ErrCut) || len(second.asked()) != 0 {
		t.Errorf("the second was asked %d times: %v", len(second.asked()), err)
	}
}

func TestTheRestOfAnAnswerIsGivenToWhoHasItsBeginning(t *testing.T) {
	s := newScripted(t, func(w http.ResponseWriter, _ *http.Request) { say(w, finish+done, told) })
	for name, c := range map[string]*chain.Chain{"engine": open(t, entry("only", s.URL)), "local": open(t)} {
		r, want := hello(), told
		if name == "local" {
			want = localAnswer
		}
		r.Sent = want[:9]
		var heard heard
		a, err := c.Answer(t.Context(), r, heard.emit)
		if err != nil || r.Sent+heard.text.String() != want || a.Text != want {
			t.Errorf("%s: heard %q, got %q, %v", name, heard.text.String(), a.Text, err)
		}
	}
}

// TestWhereverEnginesBreakOffTheCallerHasTheAnswerOnce lets each engine but the last break off somewhere, in any way, and
// the next one go on in any way from what it is told was said.
func TestWhereverEnginesBreakOffTheCallerHasTheAnswerOnce(t *testing.T) {
	type part struct {
		back, length int // begins so many bytes before what it is told ends, and says so many
		ending       string
	}
	var parts []part // one for each attempt, which come one after the other
	var s *scripted
	s = newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		p := parts[0]
		parts = parts[1:]
		at := 0
		for _, m := range messagesOf(t, r.Context().Value(bodyKey{}).(map[string]json.RawMessage)) {
			if m.Role == engine.Assistant {
				at = len(m.Content)
			}
		}
		from := max(0, at-p.back)
		say(w, "", strings.SplitAfter(told[from:min(from+p.length, len(told))], "")...)
		if p.ending == "" {
			io.WriteString(w, finish+done)
			return
		}
		cuts[p.ending](s, w, r)
	})
	endings := slices.Sorted(maps.Keys(cuts))
	rapid.Check(t, func(rt *rapid.T) {
		engines := rapid.IntRange(2, 4).Draw(rt, "engines")
		var entries []string
		parts = nil
		for i := range engines {
			stall := "    stall: 40ms"
			if i == engines-1 {
				stall = "    stall: 10s" // however busy the machine is, the last one is taken for well
			}
			entries = append(entries, entry(fmt.Sprint("e", i), s.URL, stall, "    retries: 0"))
			parts = append(parts, part{
				rapid.SampledFrom([]int{0, 15, len(told)}).Draw(rt, "back"), rapid.IntRange(0, len(told)).Draw(rt, "length"),
				rapid.SampledFrom(endings).Draw(rt, "ending"),
			})
		}
		parts[engines-1].length, parts[engines-1].ending = len(told), ""
		var heard heard
		a, err := open(t, entries...).Answer(context.WithoutCancel(t.Context()), hello(), heard.emit)
		if err != nil || a.Text != told || heard.text.String() != told {
			rt.Fatalf("heard %q, got %q, %v", heard.text.String(), a.Text, err)
		}
	})
}

func TestTenThousandFaultedStreamsLeaveNothingBehind(t *testing.T) {
	const streams, atOnce = 10_000, 64
	var calls atomic.Int64
	var s *scripted
	endings := []string{"clean end", "reset", "malformed event", "error in the stream", "cut in an event"}
	s = newScripted(t, func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		say(w, "", told[:n%int64(len(told))])
		cuts[endings[n%int64(len(endings))]](s, w, r)
	})
	c := open(t, entry("first", s.URL, "    breaker: {failures: 1000000}"), entry("second", s.URL, "    breaker: {failures: 1000000}"))
	slots := make(chan struct{}, atOnce)
	for i := range streams {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			ctx, leave := context.WithTimeout(t.Context(), time.Minute)
			defer leave()
			_, err := c.Answer(ctx, hello(), func(engine.Piece) error {
				if i%10 == 0 {
					leave()
				}
				return nil
			})
			if err != nil && !errors.Is(err, engine.ErrCut) && !errors.Is(err, engine.ErrLeft) {
				t.Errorf("stream %d: %v", i, err)
			}
		}()
	}
	for range atOnce {
		slots <- struct{}{}
	}
}
