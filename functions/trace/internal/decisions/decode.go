// Package decisions keeps what turns decided: decoded with suspicion, stored once per turn, listed by filters, and
// dropped when it is old or too much.
package decisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Bounds on one trace. A turn makes about ten decisions; a clock may be wrong by a day.
const (
	maxDecisions = 1000
	maxWord      = 256 // bytes of a stage, kind, dependency or engine name
	maxClockSkew = 24 * time.Hour
	maxDuration  = 24 * time.Hour
)

var outcomes = []string{decision.Success, decision.Fallback, decision.Refused, decision.Failure}

// Decode reads the data of a turn.decided event. Its error lists every field that cannot be right, for the sender.
func Decode(data []byte, now time.Time) (decision.Trace, error) {
	var t decision.Trace
	if err := json.Unmarshal(data, &t); err != nil {
		return decision.Trace{}, fmt.Errorf("decision trace: %w", err)
	}
	faults := []error{
		checkID("turn_id", t.TurnID, true), checkID("session_id", t.SessionID, false), checkID("user", t.User, false),
		checkWord("engine", t.Engine), checkWord("trace_id", t.TraceID), checkOutcome("outcome", t.Outcome),
		checkSpan("duration_ms", t.DurationMS), checkSpan("budget_ms", t.BudgetMS), checkStart(t.StartedAt, now),
	}
	if t.Level < 0 || t.Level > 3 {
		faults = append(faults, errors.New("degradation_level: must be 0 to 3"))
	}
	if len(t.Decisions) > maxDecisions {
		return decision.Trace{}, fmt.Errorf("decision trace: decisions: at most %d", maxDecisions)
	}
	for i, d := range t.Decisions {
		if err := check(d); err != nil {
			faults = append(faults, fmt.Errorf("decisions[%d].%w", i, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return decision.Trace{}, fmt.Errorf("decision trace: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return t, nil
}

// check returns the first fault of d.
func check(d decision.Decision) error {
	for _, err := range []error{
		checkWord("stage", d.Stage), checkWord("kind", d.Kind), checkWord("dependency", d.Dependency),
		checkOutcome("outcome", d.Outcome), checkSpan("offset_ms", d.OffsetMS), checkSpan("latency_ms", d.LatencyMS),
	} {
		if err != nil {
			return err
		}
	}
	if d.Stage == "" {
		return errors.New("stage: is missing")
	}
	return nil
}

func checkID(field, id string, needed bool) error {
	switch {
	case id == "" && needed:
		return fmt.Errorf("%s: is missing", field)
	case len(id) > limits.MaxID:
		return fmt.Errorf("%s: is longer than %d bytes", field, limits.MaxID)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("%s: holds control characters", field)
	}
	return nil
}

func checkWord(field, word string) error {
	if len(word) > maxWord {
		return fmt.Errorf("%s: is longer than %d bytes", field, maxWord)
	}
	return nil
}

func checkOutcome(field, outcome string) error {
	if !slices.Contains(outcomes, outcome) {
		return fmt.Errorf("%s: must be one of %s", field, strings.Join(outcomes, ", "))
	}
	return nil
}

func checkSpan(field string, milliseconds float64) error {
	if milliseconds < 0 || milliseconds > float64(maxDuration.Milliseconds()) {
		return fmt.Errorf("%s: must be 0 to %d", field, maxDuration.Milliseconds())
	}
	return nil
}

func checkStart(at, now time.Time) error {
	switch {
	case at.Year() < 1970:
		return errors.New("started_at: is missing")
	case at.After(now.Add(maxClockSkew)):
		return errors.New("started_at: is in the future")
	}
	return nil
}
