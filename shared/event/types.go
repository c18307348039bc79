// Package event is how functions meet: CloudEvents 1.0 sent through a chain that fails open (broker, direct, outbox)
// and received with the three answers Knative understands (done, again, never).
package event

import (
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Event types. See docs/reference/events.md.
const (
	TurnCompleted    = "dev.aguante.turn.completed.v1"
	TurnDecided      = "dev.aguante.turn.decided.v1"
	TurnMaterialized = "dev.aguante.turn.materialized.v1"
	UserForgotten    = "dev.aguante.user.forgotten.v1"
)

// Extension attributes.
const (
	ExtPartitionKey = "partitionkey" // the session, so that brokers that order by key keep a session in order
	ExtHops         = "hops"         // how many events led to this one
	ExtTraceParent  = "traceparent"  // W3C trace context
)

// Completed is the data of TurnCompleted.
type Completed = graph.Turn

// Forgotten is the data of UserForgotten.
type Forgotten struct {
	User string    `json:"user"`
	At   time.Time `json:"at"`
}

// Materialized is the data of TurnMaterialized.
type Materialized struct {
	TurnID    string `json:"turn_id"`
	SessionID string `json:"session_id"`
	User      string `json:"user"`
	Mentions  int    `json:"mentions"`
	Facts     int    `json:"facts"`
	Duplicate bool   `json:"duplicate,omitempty"`
}
