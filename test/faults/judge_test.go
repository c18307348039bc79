package faults

import (
	"fmt"
	"slices"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
)

// On a busy machine turns wait for the processor, at times long enough to be a timeout. The short form, which runs beside
// all other tests, allows for as much as the control took and this on top; the full form for next to nothing.
const (
	busyMedian = 100 * time.Millisecond
	busyTail   = 3 * time.Second
	quietTail  = 20 * time.Millisecond
)

// openCost is what an open breaker may add to a turn (issue: 5 ms).
const openCost = 5 * time.Millisecond

// What may be left when all is over: connections that are kept open have goroutines, and pools fill.
const (
	moreGoroutines = 40
	moreHeap       = 16 << 20 // bytes
	moreLines      = 40       // of the log, for all changes of state together
)

// judge names the promises that were broken.
func (r result) judge() (broken []string) {
	if r.err != nil {
		return []string{r.err.Error()}
	}
	check := func(kept bool, format string, values ...any) {
		if !kept {
			broken = append(broken, fmt.Sprintf(format, values...))
		}
	}
	r.judgeAnswers(check)
	r.judgeLatency(check)
	check(!r.later.moreGoroutines(r.open), "goroutines grow: %d, then %d", r.open.goroutines, r.later.goroutines)
	check(!r.healed.moreGoroutines(r.well), "goroutines are left: %d before, %d after", r.well.goroutines, r.healed.goroutines)
	check(!r.healed.moreHeap(r.well), "memory is left: %d bytes before, %d after", r.well.heap, r.healed.heap)
	check(r.healed.lines-r.well.lines <= moreLines, "%d lines in the log", r.healed.lines-r.well.lines)
	window := r.cell.window()
	if !*full {
		window *= 6 // a busy machine's probe may time out, and the next, and Neo4j takes long to start
	}
	check(r.back <= window, "back after %v, not within %v", r.back, window)
	lost := r.lost
	if r.cell.of == trace {
		lost -= r.healed.dropped // what arrives here are decision traces; a system that is slow drops some, and counts them
	}
	check(lost <= 0 && r.twice == 0, "of %d answered turns %d are lost, %d are there twice", r.answered, r.lost, r.twice)
	return broken
}

func (l look) moreGoroutines(than look) bool { return l.goroutines > than.goroutines+moreGoroutines }

func (l look) moreHeap(than look) bool { return l.heap > than.heap+moreHeap }

// judgeAnswers: no 5xx, and every answer, /health and the metrics name what is lacking.
func (r result) judgeAnswers(check func(bool, string, ...any)) {
	of, under := r.cell.of, slices.Concat(r.before.broken, r.after.broken)
	named := 0
	for _, t := range under {
		check(t.status == 200, "a turn was answered %d (%v)", t.status, t.err)
		if t.names(of.name) {
			named++
		}
	}
	counted := r.later.failedOpen[of.name] - r.well.failedOpen[of.name]
	switch {
	case of.unseen || r.cell.fault.harmless:
		check(lacking(under, of.name) == 0, "%d of %d answers lack it", named, len(under))
	case r.cell.fault.partly:
		check(named > 0 && counted > 0, "the fault was not felt")
	default:
		check(named == len(under), "%d of %d answers name it", named, len(under))
		check(counted >= float64(len(under)), "aguante_failopen_total counts %v of %d", counted, len(under))
		check(r.open.state(of.name) == "open", "its breaker is %s", r.open.state(of.name))
		since := r.open.since(of.name)
		check(!since.Before(r.began) && !since.After(time.Now()), "/health has it since %v, the fault is there since %v", since, r.began)
	}
}

// busy are the words for what a machine without time does to any dependency: it answers too late, or at the limit, and is
// then spared. One that is spared for errors had the errors before.
var busy = []string{string(guard.Timeout), "slow", string(guard.Open)}

// lacking counts the turns that lack a dependency for another reason than that the machine was too busy to answer in time.
func lacking(turns []turn, dependency string) (n int) {
	for _, t := range turns {
		for _, d := range t.degraded {
			if d.Dependency == dependency && (*full || !slices.Contains(busy, d.Reason)) {
				n++
			}
		}
	}
	return n
}

// judgeLatency holds what a turn takes longer than one of the control to the cut-off of the calls that it makes, and to
// openCost once the breaker is open.
func (r result) judgeLatency(check func(bool, string, ...any)) {
	most := r.cell.of.most()
	if r.cell.of.unseen || r.cell.fault.harmless {
		most = openCost
	}
	hold := func(c comparison, q float64, most, busy time.Duration, when string) {
		if !*full {
			most += busy + quantile(c.well, q)
		}
		check(c.added(q) <= most, "%s a turn takes %v longer (p%.0f), not %v at most", when, c.added(q), 100*q, most)
	}
	hold(r.before, .99, most+quietTail, busyTail, "until the breaker opens")
	if len(r.after.broken) > 0 {
		most := openCost + r.cell.of.around
		hold(r.after, .99, most+quietTail, busyTail, "while it is open")
		hold(r.after, .5, most, busyMedian, "while it is open")
	}
}
