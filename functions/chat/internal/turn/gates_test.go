package turn_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/event"
)

// gate rules as its function does.
type gate func(turn.Turn) *turn.Ruling

func (g gate) Check(t turn.Turn, _ turn.Opened) *turn.Ruling { return g(t) }

// meter remembers what it was told.
type meter struct {
	mu   sync.Mutex
	used []turn.Used
}

func (m *meter) Add(_ turn.Caller, u turn.Used) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = append(m.used, u)
}

func TestAGateKeepsATurnOutAndSaysWhy(t *testing.T) {
	p := bare(func(context.Context, engine.Request) (engine.Answer, error) {
		t.Error("an engine was asked")
		return engine.Answer{}, nil
	})
	asked := 0
	p.Gates = []turn.Gate{
		gate(func(turn.Turn) *turn.Ruling { return nil }),
		gate(func(turn.Turn) *turn.Ruling { return &turn.Ruling{Gate: "first", Policy: "p1", Mark: "odd"} }),
		gate(func(turn.Turn) *turn.Ruling {
			return &turn.Ruling{Gate: "second", Policy: "p2", Inputs: map[string]any{"n": 7}, Reason: "No."}
		}),
		gate(func(turn.Turn) *turn.Ruling { asked++; return nil }),
	}
	_, err := turn.New(p).Take(t.Context(), says("ana", "hi"), nil)
	refused := (*turn.Refused)(nil)
	if !errors.As(err, &refused) || *refused != (turn.Refused{Gate: "second", Reason: "No."}) || asked > 0 {
		t.Fatalf("got %v; the gate after it was asked %d times", err, asked)
	}
	trace := data[decision.Trace](t, p.Outbox.(*sent), event.TurnDecided)
	last := trace.Decisions[len(trace.Decisions)-1]
	if trace.Outcome != decision.Refused || last.Stage != decision.Admit || last.Kind != decision.Policy || last.Outcome != decision.Refused ||
		last.Policy != "p2" || last.Inputs["n"] != float64(7) || last.Error != refused.Error() {
		t.Errorf("decided %+v", trace)
	}
	marked := slices.ContainsFunc(trace.Decisions, func(d decision.Decision) bool { return d.Selected == "odd" && d.Outcome == decision.Success })
	count := p.Telemetry.Metrics.GateRulings
	if !marked || testutil.ToFloat64(count.WithLabelValues("first", "marked")) != 1 || testutil.ToFloat64(count.WithLabelValues("second", "refused")) != 1 {
		t.Errorf("marked %t, %+v", marked, trace.Decisions)
	}
}

func TestATurnThatGoesOnIsNotKeptOutInTheMiddle(t *testing.T) {
	p := bare(ok)
	p.Gates = []turn.Gate{gate(func(turn.Turn) *turn.Ruling { return &turn.Ruling{Gate: "g", Reason: "No."} })}
	in := says("ana", "hi")
	in.Sent = "H"
	if _, err := turn.New(p).Take(t.Context(), in, nil); err != nil {
		t.Error(err)
	}
}

func TestWhatAKeyUsesIsCountedAlsoWhenThereIsNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		key  string
		err  error
		want []turn.Used
	}{
		"an answer":    {"shop", nil, []turn.Used{{Tokens: 12, USD: 0.5}}},
		"broken off":   {"shop", engine.ErrCut, []turn.Used{{Tokens: 12, USD: 0.5}}},
		"caller left":  {"shop", engine.ErrLeft, []turn.Used{{Tokens: 12, USD: 0.5}}},
		"anonymous is": {"", nil, nil},
	} {
		p, m := bare(func(context.Context, engine.Request) (engine.Answer, error) {
			return engine.Answer{Text: "Hi.", Tokens: 12, Cost: 0.5}, c.err
		}), &meter{}
		p.Meter = m
		in := says("ana", "hi")
		in.Caller.Key = c.key
		if _, err := turn.New(p).Take(t.Context(), in, nil); !errors.Is(err, c.err) {
			t.Fatal(err)
		}
		if !slices.Equal(m.used, c.want) {
			t.Errorf("%s: %+v", name, m.used)
		}
	}
}
