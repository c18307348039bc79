package chain_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/local"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// ledger is a store that is down when broken.
type ledger struct {
	usd    float64
	broken bool
}

func (l *ledger) Spent(_ context.Context, usd float64, _ time.Time) (hour, day float64, err error) {
	if l.broken {
		return 0, 0, errors.New("down")
	}
	l.usd += usd
	return l.usd, l.usd, nil
}

func TestSpendMakesEnginesCheaperAndThenEndsThem(t *testing.T) {
	dear, cheap := newScripted(t, answerWhole), newScripted(t, answerWhole)
	path := t.TempDir() + "/engines.yaml"
	write(t, path, entry("dear", dear.URL, "    price: {input: 1000, output: 1000}"), entry("cheap", cheap.URL, "    price: {input: 10, output: 10}"))
	nop := telemetry.Nop()
	spend := chain.NewSpend(chain.SpendConfig{Limits: func() (hour, day float64) { return 0.02, 0.03 }, Log: nop.Log})
	c, err := chain.Open(chain.Config{File: path, Last: local.Engine{}, Tracer: nop.Tracer, Meter: nop.Meter, Log: nop.Log, Spend: spend})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var answers []string
	for {
		a, err := c.Answer(t.Context(), hello(), nil) // 12 tokens: 0.012 or 0.00012 USD
		if err != nil {
			if !errors.As(err, new(*engine.Spent)) {
				t.Error(err)
			}
			break
		}
		answers = append(answers, a.Engine)
	}
	if len(answers) < 50 || answers[0] != "dear" || answers[1] != "dear" || slices.Contains(answers[2:], "dear") || slices.Contains(answers, engine.Local) {
		t.Errorf("answered by %v", answers)
	}
	if s := c.Statuses()[0]; s.Dependency != "spend" || s.State != "hard" {
		t.Errorf("status %+v", s)
	}
}

func TestSpendIsThatOfAllInstancesAndEndsWithTheDay(t *testing.T) {
	now := time.Date(2026, 5, 3, 22, 0, 0, 0, time.UTC)
	perDay := 100.0
	store, redis := &ledger{usd: 5}, guard.New(limits.Redis, nil)
	newSpend := func() *chain.Spend {
		return chain.NewSpend(chain.SpendConfig{Limits: func() (hour, day float64) { return 4, perDay }, Store: store, Redis: redis, Log: telemetry.Nop().Log, Now: func() time.Time { return now }})
	}
	tell := func(s *chain.Spend) {
		ended, end := context.WithCancel(t.Context())
		end()
		s.Run(ended)
	}
	s := newSpend()
	tell(s)
	if got := s.Level(); got != "soft" {
		t.Errorf("with what other instances spent it is %q", got)
	}
	perDay = 5
	if tell(s); s.Level() != "hard" {
		t.Errorf("under a limit that was lowered it is %q", s.Level())
	}
	perDay, store.broken = 100, true
	now = now.Add(3 * time.Hour)
	tell(s)
	if got := s.Level(); got != "" {
		t.Errorf("the next day it is %q", got)
	}
}
