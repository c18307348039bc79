// Package decision records what a turn decided, in order: which way it took at each stage, what it did not take, and
// why. The recorder travels in the context; the trace is the wire type of dev.aguante.turn.decided.v1.
package decision

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Stages of a turn.
const (
	Admit  = "admit"
	Recall = "recall"
	Answer = "answer"
	Record = "record"
)

// Kinds of decision.
const (
	Routing = "routing" // which of several ways
	Policy  = "policy"  // whether it is allowed
	Action  = "action"  // a thing done
)

// Outcomes of a decision, and of a turn.
const (
	Success  = "success"
	Fallback = "fallback"
	Refused  = "refused"
	Failure  = "failure"
)

// Decision is one choice of a turn.
type Decision struct {
	Stage         string         `json:"stage"`
	Kind          string         `json:"kind"`
	Inputs        map[string]any `json:"inputs,omitempty"`
	Policy        string         `json:"policy,omitempty"`         // the rule that decided, in a few words
	Selected      string         `json:"selected"`                 // what was chosen
	FallbackChain []string       `json:"fallback_chain,omitempty"` // what was tried or stood by, in order, with why not
	Outcome       string         `json:"outcome"`
	Dependency    string         `json:"dependency,omitempty"` // whose state decided, when it was one
	OffsetMS      float64        `json:"offset_ms"`            // since the turn's start
	LatencyMS     float64        `json:"latency_ms"`
	Error         string         `json:"error,omitempty"`
}

// Trace is the decision trace of one turn.
type Trace struct {
	TurnID     string     `json:"turn_id"`
	SessionID  string     `json:"session_id"`
	User       string     `json:"user,omitempty"`
	TraceID    string     `json:"trace_id,omitempty"`
	Engine     string     `json:"engine,omitempty"`
	Level      int        `json:"degradation_level"` // 0 none … 3 a breaker is open
	Outcome    string     `json:"outcome"`           // the worst of its decisions, refused first
	StartedAt  time.Time  `json:"started_at"`
	DurationMS float64    `json:"duration_ms"`
	BudgetMS   float64    `json:"budget_ms"` // the turn's deadline
	Decisions  []Decision `json:"decisions"`
	Content    []string   `json:"content,omitempty"` // what was said; only with TRACE_CONTENT=true
}

// Recorder gathers the decisions of one turn. It is safe for concurrent use; a nil Recorder drops what it is told.
type Recorder struct {
	start     time.Time
	mu        sync.Mutex
	decisions []Decision
}

// NewRecorder returns a recorder whose offsets count from start.
func NewRecorder(start time.Time) *Recorder { return &Recorder{start: start} }

type contextKey struct{}

// Into returns a context that carries r.
func Into(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// From returns the context's recorder, or nil, which is safe to use.
func From(ctx context.Context) *Recorder {
	r, _ := ctx.Value(contextKey{}).(*Recorder)
	return r
}

// Add appends d, whose work began at began: offset and latency are set from it.
func (r *Recorder) Add(began time.Time, d Decision) {
	if r == nil {
		return
	}
	d.OffsetMS = milliseconds(began.Sub(r.start))
	d.LatencyMS = milliseconds(time.Since(began))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decisions = append(r.decisions, d)
}

// Decisions returns what was recorded so far, in order of time.
func (r *Recorder) Decisions() []Decision {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sorted := slices.Clone(r.decisions)
	slices.SortStableFunc(sorted, func(a, b Decision) int {
		switch {
		case a.OffsetMS < b.OffsetMS:
			return -1
		case a.OffsetMS > b.OffsetMS:
			return 1
		}
		return 0
	})
	return sorted
}

// Worst is the outcome of a turn with these decisions: refused before failure before fallback before success.
func Worst(decisions []Decision) string {
	rank := []string{Success, Fallback, Failure, Refused}
	worst := 0
	for _, d := range decisions {
		worst = max(worst, slices.Index(rank, d.Outcome))
	}
	return rank[worst]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
