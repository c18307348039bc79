package turn

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

const (
	recalledMost = 10 // items an engine is given
	recalledFew  = 3  // of them while turns take too long
	historyTurns = 20 // turns of the session read from the graph when Redis has none
)

// memory is what recall got, and what it lacks.
type memory struct {
	history  []Said
	recalled []Recalled
	partial  bool // the graph could not be asked
	degraded lacks
}

// recall gathers what is known before the engine is asked: the session's history, and what the graph recalls of the
// user. It fails open: what it could not get is missing and named, and the stream hears of it at once.
func (s *Teller) recall(ctx context.Context, t Turn, e *entry, emit Emit) memory {
	m := memory{degraded: e.degraded}
	if e.graph == nil && t.SessionID == "" {
		m.degraded.emit(emit)
		return m
	}
	ctx, done := s.stage(ctx, decision.Recall)
	defer done()
	asking, cancel := context.WithTimeout(ctx, limits.Recall)
	defer cancel()
	if e.graph != nil {
		m = s.remember(ctx, t, e.graph, s.wait(asking, e.graph), m)
		m.recalled = m.recalled[:min(len(m.recalled), most(e.place))]
	}
	m.degraded = m.degraded.and(e.open(asking))
	m = s.resume(asking, t, e, m)
	m.degraded.emit(emit)
	return m
}

// reading is a recall of the graph that is under way, or that was not begun because of spared.
type reading struct {
	began  time.Time
	spared string
	result chan found
}

type found struct {
	items []graph.Item
	lack  *guard.Degraded
}

// read begins a recall of the graph. A turn without a user recalls nothing, and gets nil.
func (s *Teller) read(ctx context.Context, t Turn, place *capacity.Place) *reading {
	if t.User == "" {
		return nil
	}
	r := &reading{began: time.Now(), spared: s.spare(place), result: make(chan found, 1)}
	if r.spared != "" {
		d := guard.Degraded{Zone: limits.ZoneGraph, Dependency: s.graphName(), Reason: r.spared}
		s.Telemetry.FailedOpen(ctx, d, nil)
		r.result <- found{lack: &d}
		return r
	}
	q := graph.Query{User: t.User, Text: t.Asked(), Asker: t.asker(), Now: r.began, Limit: most(place)}
	go func() {
		items, lack := guard.FailOpen(ctx, s.Graph, nil, func(ctx context.Context) ([]graph.Item, error) {
			return s.Memory.Recall(ctx, q)
		})
		r.result <- found{items, lack}
	}()
	return r
}

// wait takes the recall's result, but not for longer than a recall may take, even from a store that does not listen.
func (s *Teller) wait(ctx context.Context, r *reading) found {
	select {
	case f := <-r.result:
		return f
	case <-ctx.Done():
		d := guard.Degraded{Zone: limits.ZoneGraph, Dependency: s.graphName(), Reason: string(guard.Timeout)}
		s.Telemetry.FailedOpen(ctx, d, context.Cause(ctx))
		return found{lack: &d}
	}
}

// spare says why the graph is left alone, if it is.
func (s *Teller) spare(place *capacity.Place) string {
	switch {
	case s.Memory == nil:
		return missing
	case s.Flags.Enabled(serve.GraphLegacy):
		return legacy
	case place.Busy:
		return busy
	case s.Capacity.Probe(capacity.CacheRecalls):
		return ""
	}
	return place.Because(capacity.CacheRecalls)
}

// remember takes what the graph recalled, or else picks from what the user's last turns left in the cache.
func (s *Teller) remember(ctx context.Context, t Turn, r *reading, result found, m memory) memory {
	d := decision.Decision{
		Stage: decision.Recall, Kind: decision.Routing, Outcome: decision.Success,
		Policy: fmt.Sprintf("the graph's answer within %s, else the cached recall", limits.Recall),
		Inputs: map[string]any{"limit": recalledMost},
	}
	if result.lack == nil {
		m.recalled = recalled(result.items)
		d.Selected = fmt.Sprintf("graph: %d items", len(m.recalled))
		d.FallbackChain = []string{"cached recall: not needed"}
		if len(m.recalled) == 0 && graph.Newest(graph.Query{Text: t.Asked()}) {
			m = s.cached(ctx, t, m)
			d.Selected = fmt.Sprintf("cached recall: the newest %d items", len(m.recalled))
			d.FallbackChain = []string{"graph: holds nothing yet"}
		}
	} else {
		m.degraded, m.partial = m.degraded.with(result.lack), result.lack.Reason != missing
		m = s.cached(ctx, t, m)
		d.Selected, d.Outcome = fmt.Sprintf("cached recall: %d items", len(m.recalled)), decision.Fallback
		d.FallbackChain, d.Dependency = lacks{*result.lack}.words(), result.lack.Dependency
	}
	decision.From(ctx).Add(r.began, d)
	return m
}

