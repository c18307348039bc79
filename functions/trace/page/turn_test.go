package page

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/shared/decision"
)

func TestADecisionStandsOnTheAxisAndBesideItsCutOff(t *testing.T) {
	v := tell(decision.Trace{DurationMS: 4000, BudgetMS: 15000, Decisions: []decision.Decision{
		{Stage: decision.Recall, OffsetMS: 1000, LatencyMS: 1000, FallbackChain: []string{"neo4j: timeout", "cache"}},
		{Stage: decision.Recall, OffsetMS: 2000, LatencyMS: 10},
		{Stage: decision.Answer, OffsetMS: 2000, LatencyMS: 2000, Inputs: map[string]any{"first_token_ms": 4, "b": nil}},
		{Stage: "dream", LatencyMS: 20_000},
	}})
	first, second, answer, unknown := v.Steps[0], v.Steps[1], v.Steps[2], v.Steps[3]
	if first.X != 5 || first.Width != 5 || first.Share != 50 || first.ShareOf != "50 % of the cut-off, 2 s" {
		t.Errorf("first: %+v", first)
	}
	if first.CutX != 15 || second.CutX != 15 || !v.CutShown {
		t.Errorf("the cut-off counts from where the stage began: %v, %v", first.CutX, second.CutX)
	}
	if !first.Opens || second.Opens || !answer.Opens {
		t.Error("stages are named where they begin")
	}
	if first.Not[0] != (reasoned{"neo4j", "it did not answer in time"}) || first.Not[1] != (reasoned{"cache", ""}) {
		t.Errorf("not chosen: %+v", first.Not)
	}
	if answer.Given[1] != (given{"first token ms", "4"}) || answer.Given[0] != (given{"b", "null"}) {
		t.Errorf("given: %+v", answer.Given)
	}
	if !unknown.Over || unknown.ShareOf != "133 % of the deadline, 15 s" || unknown.Width != 100 {
		t.Errorf("an unknown stage is held to the deadline: %+v", unknown)
	}
}

func TestEveryTraceFitsItsPage(t *testing.T) {
	inside := func(r *rapid.T, x float64) {
		if !(x >= 0 && x <= 100) {
			r.Fatalf("%v is off the page", x)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		ms := rapid.Float64Range(0, 86_400_000)
		trace := decision.Trace{DurationMS: ms.Draw(r, "duration"), BudgetMS: ms.Draw(r, "budget")}
		for range rapid.IntRange(0, 120).Draw(r, "decisions") {
			trace.Decisions = append(trace.Decisions, decision.Decision{
				Stage: rapid.SampledFrom([]string{"admit", "recall", "answer", "record", "other"}).Draw(r, "stage"), OffsetMS: ms.Draw(r, "offset"), LatencyMS: ms.Draw(r, "latency")})
		}
		v := tell(trace)
		inside(r, v.Ruler)
		if len(v.Ticks) > 8 || len(v.Marks) > 12 || len(v.Steps) > maxSteps || len(v.Steps)+v.More != len(trace.Decisions) {
			r.Fatalf("%d ticks, %d marks, %d steps", len(v.Ticks), len(v.Marks), len(v.Steps))
		}
		for _, tick := range append(v.Ticks, v.Marks...) {
			inside(r, tick.X)
		}
		for _, s := range v.Steps {
			inside(r, s.X)
			inside(r, s.Width)
			inside(r, s.Share)
			inside(r, s.CutX)
		}
	})
}
