package page

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Bounds on what one page shows of a trace.
const (
	maxSteps   = 100
	maxEntries = 20 // inputs, or ways not taken, of one decision
)

// cutOffs are what each stage may take (WS1).
var cutOffs = map[string]time.Duration{
	decision.Admit: limits.RateLimit, decision.Recall: limits.Recall, decision.Answer: limits.Inference, decision.Record: limits.HandOff,
}

// turnView is one turn.
type turnView struct {
	decision.Trace
	Sentence  string
	Share     string  // of the budget
	Ruler     float64 // where the turn ended on a logarithmic scale up to its budget, 0 to 100
	Marks     []tick  // of that scale
	Ticks     []tick  // of the time axis, which ends with the turn
	Steps     []step
	CutShown  bool       // a stage's cut-off lies on the axis
	More      int        // steps that are not shown
	Session   string     // URL of the session's turns
	Others    string     // URL of the user's turns
	Namesakes []namesake // turns of other users with the same id
}

type namesake struct{ User, URL string }

type tick struct {
	X      float64 // 0 to 100
	Label  string
	Anchor string // of the label's text: start, middle or end
}

// step is one decision with its place on the axis.
type step struct {
	decision.Decision
	N        int
	Opens    bool // the first of its stage
	X, Width float64
	Share    float64 // of the stage's cut-off, 0 to 100
	ShareOf  string  // the same in words
	CutX     float64 // where the cut-off lies on the axis; 0: beyond it
	Over     bool
	Not      []reasoned
	NotMore  int
	Given    []given
}

// reasoned is a way that was not taken, and why.
type reasoned struct{ What, Why string }

type given struct{ Name, Value string }

func (c *Console) turn(w http.ResponseWriter, r *http.Request) {
	traces, err := c.decisions.Get(r.Context(), r.PathValue("turn_id"), decisions.Owner(r))
	if errors.Is(err, store.ErrNotFound) {
		c.sorry(w, r, http.StatusNotFound, "No trace of that turn",
			"It may be older than seven days, erased with its user's data, or not here yet: a trace comes a moment after its answer.",
			"Reload in a second, or look through the list of turns.")
		return
	}
	if err != nil {
		c.unavailable(w, r)
		return
	}
	v := tell(traces[0])
	for _, t := range traces[1:] {
		v.Namesakes = append(v.Namesakes, namesake{t.User, turnURL(t.TurnID, t.User)})
	}
	c.render(w, r, http.StatusOK, "turn", view{Title: "Turn " + plain(traces[0].TurnID, 40), Here: "turn", Body: v})
}

// tell lays a trace out for the page.
func tell(t decision.Trace) turnView {
	if t.BudgetMS == 0 {
		t.BudgetMS = float64(limits.Turn.Milliseconds())
	}
	v := turnView{Trace: t, Sentence: sentence(t), Share: percent(t.DurationMS / t.BudgetMS),
		Ruler: logarithmic(t.DurationMS, t.BudgetMS), Marks: marks(t.BudgetMS),
		Session: listURL(decisions.Filter{Session: t.SessionID})}
	if t.User != "" {
		v.Others = listURL(decisions.Filter{User: t.User})
	}
	end := t.DurationMS
	for _, d := range t.Decisions {
		end = max(end, d.OffsetMS+d.LatencyMS)
	}
	v.Ticks = ticks(end)
	stage, began := "", 0.0
	for i, d := range t.Decisions[:min(len(t.Decisions), maxSteps)] {
		opens := d.Stage != stage
		if opens {
			stage, began = d.Stage, d.OffsetMS
		}
		s := place(d, began, end, t.BudgetMS)
		s.N, s.Opens = i+1, opens
		v.CutShown = v.CutShown || s.CutX > 0
		v.Steps = append(v.Steps, s)
	}
	v.More = len(t.Decisions) - len(v.Steps)
	return v
}

// place puts a decision on an axis that ends at end, and beside the cut-off of its stage, which began at began.
func place(d decision.Decision, began, end, budget float64) step {
	cutOff, name := budget, "the deadline"
	if c, ok := cutOffs[d.Stage]; ok {
		cutOff, name = float64(c.Milliseconds()), "the cut-off"
	}
	s := step{Decision: d, X: 100 * share(d.OffsetMS, end), Width: 100 * share(d.LatencyMS, end),
		Share: 100 * share(d.LatencyMS, cutOff), Over: d.LatencyMS > cutOff,
		ShareOf: fmt.Sprintf("%s of %s, %s", percent(d.LatencyMS/cutOff), name, span(cutOff))}
	if at := began + cutOff; at < end {
		s.CutX = 100 * at / end
	}
	for _, entry := range d.FallbackChain[:min(len(d.FallbackChain), maxEntries)] {
		what, why, _ := strings.Cut(entry, ": ")
		if why != "" {
			why = strings.TrimPrefix(reason(why), "of this: ")
		}
		s.Not = append(s.Not, reasoned{plain(what, shortText), why})
	}
	s.NotMore = len(d.FallbackChain) - len(s.Not)
	for _, key := range slices.Sorted(maps.Keys(d.Inputs))[:min(len(d.Inputs), maxEntries)] {
		s.Given = append(s.Given, given{plain(strings.ReplaceAll(key, "_", " "), shortText), inline(d.Inputs[key])})
	}
	return s
}

// ticks divides an axis that ends at end in about four round steps.
func ticks(end float64) []tick {
	if end <= 0 {
		return []tick{{0, "0", "start"}}
	}
	power := math.Pow(10, math.Floor(math.Log10(end/4)))
	size := power * 10
	for _, nice := range []float64{1, 2, 5} {
		if end/(power*nice) <= 5 {
			size = power * nice
			break
		}
	}
	all := []tick{{0, "0", "start"}}
	for at := size; at < end*0.93; at += size {
		all = append(all, tick{100 * at / end, span(at), "middle"})
	}
	return append(all, tick{100, span(end), "end"})
}

// marks are the powers of ten from 1 ms to the budget, and the budget itself.
func marks(budget float64) []tick {
	var all []tick
	for at := 1.0; at < budget/1.8; at *= 10 {
		all = append(all, tick{logarithmic(at, budget), span(at), "middle"})
	}
	return append(all, tick{100, span(budget), "end"})
}

// logarithmic is the place of ms between 0.1 ms and the budget.
func logarithmic(ms, budget float64) float64 {
	const least = 0.1
	place := 100 * math.Log(max(ms, least)/least) / math.Log(max(budget, 2*least)/least)
	return cmp.Or(min(place, 100), 0)
}