// cached picks from what the user's last turns said and recalled.
func (s *Teller) cached(ctx context.Context, t Turn, m memory) memory {
	if s.Sessions == nil {
		return m // said at admission
	}
	all, lack := guard.FailOpen(ctx, s.Redis, nil, func(ctx context.Context) ([]Recalled, error) {
		all, err := s.Sessions.Cached(ctx, t.User)
		return all, neutral(err)
	})
	m.recalled, m.degraded = pick(all, t.Asked()), m.degraded.with(lack)
	return m
}

// resume takes the session's history from Redis. A session that Redis does not hold, and that the caller named, is
// looked for in a graph that has just answered.
func (s *Teller) resume(ctx context.Context, t Turn, e *entry, m memory) memory {
	if t.SessionID == "" {
		return m
	}
	began := time.Now()
	d := decision.Decision{
		Stage: decision.Recall, Kind: decision.Routing, Outcome: decision.Success,
		Policy: "the session's messages from Redis, else from the graph",
	}
	m.history = e.opened.History
	d.Selected = fmt.Sprintf("redis: %d messages", len(m.history))
	switch {
	case t.isNew:
		d.Selected = "a new session"
	case len(m.history) == 0 && !e.opened.Deleted && e.graph != nil && !m.partial && s.Memory != nil:
		var lack *guard.Degraded
		m.history, lack = s.sessionFromGraph(ctx, t.User, t.SessionID)
		m.degraded = m.degraded.with(lack)
		d.Selected = fmt.Sprintf("graph: %d messages", len(m.history))
		d.FallbackChain = append(m.degraded.words(), "redis: no messages")
		if len(m.history) > 0 || lack != nil {
			d.Outcome = decision.Fallback
		}
	}
	decision.From(ctx).Add(began, d)
	return m
}

func (s *Teller) sessionFromGraph(ctx context.Context, user, sessionID string) ([]Said, *guard.Degraded) {
	turns, lack := guard.FailOpen(ctx, s.Graph, nil, func(ctx context.Context) ([]graph.Turn, error) {
		return s.Memory.Session(ctx, user, sessionID, historyTurns)
	})
	return said(turns), lack
}

// said flattens turns into the messages of a history.
func said(turns []graph.Turn) []Said {
	var all []Said
	for _, t := range turns {
		for _, m := range t.Messages {
			all = append(all, Said{TurnID: t.ID, Role: m.Role, Name: m.Name, Content: m.Content, At: m.At})
		}
	}
	return all
}

// recalled gives the graph's items as engines and replies know them.
func recalled(items []graph.Item) []Recalled {
	all := make([]Recalled, 0, len(items))
	for _, i := range items {
		r := Recalled{TurnID: i.TurnID, Text: i.Text, Score: i.Score, At: i.At, Role: i.Role, Speaker: i.Speaker}
		if f := i.Fact; f != nil {
			r.Fact = f.Text
			r.Triple = &engine.Triple{Subject: f.Subject, Relation: f.Relation, Object: f.Object}
		}
		all = append(all, r)
	}
	return all
}

// pick chooses from the cached recall what shares words with the question, most of them first, or the newest of it.
func pick(cached []Recalled, question string) []Recalled {
	if graph.Newest(graph.Query{Text: question}) {
		return cached[:min(len(cached), recalledMost)]
	}
	wanted := graph.Analyze(question)
	if len(wanted) == 0 {
		return nil
	}
	var picked []Recalled
	for _, r := range cached {
		terms, shared := graph.Analyze(r.Text), 0
		for _, w := range wanted {
			if slices.Contains(terms, w) {
				shared++
			}
		}
		if shared > 0 {
			r.Score = float64(shared) / float64(len(wanted))
			picked = append(picked, r)
		}
	}
	slices.SortStableFunc(picked, func(a, b Recalled) int { return cmp.Compare(b.Score, a.Score) })
	return picked[:min(len(picked), recalledMost)]
}

// cache is what this turn adds to the cached recall: what the user said, and what was recalled.
func (m memory) cache(t Turn, at time.Time) []Recalled {
	own := Recalled{TurnID: t.ID, Text: t.Asked(), At: at, Role: engine.User, Speaker: t.asker()}
	return append([]Recalled{own}, m.recalled...)
}
