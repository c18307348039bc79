package limits

import "time"

// Threshold is where a measure begins, above Enter, and where it ends, at Leave or below. Between the two what is stays,
// so that nothing goes on and off by the second.
type Threshold struct{ Enter, Leave float64 }

// Thresholds of degradation (WS2, levels 1 and 2). Where the figures name no way back it is a clear step below the way in.
var (
	GraphP99    = Threshold{Enter: 2, Leave: 1}         // seconds of a call
	RedisP99    = Threshold{Enter: 0.050, Leave: 0.025} // seconds of a call
	ChatP99     = Threshold{Enter: 8, Leave: 5}         // seconds of a turn
	WorkersBusy = Threshold{Enter: 0.8, Leave: 0.5}     // share of their time
	Failing     = Threshold{Enter: 0.5, Leave: 0.1}     // share of the calls
	MemoryShort = Threshold{Enter: 0.90, Leave: 0.80}   // share of what the process may have
	MemoryGone  = Threshold{Enter: 0.95, Leave: 0.90}   // the same
)

// ShedAfter is how long the p99 of turns may be over ChatP99 before new ones are shed (WS1).
const ShedAfter = 3 * time.Minute

// AtSoft and AtHard are where a level's limits begin to hold and, a fifth below, end.
func (l Level) AtSoft() Threshold { return around(l.Soft) }

// AtHard is AtSoft for the hard limit.
func (l Level) AtHard() Threshold { return around(l.Hard) }

func around(limit int) Threshold {
	return Threshold{Enter: float64(limit), Leave: 0.8 * float64(limit)}
}

// AdaptiveChats bounds the limit of turns under way that finds itself below ConcurrentChats.Hard: where it begins, what a
// quiet instance always has room for at once, and how low it may go.
var AdaptiveChats = Adaptive{Least: 20, Start: 100, Most: ConcurrentChats.Hard}

// Adaptive are the bounds of a limit that finds itself. Start is also what an idle one keeps room for.
type Adaptive struct{ Least, Start, Most int }

// Workers is what chat asks how busy those are who write turns into the graph.
var Workers = Dependency{Name: "workers", Zone: ZoneAsync, Timeout: HandOff, InFlight: 1,
	Breaker: Breaker{Failures: 5, Open: 60 * time.Second}}
