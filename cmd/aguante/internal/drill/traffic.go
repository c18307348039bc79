package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// said is one turn of a drill and what came of it.
type said struct {
	n        int
	phase    string
	took     time.Duration
	status   int // 0: no answer
	turnID   string
	degraded []string // dependencies
}

// mark is a word that the turn n alone says.
func mark(n int) string { return fmt.Sprintf("room%05d", n) }

// text is what turn n says: something that memory keeps.
func text(n int) string { return fmt.Sprintf("My box%05d is in %s.", n, mark(n)) }

// traffic is the turns of one made-up user, sent when they are due and not when the last one was answered.
type traffic struct {
	*system
	user string

	mu    sync.Mutex
	phase string
	next  int
	turns []said

	stop    context.CancelFunc
	running sync.WaitGroup
}

// begin sends turns until end is called or ctx ends.
func (t *traffic) begin(ctx context.Context) {
	ctx, t.stop = context.WithCancel(ctx)
	t.running.Go(func() {
		tick := time.NewTicker(time.Duration(float64(time.Second) / t.Rate))
		defer tick.Stop()
		for {
			n, phase := t.number()
			t.running.Go(func() { t.keep(t.say(context.WithoutCancel(ctx), n, phase)) })
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// end waits for the answers under way.
func (t *traffic) end() {
	t.stop()
	t.running.Wait()
}

func (t *traffic) number() (n int, phase string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	return t.next, t.phase
}

func (t *traffic) enter(phase string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = phase
}

func (t *traffic) keep(s said) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turns = append(t.turns, s)
}

// in are the turns sent in a phase; of all phases if it is empty.
func (t *traffic) in(phase string) []said {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.turns), func(s said) bool { return phase != "" && s.phase != phase })
}

// say takes one turn. Ten turns make a session.
func (t *traffic) say(ctx context.Context, n int, phase string) said {
	body, _ := json.Marshal(map[string]string{"user": t.user, "session_id": fmt.Sprintf("%s-%d", t.user, n/10), "message": text(n)})
	began := time.Now()
	got, err := t.do(ctx, http.MethodPost, t.Chat+"/chat", "application/json", body)
	s := said{n: n, phase: phase, took: time.Since(began)}
	if err != nil {
		return s
	}
	s.status = got.status
	var reply struct {
		TurnID   string `json:"turn_id"`
		Degraded []struct{ Dependency string }
	}
	if got.status == http.StatusOK && json.Unmarshal(got.body, &reply) == nil {
		s.turnID = reply.TurnID
		for _, d := range reply.Degraded {
			s.degraded = append(s.degraded, d.Dependency)
		}
	}
	return s
}

// tally counts what callers got.
type tally struct {
	Sent     int            `json:"sent"`
	Answered int            `json:"answered"`           // 200
	Limited  int            `json:"limited,omitempty"`  // 429: this caller used its share
	Refused  int            `json:"refused,omitempty"`  // other 4xx
	Failed   int            `json:"failed,omitempty"`   // 5xx
	Silent   int            `json:"silent,omitempty"`   // no answer at all
	Degraded map[string]int `json:"degraded,omitempty"` // answers that did without a dependency
	P50      float64        `json:"p50_ms"`
	P99      float64        `json:"p99_ms"`
}

func count(turns []said) tally {
	c := tally{Sent: len(turns), Degraded: map[string]int{}}
	var took []time.Duration
	for _, s := range turns {
		switch {
		case s.status == http.StatusOK:
			c.Answered++
		case s.status == http.StatusTooManyRequests:
			c.Limited++
		case s.status >= 500:
			c.Failed++
		case s.status == 0:
			c.Silent++
		default:
			c.Refused++
		}
		took = append(took, s.took)
		slices.Sort(s.degraded)
		for _, d := range slices.Compact(s.degraded) {
			c.Degraded[d]++
		}
	}
	slices.Sort(took)
	c.P50, c.P99 = at(took, 0.5), at(took, 0.99)
	return c
}

// at is a percentile in milliseconds, rounded up to a turn that there was.
func at(took []time.Duration, share float64) float64 {
	if len(took) == 0 {
		return 0
	}
	i := min(int(share*float64(len(took))), len(took)-1)
	return float64(took[i].Microseconds()) / 1000
}

// share is part of whole in per cent; of nothing, all.
func share(part, whole int) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * float64(part) / float64(whole)
}
