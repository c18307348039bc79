package capacity

import (
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Levels of degradation (WS2): the gauge aguante_degradation_level.
const (
	None     = iota
	Graceful // some parts are spared; it returns by itself
	Hard     // a limit is reached, or a dependency fails
	Open     // a breaker is not closed
)

// Measure is a set of things that are done differently while they are in force.
type Measure uint16

// The measures.
const (
	CacheRecalls  Measure = 1 << iota // the graph is left alone, what is recalled comes from the cache
	SkipDecisions                     // decision traces are dropped, and counted
	LocalLimit                        // rates are counted in memory, not in Redis
	DeferWork                         // the outbox waits
	FewRecalls                        // fewer things recalled are given to engines
	CheapFirst                        // cheaper engines are asked first
	ShedNew                           // turns of new sessions are shed
	ShedAll                           // all turns but running ones are shed
)

// Observed is everything that the level goes by, at one moment.
type Observed struct {
	Chats    int     // turns under way
	ChatP99  float64 // seconds
	GraphP99 float64 // seconds
	RedisP99 float64 // seconds
	GraphBad float64 // share of its calls that failed
	RedisBad float64 // the same
	Workers  float64 // share of their time that those who write turns into the graph are busy
	Backlog  int     // turns in the outbox
	Memory   float64 // share of what the process may have
	Spend    int     // 1 the soft limit is passed, 2 the hard one
	Open     int     // breakers that are not closed
}

// rule is one row of docs/capacity.md: while value is over its threshold, for at least a time where one is named, what it
// is about is in a state and the measures are in force.
type rule struct {
	level    int
	of       subject
	state    string
	value    func(Observed) float64
	at       limits.Threshold
	after    time.Duration
	measures Measure
}

// subject is what a rule is about, as /health names it.
type subject struct{ name, zone string }

var (
	chat     = subject{"chat", limits.ZoneSync}
	graph    = subject{"graph", limits.ZoneGraph} // by the name that Config gives it
	redis    = subject{limits.Redis.Name, limits.Redis.Zone}
	workers  = subject{limits.Workers.Name, limits.Workers.Zone}
	outbox   = subject{"outbox", limits.ZoneAsync}
	memory   = subject{"memory", limits.ZoneSync}
	spend    = subject{"spend", limits.ZoneSync}
	breakers = subject{"breakers", limits.ZoneSync}
)

// rules are all of them. The state machine is this table and step.
var rules = []rule{
	{Graceful, graph, "slow", func(o Observed) float64 { return o.GraphP99 }, limits.GraphP99, 0, CacheRecalls | SkipDecisions},
	{Graceful, redis, "slow", func(o Observed) float64 { return o.RedisP99 }, limits.RedisP99, 0, LocalLimit},
	{Graceful, workers, "busy", func(o Observed) float64 { return o.Workers }, limits.WorkersBusy, 0, DeferWork},
	{Graceful, chat, "slow", func(o Observed) float64 { return o.ChatP99 }, limits.ChatP99, 0, FewRecalls | CheapFirst},
	{Graceful, chat, "busy", func(o Observed) float64 { return float64(o.Chats) }, limits.ConcurrentChats.AtSoft(), 0, CacheRecalls},
	{Graceful, outbox, "behind", func(o Observed) float64 { return float64(o.Backlog) }, limits.TurnBacklog.AtSoft(), 0, SkipDecisions},
	{Graceful, spend, "soft", func(o Observed) float64 { return float64(o.Spend) }, limits.Threshold{Enter: 0, Leave: 0}, 0, CheapFirst},

	{Hard, chat, "too slow", func(o Observed) float64 { return o.ChatP99 }, limits.ChatP99, limits.ShedAfter, ShedNew},
	{Hard, memory, "short", func(o Observed) float64 { return o.Memory }, limits.MemoryShort, 0, ShedNew},
	{Hard, memory, "gone", func(o Observed) float64 { return o.Memory }, limits.MemoryGone, 0, ShedAll},
	{Hard, outbox, "far behind", func(o Observed) float64 { return float64(o.Backlog) }, limits.TurnBacklog.AtHard(), 0, SkipDecisions},
	{Hard, graph, "failing", func(o Observed) float64 { return o.GraphBad }, limits.Failing, 0, 0},                          // each turn fails open
	{Hard, redis, "failing", func(o Observed) float64 { return o.RedisBad }, limits.Failing, 0, 0},                          // the same
	{Hard, spend, "hard", func(o Observed) float64 { return float64(o.Spend) }, limits.Threshold{Enter: 1, Leave: 1}, 0, 0}, // the chain refuses

	{Open, breakers, "open", func(o Observed) float64 { return float64(o.Open) }, limits.Threshold{Enter: 0, Leave: 0}, 0, 0}, // the guards refuse
}

// condition is where a rule stands.
type condition struct {
	holds bool
	since time.Time // when holds changed last
	over  time.Time // since when value has been over the threshold, while it is and holds is not
}

// machine has a condition for each rule.
type machine []condition

func newMachine() machine { return make(machine, len(rules)) }

// step takes what is observed now, and gives the rules that begin or cease to hold.
func (m machine) step(now time.Time, o Observed) (changed []int) {
	for i, r := range rules {
		c, value := &m[i], r.value(o)
		before := c.holds
		switch {
		case c.holds:
			c.holds = value > r.at.Leave
		case value <= r.at.Enter:
			c.over = time.Time{}
		case c.over.IsZero():
			c.over = now
			c.holds = r.after == 0
		default:
			c.holds = now.Sub(c.over) >= r.after
		}
		if c.holds != before {
			c.since, c.over = now, time.Time{}
			changed = append(changed, i)
		}
	}
	return changed
}

// level is the highest of the rules that hold, and measures are all of theirs.
func (m machine) level() (level int, measures Measure) {
	for i, c := range m {
		if c.holds {
			level, measures = max(level, rules[i].level), measures|rules[i].measures
		}
	}
	return level, measures
}
