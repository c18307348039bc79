package turn

import (
	"context"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Parts are what a Teller is made of. Any of them but Engines and Telemetry may be missing: the turn says so in
// degraded and goes on.
type Parts struct {
	Sessions  Sessions
	Archive   Archive
	Streams   Streams
	Memory    Memory
	Engines   Engines
	Gates     []Gate    // in the order in which they are asked
	Meter     Meter     // of what callers use
	Outbox    Outbox    // for what must survive
	Publisher Publisher // for decision traces
	Redis     *guard.Guard
	Graph     *guard.Guard
	Flags     Flags
	Capacity  *capacity.Capacity // nil: the hard limit of turns under way alone
	Telemetry *telemetry.Telemetry

	Source       string // of the events sent, a URI reference
	Replicas     int    // chat instances that share a rate limit while Redis is down and rate-limit-strict is on
	TraceContent bool   // decision traces hold what was said
}

// Sessions is the whole Redis work of a turn: one round trip before the engine, one after it, and a third where the
// graph has no answer.
type Sessions interface {
	Open(ctx context.Context, o Opening) (Opened, error)
	Close(ctx context.Context, c Closing) error
	Cached(ctx context.Context, user string) ([]Recalled, error) // newest first
}

// Opening asks for the caller's rate limit and what a caller with a budget used today, unless Caller is left out, and,
// with a SessionID, for what is kept of the session.
type Opening struct {
	Caller    Caller
	User      string
	SessionID string
}

// Opened is what the sessions hold. Parts that could not be read are empty and named in Faults.
type Opened struct {
	Verdict *Verdict
	Used    *Used  // by the caller's key today; nil: it has no budget, or that could not be read
	History []Said // oldest first
	Deleted bool   // the session was deleted: what the graph still holds of it is not its history
	Faults  []string
}

// Closing is what a turn leaves behind. Cached is what it said and recalled; the last turns' make the cached recall.
type Closing struct {
	User      string
	SessionID string
	Said      []Said
	Cached    []Recalled
}

// Said is one message of a session's history.
type Said struct {
	TurnID  string    `json:"turn_id"`
	Role    string    `json:"role"`
	Name    string    `json:"name,omitempty"`
	Content string    `json:"content"`
	At      time.Time `json:"at"`
}

// Archive is what users may do with what Sessions keeps.
type Archive interface {
	History(ctx context.Context, user, sessionID string) (Kept, error) // user empty: whoever's
	Delete(ctx context.Context, sessionID string) error
	Forget(ctx context.Context, user string) error
}

// Kept is what the archive holds of a session. Deleted: it was deleted, and is not to be looked for elsewhere.
type Kept struct {
	Said    []Said
	Deleted bool
}

// Memory is what a turn needs of the graph.
type Memory interface {
	Recall(ctx context.Context, q graph.Query) ([]graph.Item, error)
	Session(ctx context.Context, user, sessionID string, limit int) ([]graph.Turn, error)
	Forget(ctx context.Context, user string, at time.Time) (turns int, err error)
}

// Engines answers: a chain of them that ends with one that always can.
type Engines interface {
	Answer(ctx context.Context, r engine.Request, emit engine.Emit) (engine.Answer, error)
	Statuses() []guard.Status
}

// Outbox takes an event for good and says which way it went. It never fails.
type Outbox interface {
	Send(ctx context.Context, e event.Event) (way string, degraded []guard.Degraded)
	Statuses() []guard.Status
}

// Publisher takes an event if there is room for it.
type Publisher interface {
	Offer(e event.Event) bool
}

// Flags tells which features are on, by the names in package serve.
type Flags interface {
	Enabled(name string) bool
}

// lacks are the parts of the system that a turn did without, each dependency once: its first reason stands.
type lacks []guard.Degraded

// with returns l and, unless it is nil or named already, d.
func (l lacks) with(d *guard.Degraded) lacks {
	if d == nil || slices.ContainsFunc(l, func(o guard.Degraded) bool { return o.Zone == d.Zone && o.Dependency == d.Dependency }) {
		return l
	}
	return append(slices.Clip(l), *d)
}

func (l lacks) and(more []guard.Degraded) lacks {
	for i := range more {
		l = l.with(&more[i])
	}
	return l
}

// words tells each as "redis: timeout".
func (l lacks) words() []string {
	var words []string
	for _, d := range l {
		words = append(words, d.Dependency+": "+d.Reason)
	}
	return words
}

// emit sends each down the caller's stream. A caller who left is noticed by what is emitted next.
func (l lacks) emit(emit Emit) {
	if emit == nil {
		return
	}
	for i := range l {
		if emit(Piece{Degraded: &l[i]}) != nil {
			return
		}
	}
}

// level is the degradation level of WS2 that l amounts to: 3 a breaker is open, 2 a dependency failed, 1 it was
// spared, 0 nothing is lacking.
func (l lacks) level() int {
	level := 0
	for _, d := range l {
		switch d.Reason {
		case string(guard.Open):
			return 3
		case string(guard.Error), string(guard.Timeout):
			level = 2
		default:
			level = max(level, 1)
		}
	}
	return level
}

// Reasons beside guard's results.
const (
	missing = "not configured"
	busy    = "busy"        // the soft limit of turns under way is passed
	legacy  = "legacy mode" // the flag graph-legacy-mode is on
)

func notConfigured(d limits.Dependency) guard.Degraded {
	return guard.Degraded{Zone: d.Zone, Dependency: d.Name, Reason: missing}
}
