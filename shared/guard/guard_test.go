package guard_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("connection refused")

// ledger remembers what a guard told.
type ledger struct {
	mu       sync.Mutex
	outcomes []guard.Outcome
	changes  []guard.Change
	lacks    []guard.Degraded
}

func (l *ledger) Called(_ context.Context, o guard.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes = append(l.outcomes, o)
}

func (l *ledger) Changed(c guard.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, c)
}

func (l *ledger) FailedOpen(_ context.Context, d guard.Degraded, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lacks = append(l.lacks, d)
}

func (l *ledger) count(r guard.Result) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.outcomes {
		if o.Result == r {
			n++
		}
	}
	return n
}

// small is a dependency that trips after three failures, for an hour.
func small() limits.Dependency {
	return limits.Dependency{Name: "thing", Zone: limits.ZoneSync, Timeout: time.Minute, InFlight: 2,
		Breaker: limits.Breaker{Failures: 3, Open: time.Hour}}
}

func answers(context.Context) (string, error) { return "answer", nil }
func refuses(context.Context) (string, error) { return "", errDown }

// freezes answers nothing until its context ends, as an adapter does whose server is frozen.
func freezes(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func trip(g *guard.Guard) {
	for range g.Dependency().Breaker.Failures {
		_, _ = guard.Do(context.Background(), g, refuses)
	}
}

func TestCallsEndAsTheirDependencyDoes(t *testing.T) {
	gone, leave := context.WithCancel(context.Background())
	leave()
	cases := []struct {
		name    string
		timeout time.Duration
		ctx     context.Context
		call    func(context.Context) (string, error)
		want    guard.Result
		is      error
	}{
		{"answer", time.Minute, context.Background(), answers, guard.OK, nil},
		{"error", time.Minute, context.Background(), refuses, guard.Error, errDown},
		{"frozen", time.Millisecond, context.Background(), freezes, guard.Timeout, guard.ErrTimeout},
		{"caller left", time.Minute, gone, freezes, guard.Left, context.Canceled},
		{"given up by us", time.Minute, context.Background(), func(context.Context) (string, error) { return "", guard.Abandoned(errDown) }, guard.Left, errDown},
		{"neutral", time.Minute, context.Background(), func(context.Context) (string, error) { return "", guard.Neutral(errDown) }, guard.OK, errDown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, seen := small(), &ledger{}
			d.Timeout = c.timeout
			_, err := guard.Do(c.ctx, guard.New(d, seen), c.call)
			if !errors.Is(err, c.is) {
				t.Errorf("error %v, want %v", err, c.is)
			}
			if seen.count(c.want) != 1 {
				t.Errorf("told %+v, want one %s", seen.outcomes, c.want)
			}
		})
	}
}

func TestBreakerOpensAfterConsecutiveFailuresAndStopsCalling(t *testing.T) {
	seen := &ledger{}
	g := guard.New(small(), seen)
	trip(g)
	called := false
	_, err := guard.Do(context.Background(), g, func(context.Context) (int, error) { called = true; return 0, nil })
	if called || !errors.Is(err, guard.ErrOpen) {
		t.Errorf("called %v, error %v", called, err)
	}
	if len(seen.changes) != 1 || seen.changes[0].To != "open" || !errors.Is(seen.changes[0].Err, errDown) {
		t.Errorf("changes told: %+v", seen.changes)
	}
	if s := g.Status(); s.State != "open" || s.LastError == "" || s.Since.IsZero() {
		t.Errorf("status: %+v", s)
	}
}

func TestSuccessBetweenFailuresKeepsItClosed(t *testing.T) {
	g := guard.New(small(), nil)
	for range 10 {
		_, _ = guard.Do(context.Background(), g, refuses)
		_, _ = guard.Do(context.Background(), g, refuses)
		if _, err := guard.Do(context.Background(), g, answers); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingButTheDependencyTripsIt(t *testing.T) {
	gone, leave := context.WithCancel(context.Background())
	leave()
	cases := map[string]func(g *guard.Guard){
		"callers who left": func(g *guard.Guard) { _, _ = guard.Do(gone, g, freezes) },
		"callers with little time": func(g *guard.Guard) {
			hasty, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			_, _ = guard.Do(hasty, g, freezes)
		},
		"answers that are errors": func(g *guard.Guard) {
			_, _ = guard.Do(context.Background(), g, func(context.Context) (int, error) { return 0, guard.Neutral(errDown) })
		},
		"a full bulkhead": func(g *guard.Guard) {
			_, first, _ := g.Begin(context.Background())
			_, second, _ := g.Begin(context.Background())
			_, _, err := g.Begin(context.Background())
			if !errors.Is(err, guard.ErrRejected) {
				t.Errorf("the third of two: %v", err)
			}
			_ = first.End(nil)
			_ = second.End(nil)
		},
	}
	for name, call := range cases {
		t.Run(name, func(t *testing.T) {
			g := guard.New(small(), nil)
			for range 20 {
				call(g)
			}
			if s := g.Status(); s.State != "closed" {
				t.Errorf("it is %s", s.State)
			}
		})
	}
}

// reads waits for a server that says nothing, on a connection that has the deadline of ctx.
func reads(t *testing.T, ctx context.Context) error {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	deadline, _ := ctx.Deadline()
	if err := here.SetReadDeadline(deadline); err != nil {
		t.Error(err)
	}
	_, err := here.Read(make([]byte, 1))
	return err
}

func TestADeadlineIsJudgedAloneWhenTheConnectionHearsOfItFirst(t *testing.T) {
	for name, c := range map[string]struct {
		dependency, caller time.Duration
		want               guard.Result
	}{
		"the dependency's": {2 * time.Millisecond, time.Minute, guard.Timeout},
		"the caller's":     {time.Minute, 2 * time.Millisecond, guard.Left},
	} {
		t.Run(name, func(t *testing.T) {
			const calls = 100
			d, seen := small(), &ledger{}
			d.Timeout, d.Breaker.Failures = c.dependency, 2*calls
			g := guard.New(d, seen)
			for range calls {
				ctx, cancel := context.WithTimeout(t.Context(), c.caller)
				_, _ = guard.Do(ctx, g, func(ctx context.Context) (int, error) { return 0, reads(t, ctx) })
				cancel()
			}
			if n := seen.count(c.want); n != calls {
				t.Errorf("%d of %d calls were told as %s: %+v", n, calls, c.want, seen.outcomes[0])
			}
		})
	}
}

func TestCallersDeadlineCountsOnceTheDependencyHadItsShareOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, seen := small(), &ledger{}
		d.Timeout = 20 * time.Millisecond
		hasty, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		_, _ = guard.Do(hasty, guard.New(d, seen), freezes)
		if seen.count(guard.Timeout) != 1 {
			t.Errorf("told %+v", seen.outcomes)
		}
	})
}

