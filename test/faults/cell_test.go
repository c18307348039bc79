package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// cell is one dependency broken in one way.
type cell struct {
	of    *column
	fault *fault
}

func (c cell) name() string { return c.of.name + "/" + c.fault.name }

// opens tells whether the breaker has to open.
func (c cell) opens() bool { return !c.of.unseen && !c.fault.partly && !c.fault.harmless }

// window is how long the dependency may be left alone after the fault's end: until a ping is answered, where pings tell,
// and otherwise for as long as its breaker stays open.
func (c cell) window() time.Duration {
	if c.of.pinged && !c.fault.pings {
		return pinged
	}
	return c.of.open + slack
}

// Windows of recovery: the figures' 10 s where pings tell, and what a poll and the call behind it take.
const (
	pinged = 10 * time.Second
	slack  = 5 * time.Second
)

func chosen(cells []cell) []cell {
	var some []cell
	for _, c := range cells {
		if strings.Contains(c.name(), *only) {
			some = append(some, c)
		}
	}
	return some
}

// result is what a cell did to chat.
type result struct {
	cell        cell
	err         error // the cell could not be run
	began       time.Time
	before      comparison // under the fault, until the breaker was open
	after       comparison // while it was open
	well        look       // before the fault
	open, later look       // when the breaker had opened, and after the turns of after
	healed      look       // once it was back
	back        time.Duration
	answered    int
	lost        int
	twice       int
	logs        string
}

const (
	callers  = 4  // at once, while the breaker is closed
	warmUp   = 20 // turns
	patience = 20 * time.Second
)

// turns is how many turns a measurement takes at least.
func turns() int {
	if *full {
		return 500
	}
	return 50
}

// run tells one cell's story: all is well, the fault comes, the breaker opens, the fault goes, it recovers by itself.
func (c cell) run(ctx context.Context, w *world) (r result) {
	r.cell = c
	s, err := w.start(ctx, c)
	if err != nil {
		r.err = fmt.Errorf("start: %w", err)
		return r
	}
	defer s.close()
	control := w.enter()
	leave := sync.OnceFunc(func() { w.leave(control) })
	defer leave()
	defer func() { r.logs = strings.Join(s.logged(), "") }()
	if r.well, err = s.warmUp(ctx, control); err != nil {
		r.err = err
		return r
	}
	r.began = time.Now()
	heal, err := c.fault.inject(ctx, s)
	if err != nil {
		r.err = fmt.Errorf("inject: %w", err)
		return r
	}
	r.err = c.suffer(ctx, s, control, &r)
	leave()
	if err := heal(); err != nil {
		r.err = fmt.Errorf("heal: %w", err)
	}
	if r.err == nil {
		r.err = c.recover(ctx, s, &r)
	}
	return r
}

// warmUp takes turns until some in a row lack nothing. Where it does not begin well it goes gently: the cells that start
// beside it are load enough for a small machine to find its Redis slow.
func (s *system) warmUp(ctx context.Context, control *system) (look, error) {
	for end, callers := time.Now().Add(3*time.Minute), callers; ; callers = 1 {
		c := s.compare(ctx, control, callers, until(warmUp))
		if !slices.ContainsFunc(c.broken, func(t turn) bool { return len(t.degraded) > 0 }) {
			return s.look(ctx)
		}
		if time.Now().After(end) {
			return look{}, fmt.Errorf("it is not well without any fault: %+v", c.broken)
		}
		time.Sleep(time.Second) // of rest for those beside it
	}
}

// suffer measures turns under the fault.
func (c cell) suffer(ctx context.Context, s, control *system, r *result) (err error) {
	enough := until(turns())
	if c.opens() {
		end := time.Now().Add(patience)
		enough = func(int) bool { return s.open(ctx, c.of.name) || time.Now().After(end) }
	} else if c.fault.partly {
		end := time.Now().Add(c.fault.lasts)
		enough = func(int) bool { return time.Now().After(end) }
	}
	r.before = s.compare(ctx, control, max(callers, c.fault.callers), enough)
	if r.open, err = s.look(ctx); err != nil {
		return err
	}
	if c.opens() {
		r.after = s.compare(ctx, control, 1, until(turns()))
	}
	r.later, err = s.look(ctx)
	return err
}

// recover waits until a turn lacks nothing and /health says so, and counts what became of the turns.
func (c cell) recover(ctx context.Context, s *system, r *result) error {
	healed := time.Now()
	for {
		one := s.say(ctx)
		l, err := s.look(ctx)
		if err != nil {
			return err
		}
		if one.status == 200 && len(one.degraded) == 0 && l.state(c.of.name) == "closed" {
			break
		}
		if time.Since(healed) > 150*time.Second {
			return fmt.Errorf("it did not recover: a turn says %v, /health %q", one, l.state(c.of.name))
		}
		time.Sleep(time.Second)
	}
	r.back = time.Since(healed)
	r.answered, r.lost, r.twice = s.account(ctx)
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) { // a connection's goroutines end a moment after it
		r.healed, err = s.look(ctx)
		if left := r.healed.moreGoroutines(r.well) || r.healed.moreHeap(r.well); err != nil || !left || time.Now().After(end) {
			return err
		}
	}
}
