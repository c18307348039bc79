package chain

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

// errLost means that another engine was faster.
var errLost = errors.New("another engine was faster")

// race asks the engine at hand. If it is to be hedged, and is slower than it mostly is, the next one is asked as well:
// the first piece, or the first whole answer, wins, and the other engine is let go.
func (w *walk) race(ctx context.Context, number int) (engine.Answer, error) {
	wait, hedged := w.hedge(number)
	if !hedged {
		return w.attempt(ctx, w.links[w.at], number, nil)
	}
	r := &race{walk: w, results: make(chan result, 2)}
	first, second := w.links[w.at], w.links[w.at+1]
	r.start(ctx, first)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case alone := <-r.results:
		return alone.answer, alone.err
	case <-timer.C:
	}
	if !r.open() || !w.hedges.take() {
		alone := <-r.results
		return alone.answer, alone.err
	}
	r.start(ctx, second)
	return r.finish(<-r.results, <-r.results)
}

// hedge tells after which time the engine at hand is slower than in 95 of a hundred of its recent calls, if that is known
// and another engine may be asked.
func (w *walk) hedge(number int) (time.Duration, bool) {
	l := w.links[w.at]
	if !l.spec.Hedge || number > 1 || w.text.Len() > 0 || w.sealed || w.at >= len(w.links)-2 {
		return 0, false
	}
	if w.emit == nil {
		return l.wholes.p95()
	}
	return l.firsts.p95()
}

// race is two engines at one request.
type race struct {
	*walk
	results chan result

	mu      sync.Mutex
	winner  *link
	entered []entrant
}

type entrant struct {
	link *link
	quit context.CancelFunc
}

type result struct {
	link   *link
	answer engine.Answer
	err    error
}

func (r *race) start(ctx context.Context, l *link) {
	ctx, quit := context.WithCancel(ctx)
	r.mu.Lock()
	r.entered = append(r.entered, entrant{l, quit})
	r.mu.Unlock()
	go func() {
		defer quit()
		a, err := r.attempt(ctx, l, 1, func() bool { return r.win(l) })
		r.results <- result{l, a, err}
	}()
}

// win says whether l is the first; it lets the other go.
func (r *race) win(l *link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner == nil {
		r.winner = l
		for _, e := range r.entered {
			if e.link != l {
				e.quit()
			}
		}
	}
	return r.winner == l
}

func (r *race) open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner == nil
}

// finish gives the winner's answer, or its error: the engine at hand is then the winner, and the other comes next. If
// neither began to answer, the first one's error stands for the engine at hand, and the other is not asked again.
func (r *race) finish(a, b result) (engine.Answer, error) {
	first, second := a, b
	if a.link != r.links[r.at] {
		first, second = b, a
	}
	switch r.winner {
	case nil:
		r.failed = append(r.failed, second.link.Name()+": "+why(second.err))
		if err := r.lack(second.link.Name(), reason(second.err, false)); err != nil {
			return first.answer, err
		}
		r.links = slices.Delete(r.links, r.at+1, r.at+2)
		return first.answer, first.err
	case second.link:
		r.links[r.at], r.links[r.at+1] = second.link, first.link
		return second.answer, second.err
	}
	return first.answer, first.err
}

// latencies are the newest of an engine.
type latencies struct {
	mu    sync.Mutex
	ring  [100]time.Duration
	count int
}

// enough latencies are known for a hedge.
const enough = 20

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.count%len(l.ring)] = d
	l.count++
}

func (l *latencies) p95() (time.Duration, bool) {
	l.mu.Lock()
	known := slices.Clone(l.ring[:min(l.count, len(l.ring))])
	l.mu.Unlock()
	if len(known) < enough {
		return 0, false
	}
	slices.Sort(known)
	return known[len(known)*95/100], true
}
