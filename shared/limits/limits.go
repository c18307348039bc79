// Package limits holds the production figures as typed values: what a turn may take, where a resource is full,
// when a breaker opens. Code, manifests, alerts and docs take their numbers from here and from nowhere else.
package limits

import "time"

// Budget of one turn (WS1, "latency budget of one turn"): the deadline set at admission and the cut-off of each stage.
const (
	Turn      = 15 * time.Second       // the whole turn; admission sets it as the one deadline
	RateLimit = 100 * time.Millisecond // first Redis pipeline: rate limit, session
	Recall    = 2 * time.Second        // session and graph together
	Selection = 1 * time.Second        // choosing an engine
	Inference = 10 * time.Second       // one engine's whole answer, unless the engines file says otherwise
	HandOff   = 500 * time.Millisecond // second Redis pipeline, broker hand-off, decision trace
)

// MaxHops is how many hops a call or event may have made before it is refused (WS3, anti-loop).
const MaxHops = 3

// Level is a soft and a hard limit of one resource (WS2). At Soft the system degrades, at Hard it refuses or drops.
type Level struct{ Soft, Hard int }

// Limits of WS2, in the unit of the resource.
var (
	ConcurrentChats   = Level{Soft: 300, Hard: 500}
	TurnBacklog       = Level{Soft: 500, Hard: 2000}
	MutationBacklog   = Level{Soft: 200, Hard: 500}
	GraphWritesPerMin = Level{Soft: 400, Hard: 1500}
	GraphReadsPerMin  = Level{Soft: 2000, Hard: 5000}
	DecisionBuffer    = Level{Soft: 1000, Hard: 5000}
	ChatMemory        = Level{Soft: 1 << 30, Hard: 2 << 30}   // bytes of one instance
	WorkerMemory      = Level{Soft: 512 << 20, Hard: 1 << 30} // bytes of one instance
)

// Breaker says when a breaker opens and how long it stays open (WS2, degradation level 3).
type Breaker struct {
	Failures int           // consecutive failures that open it
	Open     time.Duration // how long it stays open the first time, unless a ping is answered before
	MaxOpen  time.Duration // the open time doubles up to this while probes fail; zero: Open, always
}

// While a breaker is open its dependency is pinged where that can be done, so that it is back within 10 s of recovery (the
// drills' figure). An answer slower than PingTime is none (WS2, degradation level 1: the graph is back under 1 s).
const (
	PingEvery = 3 * time.Second
	PingTime  = time.Second
)

// Dependency is everything a guard needs to know of one thing outside the process.
type Dependency struct {
	Name     string        // the label of metrics, logs and traces: redis, neo4j, broker, …
	Zone     string        // containment zone (WS3): frontend, sync, async or graph
	Timeout  time.Duration // of one call
	InFlight int           // calls under way at once (the bulkhead); the next is rejected, not queued
	Breaker  Breaker
}

// Zones of containment (WS3).
const (
	ZoneFrontend = "frontend"
	ZoneSync     = "sync"
	ZoneAsync    = "async"
	ZoneGraph    = "graph"
)

// The dependencies of the three functions.
var (
	Redis = Dependency{Name: "redis", Zone: ZoneSync, Timeout: RateLimit, InFlight: 500,
		Breaker: Breaker{Failures: 3, Open: 60 * time.Second}}
	Neo4jRead = Dependency{Name: "neo4j", Zone: ZoneGraph, Timeout: Recall, InFlight: 20,
		Breaker: Breaker{Failures: 5, Open: 30 * time.Second}}
	Neo4jWrite = Dependency{Name: "neo4j", Zone: ZoneGraph, Timeout: 5 * time.Second, InFlight: 20,
		Breaker: Breaker{Failures: 5, Open: 30 * time.Second}}
	Broker = Dependency{Name: "broker", Zone: ZoneAsync, Timeout: HandOff, InFlight: 500,
		Breaker: Breaker{Failures: 5, Open: 60 * time.Second}}
	Materialize = Dependency{Name: "materialize", Zone: ZoneAsync, Timeout: HandOff, InFlight: 500,
		Breaker: Breaker{Failures: 5, Open: 60 * time.Second}}
)

// Engine is the guard of an inference engine called name; the engines file may change its timeout and breaker.
func Engine(name string) Dependency {
	return Dependency{Name: name, Zone: ZoneSync, Timeout: Inference, InFlight: ConcurrentChats.Hard,
		Breaker: Breaker{Failures: 3, Open: 20 * time.Second, MaxOpen: 120 * time.Second}}
}

// What one call may cost beside its first attempt, counted over a minute: attempts made again or with another engine, and
// attempts made early (hedges). The few are allowed however quiet it is.
var (
	Retries = Share{Of: 0.10, Few: 10}
	Hedges  = Share{Of: 0.05}
)

// Share is a part of all calls.
type Share struct {
	Of  float64 // 0 to 1
	Few int     // always allowed
}

// FirstToken is how long a stream may take to begin, and what a wait must leave of a turn for an answer; Stall the longest
// silence inside it. The engines file may say otherwise.
const (
	FirstToken = 5 * time.Second
	Stall      = 10 * time.Second
)

// Spend on inference, in USD (WS2): above SpendHour cheaper engines go first, above SpendDay none that costs is asked.
const (
	SpendHour = 5.0
	SpendDay  = 100.0
)

// Pools (WS2).
const (
	Neo4jPool     = 20
	Neo4jPoolWait = 2 * time.Second
	RedisPool     = 20
)

// Rate is a GCRA rate limit: PerMinute on average, Burst at once. Files of limits say it by these names.
type Rate struct {
	PerMinute int `yaml:"per_minute"`
	Burst     int `yaml:"burst"`
}

// MostRate is what either part of a Rate may be at most: so many are no limit, and the time in which they leak out fits into
// a time.Duration.
const MostRate = 1_000_000

// Possible says whether both parts of r are 1 to MostRate.
func (r Rate) Possible() bool {
	return min(r.PerMinute, r.Burst) >= 1 && max(r.PerMinute, r.Burst) <= MostRate
}

// Rate limits by route class (WS2), over a window of 60 s.
var (
	AnonymousChat     = Rate{PerMinute: 60, Burst: 100}
	AuthenticatedChat = Rate{PerMinute: 200, Burst: 300}
	Internal          = Rate{PerMinute: 1000, Burst: 2000}
	Telemetry         = Rate{PerMinute: 5000, Burst: 10000}
)

// Retention (WS2). The figures name none for dead letters: a turn can be replayed for as long as its chat history is kept,
// and they have as much room as decision traces.
const (
	DecisionAge     = 7 * 24 * time.Hour
	DecisionBytes   = 50 << 20
	SessionAge      = 30 * 24 * time.Hour
	DeadLetterAge   = SessionAge
	DeadLetterBytes = DecisionBytes
)

// MaxDeliveries is how often an event is tried before it is a dead letter (WS3).
const MaxDeliveries = 5

// Bounds on what a caller may send.
const (
	MaxBody    = 1 << 20  // bytes of a request or event body
	MaxMessage = 64 << 10 // bytes of one message
	MaxID      = 128      // bytes of a session, turn or user id
)