func TestHalfOpenLetsOneProbeThroughAndClosesWhenItWorks(t *testing.T) {
	d := small()
	d.Breaker.Open = time.Millisecond
	g := guard.New(d, nil)
	trip(g)
	ctx, probe := beginProbe(t, g)
	if _, err := guard.Do(context.Background(), g, answers); !errors.Is(err, guard.ErrOpen) {
		t.Errorf("a second call beside the probe: %v", err)
	}
	if err := probe.End(ctx.Err()); err != nil {
		t.Fatal(err)
	}
	if s := g.Status(); s.State != "closed" {
		t.Errorf("after a good probe it is %s", s.State)
	}
}

func TestAbandonedProbeIsFollowedByAnother(t *testing.T) {
	d := small()
	d.Breaker.Open = time.Millisecond
	g := guard.New(d, nil)
	trip(g)
	leaving, leave := context.WithCancel(context.Background())
	_, probe := beginProbeWith(t, g, leaving)
	leave()
	_ = probe.End(context.Canceled)
	_, probe = beginProbe(t, g)
	_ = probe.End(nil)
}

func TestOpenTimeDoublesUpToItsMostWhileProbesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := small()
		d.Breaker = limits.Breaker{Failures: 1, Open: 10 * time.Millisecond, MaxOpen: 40 * time.Millisecond}
		g := guard.New(d, nil)
		trip(g)
		for _, open := range []time.Duration{10, 20, 40, 40} {
			opened := time.Now()
			_, probe := beginProbe(t, g)
			if waited := time.Since(opened); waited < open*time.Millisecond || waited > (open+1)*time.Millisecond {
				t.Errorf("probed after %v, not %d ms", waited, open)
			}
			_ = probe.End(errDown)
		}
		_, probe := beginProbe(t, g)
		_ = probe.End(nil)
		trip(g)
		if _, err := guard.Do(context.Background(), g, answers); !errors.Is(err, guard.ErrOpen) {
			t.Errorf("tripped again: %v", err)
		}
	})
}

// beginProbe waits until the breaker lets a call through.
func beginProbe(t *testing.T, g *guard.Guard) (context.Context, *guard.Call) {
	t.Helper()
	return beginProbeWith(t, g, context.Background())
}

func beginProbeWith(t *testing.T, g *guard.Guard, ctx context.Context) (context.Context, *guard.Call) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ctx, call, err := g.Begin(ctx); err == nil {
			return ctx, call
		}
	}
	t.Fatal("the breaker never lets a probe through")
	return nil, nil
}

func TestFailOpenGivesTheFallbackAndSaysSo(t *testing.T) {
	seen := &ledger{}
	g := guard.New(small(), seen)
	got, lack := guard.FailOpen(context.Background(), g, "fallback", refuses)
	want := guard.Degraded{Zone: "sync", Dependency: "thing", Reason: "error"}
	if got != "fallback" || lack == nil || *lack != want || len(seen.lacks) != 1 || seen.lacks[0] != want {
		t.Errorf("%q, %+v, told %+v", got, lack, seen.lacks)
	}
	if got, lack := guard.FailOpen(context.Background(), g, "fallback", answers); got != "answer" || lack != nil {
		t.Errorf("%q, %+v", got, lack)
	}
}

func TestPanicIsAFailureAndHoldsNoPermit(t *testing.T) {
	g := guard.New(small(), nil)
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			_, _ = guard.Do(context.Background(), g, func(context.Context) (int, error) { panic("bug") })
		}()
	}
	if s := g.Status(); s.State != "open" {
		t.Errorf("after three panics it is %s", s.State)
	}
}

func TestStreamSucceedsOnlyWhenItEndsWell(t *testing.T) {
	g := guard.New(small(), nil)
	for range 3 {
		_, stream, err := g.Begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.End(errors.New("cut half-way"))
	}
	if s := g.Status(); s.State != "open" {
		t.Errorf("after three cut streams it is %s", s.State)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	d := small()
	d.InFlight, d.Breaker = 8, limits.Breaker{Failures: 3, Open: time.Millisecond, MaxOpen: 2 * time.Millisecond}
	g := guard.New(d, &ledger{})
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			for i := range 500 {
				if (n+i)%3 == 0 {
					_, _ = guard.Do(context.Background(), g, refuses)
				} else {
					_, _ = guard.Do(context.Background(), g, answers)
				}
			}
		})
	}
	group.Wait()
	_, probe := beginProbe(t, g)
	_ = probe.End(nil)
	if s := g.Status(); s.State != "closed" {
		t.Errorf("once it answers it is %s", s.State)
	}
}
