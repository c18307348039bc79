package drill

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

const (
	flooding = 500 // turns of a flood
	crowd    = 64  // requests under way at once, at most

	emptied = 3 * time.Minute // a full buffer of decision traces is, also on a busy machine
)

// flood has one caller send far more than their share.
func flood(ctx context.Context, r *run) error {
	r.steady(ctx, before)
	held, err := r.held(ctx)
	if err != nil {
		return err
	}
	r.surge(ctx, flooding, r.length(), nil)
	rested := time.Now()
	later, err := r.letGo(ctx, held)
	if err != nil {
		return err
	}
	c := count(r.in(during))
	told := c.Answered + c.Limited
	r.check(share(told, c.Sent) > 90, "> 90 % answered", "%d of %d: %d with 200, %d told to come back (429)", told, c.Sent, c.Answered, c.Limited)
	r.check(share(c.Failed+c.Silent, c.Sent) < 1, "5xx < 1 %", "%d failed, %d unanswered", c.Failed, c.Silent)
	r.check(c.Limited > 0, "some 429", "%d", c.Limited)
	r.check(later.within(held), "memory within +10 % of before", "%.1f MB live before, %.1f MB %s after, of %.0f MB resident; %d MB are for pools",
		held.live/(1<<20), later.live/(1<<20), brief(time.Since(rested)), held.resident/(1<<20), pools>>20)
	r.noneLost(ctx)
	return nil
}

// rest is how long a flooded system has to let go of its memory.
const rest = 30 * time.Second

// letGo waits until the system holds no more than before, for rest at most, and says what it holds then.
func (r *run) letGo(ctx context.Context, before held) (later held, err error) {
	for began := time.Now(); ; {
		r.watch(ctx, after, lead, nil)
		if later, err = r.held(ctx); err != nil || later.within(before) || time.Since(began) > rest || ctx.Err() != nil {
			return later, err
		}
	}
}

// surge sends turns evenly over a time, few of which the caller's rate allows, and watches until they are answered or done
// says so.
func (r *run) surge(ctx context.Context, turns int, over time.Duration, done func(look) bool) (is bool) {
	sending, stop := context.WithCancel(ctx)
	defer stop()
	r.enter(during)
	sent := make(chan struct{})
	go func() { defer close(sent); r.send(sending, turns, over) }()
	_, is = r.watch(ctx, during, over, done)
	if is {
		stop()
	}
	<-sent
	_, last := r.watch(ctx, during, 0, done)
	return is || last
}

// send sends turns, crowd of them under way at once at most, and waits for their answers.
func (r *run) send(ctx context.Context, turns int, over time.Duration) {
	seats := make(chan struct{}, crowd)
	var flying sync.WaitGroup
	defer flying.Wait()
	tick := time.NewTicker(over / time.Duration(turns))
	defer tick.Stop()
	for range turns {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		seats <- struct{}{}
		flying.Go(func() {
			defer func() { <-seats }()
			n, phase := r.number()
			r.keep(r.say(context.WithoutCancel(ctx), n, phase))
		})
	}
}

// held is a process's memory in bytes: what it has of the system, and what of it is live after garbage collection. What is
// resident goes up and down with the collector; a flood that leaves something behind shows in what is live.
type held struct{ resident, live float64 }

// pools is what connections hold, in bytes, that a flood opened and that are kept for the next: up to 20 to Redis, 20 to
// Neo4j and 64 to each subscriber, some 0.1 MB each where a proxy is in between.
const pools = 16 << 20

// within tells whether h is at most a tenth above what was there before, pools left out.
func (h held) within(before held) bool { return h.live-before.live <= before.resident/10+pools }

func (r *run) held(ctx context.Context) (held, error) {
	for range 2 { // pools give up what they hold at the second
		if _, err := r.do(ctx, http.MethodGet, r.Ops+"/debug/pprof/heap?gc=1", "", nil); err != nil {
			return held{}, err
		}
	}
	l, err := r.look(ctx)
	return held{l.value("process_resident_memory_bytes"), l.value("go_memstats_heap_alloc_bytes")}, err
}

// traceOverflow slows the broker a little and has turns decided, most of them refused by the rate limit, until the buffer
// of decision traces is full.
func traceOverflow(ctx context.Context, r *run) error {
	r.steady(ctx, before)
	l, err := r.look(ctx)
	if err != nil {
		return err
	}
	dropped := l.value("aguante_decisions_dropped_total")
	if err := r.slow(r.faults, broker, 100); err != nil {
		return err
	}
	full := func(l look) bool { return l.value("aguante_decisions_dropped_total") > dropped }
	is := r.surge(ctx, 4*limits.DecisionBuffer.Hard, 40*time.Second, full)
	if err := r.undo(); err != nil {
		return err
	}
	r.watch(ctx, after, lead, nil)
	c := count(r.in(during))
	r.check(is, "decision traces overflow", "after %d turns", c.Sent)
	r.check(c.Answered+c.Limited == c.Sent && c.Answered > 0, "/chat untouched",
		"%d of %d answered: %d with 200, %d told to come back (429), p99 %.0f ms", c.Answered+c.Limited, c.Sent, c.Answered, c.Limited, c.P99)
	r.drops(ctx, dropped, len(r.in("")))
	r.noneLost(ctx)
	return nil
}

// drops is the check that every turn's trace is kept or counted as dropped, once the buffer has emptied.
func (r *run) drops(ctx context.Context, before float64, sent int) {
	var kept, dropped int
	for began := time.Now(); ; {
		kept = r.traces(ctx)
		if l, err := r.look(ctx); err == nil {
			dropped = int(l.value("aguante_decisions_dropped_total") - before)
		}
		if kept+dropped >= sent || time.Since(began) > emptied || !sleep(ctx, time.Second) {
			break
		}
	}
	r.check(dropped > 0 && kept+dropped >= sent, "drops counted", "%d turns: %d traces kept, %d dropped", sent, kept, dropped)
}

// traces is how many turns of the drill's user trace knows.
func (r *run) traces(ctx context.Context) (n int) {
	next := "/decisions?" + url.Values{"user": {r.user}, "limit": {"500"}}.Encode()
	for next != "" {
		var page struct {
			Decisions []struct{}
			Next      string
		}
		if err := r.get(ctx, r.Trace+next, &page); err != nil {
			return n
		}
		n, next = n+len(page.Decisions), page.Next
	}
	return n
}
