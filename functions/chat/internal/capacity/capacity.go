// Package capacity decides who is let in and what is done differently while there is too little of something. level.go is
// the state machine: what is observed, when a measure begins and ends, what it is. Turns count themselves in and out and
// read the measures in force; both cost them a few atomic operations.
package capacity

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aguante-chat/aguante/shared/guard"
)

const (
	every       = time.Second // is how often the machine takes a step
	callSeconds = 5           // of calls make their p99
	chatSeconds = 30          // of turns make theirs: a step back must show in it before the next
)

// Config says what is observed beside the turns themselves. Any of it may be left zero: it is then well.
type Config struct {
	GraphName string          // of the graph, as its guard has it
	Adaptive  *guard.Adaptive // nil: the hard limit alone

	Memory   func() float64                    // share of what the process may have
	Backlog  func() int                        // turns in the outbox
	Spend    func() string                     // the limit that is passed: soft, hard, or empty
	Workers  func(ctx context.Context) float64 // share of their time that they are busy; asked while there is a backlog
	Breakers func() []guard.Status

	Level prometheus.Gauge
	Log   *slog.Logger
}

// Capacity is what there is room for. Safe for concurrent use.
type Capacity struct {
	Config
	adaptive            *guard.Adaptive
	underWay            atomic.Int64
	turns, graph, redis *window
	state               atomic.Pointer[State]
	probes              atomic.Uint32 // the measures for which one turn may do as if they were not in force
	machine             machine       // of Run alone
}

// New returns a Capacity whose level changes while Run runs.
func New(c Config) *Capacity {
	made := &Capacity{
		Config: c, adaptive: c.Adaptive, machine: newMachine(),
		turns: newWindow(chatSeconds), graph: newWindow(callSeconds), redis: newWindow(callSeconds),
	}
	made.state.Store(&State{})
	return made
}

// Run takes a step every second until ctx ends.
func (c *Capacity) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c.Step(ctx, now)
		}
	}
}

// Step looks at everything, brings into force what that asks for, and tells each change once. Run does it every second;
// it must not be called by two at once.
func (c *Capacity) Step(ctx context.Context, now time.Time) {
	o := c.observe(ctx)
	for _, i := range c.machine.step(now, o) {
		c.tell(rules[i], c.machine[i].holds, rules[i].value(o))
	}
	level, measures := c.machine.level()
	c.state.Store(&State{Level: level, Measures: measures, rules: append(machine(nil), c.machine...)})
	c.probes.Store(uint32(measures & (CacheRecalls | LocalLimit)))
	if c.Level != nil {
		c.Level.Set(float64(level))
	}
}
