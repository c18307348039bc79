package decision_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
)

func TestDecisionsComeInTheOrderOfTheirTime(t *testing.T) {
	start := time.Now().Add(-time.Second)
	r := decision.NewRecorder(start)
	ctx := decision.Into(context.Background(), r)
	var group sync.WaitGroup
	for n := range 50 {
		group.Go(func() {
			decision.From(ctx).Add(start.Add(time.Duration(50-n)*time.Millisecond), decision.Decision{Stage: decision.Recall})
		})
	}
	group.Wait()
	all := r.Decisions()
	for i := 1; i < len(all); i++ {
		if all[i].OffsetMS < all[i-1].OffsetMS {
			t.Fatalf("%v ms after %v ms", all[i].OffsetMS, all[i-1].OffsetMS)
		}
	}
	if len(all) != 50 || all[0].LatencyMS < 900 {
		t.Errorf("%d decisions, the first took %v ms", len(all), all[0].LatencyMS)
	}
}

func TestWithoutARecorderNothingIsKept(t *testing.T) {
	r := decision.From(context.Background())
	r.Add(time.Now(), decision.Decision{})
	if r.Decisions() != nil {
		t.Error("a decision was kept")
	}
}

func TestWorstOutcomeIsTheTurns(t *testing.T) {
	of := func(outcomes ...string) (all []decision.Decision) {
		for _, o := range outcomes {
			all = append(all, decision.Decision{Outcome: o})
		}
		return all
	}
	cases := []struct {
		want string
		of   []decision.Decision
	}{
		{decision.Success, nil},
		{decision.Success, of("success", "success")},
		{decision.Fallback, of("success", "fallback")},
		{decision.Failure, of("failure", "fallback")},
		{decision.Refused, of("refused", "failure")},
	}
	for _, c := range cases {
		if got := decision.Worst(c.of); got != c.want {
			t.Errorf("%v: %s, want %s", c.of, got, c.want)
		}
	}
}
