package decisions

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/decision"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func trace(turnID string) decision.Trace {
	return decision.Trace{
		TurnID: turnID, SessionID: "s1", User: "ana", Engine: "local", Outcome: decision.Fallback, Level: 3,
		StartedAt: noon, DurationMS: 12, BudgetMS: 15000,
		Decisions: []decision.Decision{
			{Stage: decision.Admit, Kind: decision.Policy, Selected: "let in", Outcome: decision.Success, LatencyMS: 1},
			{Stage: decision.Recall, Kind: decision.Routing, Selected: "cached recall: 0 items", Outcome: decision.Fallback,
				FallbackChain: []string{"neo4j: open"}, Dependency: "neo4j", OffsetMS: 1, LatencyMS: 2,
				Inputs: map[string]any{"limit": 10}},
		},
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDecodeTakesWhatChatSends(t *testing.T) {
	want := trace("t1")
	got, err := Decode(encode(t, want), noon)
	if err != nil {
		t.Fatal(err)
	}
	if got.TurnID != "t1" || len(got.Decisions) != 2 || got.Decisions[1].FallbackChain[0] != "neo4j: open" {
		t.Fatalf("%+v", got)
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*decision.Trace)
		want   string
	}{
		"no turn":          {func(t *decision.Trace) { t.TurnID = "" }, "turn_id: is missing"},
		"long turn":        {func(t *decision.Trace) { t.TurnID = strings.Repeat("x", 129) }, "turn_id: is longer than 128 bytes"},
		"control in turn":  {func(t *decision.Trace) { t.TurnID = "a\x00b" }, "turn_id: holds control characters"},
		"control in user":  {func(t *decision.Trace) { t.User = "a\nb" }, "user: holds control characters"},
		"long session":     {func(t *decision.Trace) { t.SessionID = strings.Repeat("x", 129) }, "session_id: is longer"},
		"unknown outcome":  {func(t *decision.Trace) { t.Outcome = "fine" }, "outcome: must be one of success, fallback"},
		"negative time":    {func(t *decision.Trace) { t.DurationMS = -1 }, "duration_ms: must be"},
		"endless time":     {func(t *decision.Trace) { t.DurationMS = 1e300 }, "duration_ms: must be"},
		"level 4":          {func(t *decision.Trace) { t.Level = 4 }, "degradation_level: must be 0 to 3"},
		"no start":         {func(t *decision.Trace) { t.StartedAt = time.Time{} }, "started_at: is missing"},
		"future":           {func(t *decision.Trace) { t.StartedAt = noon.Add(25 * time.Hour) }, "started_at: is in the future"},
		"decision outcome": {func(t *decision.Trace) { t.Decisions[1].Outcome = "" }, "decisions[1].outcome: must be one of"},
		"decision stage":   {func(t *decision.Trace) { t.Decisions[0].Stage = "" }, "decisions[0].stage: is missing"},
		"decision offset":  {func(t *decision.Trace) { t.Decisions[0].OffsetMS = -5 }, "decisions[0].offset_ms: must be"},
		"long dependency":  {func(t *decision.Trace) { t.Decisions[0].Dependency = strings.Repeat("x", 257) }, "decisions[0].dependency: is longer"},
		"many decisions":   {func(t *decision.Trace) { t.Decisions = make([]decision.Decision, 1001) }, "at most 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			trace := trace("t1")
			c.change(&trace)
			if _, err := Decode(encode(t, trace), noon); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestDecodeRefusesWhatIsNoTrace(t *testing.T) {
	for _, data := range []string{"", "null", "[]", `"x"`, "{}", `{"turn_id": 7}`, `{"turn_id":"t","decisions":{}}`, `{"turn_id":"t"`} {
		if _, err := Decode([]byte(data), noon); err == nil {
			t.Errorf("%s is taken", data)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, trace("t1")))
	f.Add([]byte(`{"turn_id":"\ud800","decisions":[{"inputs":{"a":[[[[]]]]}}]}`))
	f.Add([]byte(`{"turn_id":"t","outcome":"success","started_at":"0001-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Decode(data, noon)
		if err != nil {
			return
		}
		again, err := Decode(encode(t, got), noon)
		if err != nil {
			t.Fatalf("what was taken cannot be read back: %v", err)
		}
		if fmt.Sprint(summarize(got)) != fmt.Sprint(summarize(again)) {
			t.Fatal("what was taken reads differently")
		}
	})
}
