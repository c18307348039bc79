package drill

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what a drill found.
type Report struct {
	Drill  string   `json:"drill"`
	Passes string   `json:"passes"` // when
	Passed bool     `json:"passed"`
	Error  string   `json:"error,omitempty"` // why it was not held to its end
	Checks []Check  `json:"checks"`
	Phases []*Phase `json:"phases"`
	Fault  float64  `json:"fault_seconds"` // how long the fault lasted
	Took   float64  `json:"took_seconds"`
}

// Check is one part of a verdict: what is wanted, and what was found.
type Check struct {
	What   string `json:"what"`
	Passed bool   `json:"passed"`
	Found  string `json:"found"`
}

// Phase is what callers got before, during or after the fault, and what the system said of itself.
type Phase struct {
	Name    string  `json:"phase"`
	Seconds float64 `json:"seconds"`
	tally
	NotClosed   []string `json:"not_closed,omitempty"` // dependencies, in the words of /health
	Level       float64  `json:"degradation_level"`    // the highest seen, as are those below
	Backlog     float64  `json:"backlog_turns"`
	Outbox      float64  `json:"outbox_turns"`
	DeadLetters float64  `json:"dead_letters"`

	whole float64       // seconds of what was watched of it before
	told  time.Duration // when its progress was told last
}

// see takes in one look at the system.
func (p *Phase) see(l look) {
	for _, name := range l.degraded() {
		if !slices.Contains(p.NotClosed, name) {
			p.NotClosed = append(p.NotClosed, name)
		}
	}
	p.Level = max(p.Level, l.value("aguante_degradation_level"))
	p.Backlog = max(p.Backlog, l.value("aguante_backlog_turns"))
	p.Outbox = max(p.Outbox, l.value("aguante_outbox_turns"))
	p.DeadLetters = max(p.DeadLetters, l.value("aguante_dead_letters"))
}

// phase gives the part of the report on a phase.
func (r *Report) phase(name string) *Phase {
	for _, p := range r.Phases {
		if p.Name == name {
			return p
		}
	}
	p := &Phase{Name: name}
	r.Phases = append(r.Phases, p)
	return p
}

// judge: a drill passes that was held to its end, with every check.
func (r *Report) judge(err error) {
	r.Passed = err == nil && len(r.Checks) > 0
	if err != nil {
		r.Error = err.Error()
	}
	for _, c := range r.Checks {
		r.Passed = r.Passed && c.Passed
	}
}

// words say what callers got.
func (p *Phase) words() string {
	if p.Sent == 0 {
		return "no turns"
	}
	words := []string{fmt.Sprintf("%d of %d answered", p.Answered, p.Sent)}
	for _, c := range []struct {
		n    int
		what string
	}{{p.Limited, "limited"}, {p.Refused, "refused"}, {p.Failed, "failed"}, {p.Silent, "unanswered"}} {
		if c.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	for _, d := range slices.Sorted(maps.Keys(p.Degraded)) {
		words = append(words, fmt.Sprintf("%d without %s", p.Degraded[d], d))
	}
	return strings.Join(append(words, fmt.Sprintf("p50 %.0f ms, p99 %.0f ms", p.P50, p.P99)), ", ")
}

// print writes the report: one line of JSON, or text.
func (r *Report) print(out io.Writer, asJSON bool) {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		_ = e.Encode(r)
		return
	}
	fmt.Fprintf(out, "%s passes when: %s\n", r.Drill, r.Passes)
	for _, p := range r.Phases {
		fmt.Fprintf(out, "  %-7s %5.1f s  %s; level %.0f, backlog %.0f, outbox %.0f, dead letters %.0f\n",
			p.Name, p.Seconds, p.words(), p.Level, p.Backlog, p.Outbox, p.DeadLetters)
		if len(p.NotClosed) > 0 {
			fmt.Fprintf(out, "  %-7s          %s\n", "", strings.Join(p.NotClosed, ", "))
		}
	}
	for _, c := range r.Checks {
		fmt.Fprintf(out, "  %s  %s: %s\n", verdict(c.Passed), c.What, c.Found)
	}
	fmt.Fprintf(out, "%s %s in %s\n\n", r.Drill, map[bool]string{true: "passed", false: "FAILED"}[r.Passed], brief(time.Duration(r.Took*float64(time.Second))))
}

func verdict(passed bool) string {
	if passed {
		return "ok  "
	}
	return "FAIL"
}

// brief is a duration without what nobody reads.
func brief(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	if text, whole := strings.CutSuffix(d.Round(time.Second).String(), "m0s"); whole {
		return text + "m"
	}
	return d.Round(time.Second).String()
}
