package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// press is a store whose writes wait to be let through one by one, when it is held, and answer as told.
type press struct {
	held    chan struct{} // nil: not held
	answer  func(batch []graph.Write) error
	batches []int
}

func (p *press) write(ctx context.Context, writes []graph.Write) ([]graph.Written, error) {
	p.batches = append(p.batches, len(writes))
	if p.held != nil {
		select {
		case <-p.held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if p.answer != nil {
		if err := p.answer(writes); err != nil {
			return nil, err
		}
	}
	written := make([]graph.Written, len(writes))
	for i, w := range writes {
		written[i].TurnID = w.Turn.ID
	}
	return written, nil
}

// inBubble runs a test with a batcher over a press, where time passes only when everyone waits.
func inBubble(t *testing.T, test func(t *testing.T, p *press, b *batcher)) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		b := newBatcher(p.write, prometheus.NewGauge(prometheus.GaugeOpts{Name: "backlog"}), prometheus.NewGauge(prometheus.GaugeOpts{Name: "seen"}))
		test(t, p, b)
		if err := b.close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := testutil.ToFloat64(b.backlog); n != 0 {
			t.Errorf("a backlog of %v is left", n)
		}
	})
}

func said(n int) graph.Write {
	at := time.Date(2025, 5, 3, 10, 0, 0, 0, time.UTC)
	return graph.Write{SentAt: at, Turn: graph.Turn{ID: fmt.Sprint(n), SessionID: "s", User: "ana", Messages: []graph.Message{{Role: "user", Content: "hi", At: at}}}}
}

// putAll puts turns, each from a goroutine of its own, and gives where their errors will be.
func putAll(ctx context.Context, b *batcher, turns ...int) []error {
	errs := make([]error, len(turns))
	for i, n := range turns {
		go func() {
			done, err := b.put(ctx, said(n))
			if err == nil && done.TurnID != fmt.Sprint(n) {
				err = fmt.Errorf("%d was answered as %s", n, done.TurnID)
			}
			errs[i] = err
		}()
		synctest.Wait() // so that they join in order
	}
	return errs
}

// upTo are the numbers from 0 to n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (p *press) mustHaveWritten(t *testing.T, batches ...int) {
	t.Helper()
	if !slices.Equal(p.batches, batches) {
		t.Errorf("wrote batches of %v, want %v", p.batches, batches)
	}
}

func TestLoneTurnWaitsForNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		before := time.Now()
		if _, err := b.put(t.Context(), said(1)); err != nil {
			t.Error(err)
		}
		if waited := time.Since(before); waited > 0 {
			t.Errorf("waited %v", waited)
		}
		p.mustHaveWritten(t, 1)
	})
}

func TestWhoeverWaitsSharesTheNextCommit(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		p.held = make(chan struct{})
		errs := putAll(t.Context(), b, upTo(1+maxBatch+10)...)
		close(p.held)
		synctest.Wait()
		p.mustHaveWritten(t, 1, maxBatch, 10)
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
}

func TestOnlyCommitsWithoutRoomAreLoad(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		p.answer = func([]graph.Write) error { time.Sleep(20 * time.Second); return nil }
		for _, c := range []struct {
			turns int
			want  bool
		}{{1, false}, {maxBatch, true}} {
			for n := range c.turns {
				go func() { _, _ = b.put(t.Context(), said(n)) }()
			}
			time.Sleep(19 * time.Second) // the second time, of the second commit
			if got := b.load.value(); (got > limits.WorkersBusy.Enter) != c.want {
				t.Errorf("%d turns at once: a load of %v", c.turns, got)
			}
		}
	})
}

func TestOneWhoLeavesUndoesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		p.held = make(chan struct{})
		putAll(t.Context(), b, 1)
		leaving, leave := context.WithCancel(t.Context())
		left, stayed := putAll(leaving, b, 1), putAll(t.Context(), b, upTo(5)...)
		leave()
		synctest.Wait()
		if !errors.Is(left[0], context.Canceled) {
			t.Errorf("who left was told %v", left[0])
		}
		close(p.held)
		synctest.Wait()
		if err := errors.Join(stayed...); err != nil {
			t.Error(err)
		}
		p.mustHaveWritten(t, 1, 6)
	})
}

func TestOneBadTurnTakesNobodyDownForGood(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		p.answer = func(batch []graph.Write) error {
			if slices.ContainsFunc(batch, func(w graph.Write) bool { return w.Turn.ID == "3" }) {
				return graph.ErrInvalid
			}
			return nil
		}
		left := []int{0, 1, 2, 3, 4, 5, 6, 7}
		for delivery := 1; len(left) > 0; delivery++ {
			if delivery > limits.MaxDeliveries {
				t.Fatalf("%v are dead letters", left)
			}
			p.held = make(chan struct{})
			errs := putAll(t.Context(), b, left...)
			close(p.held)
			synctest.Wait()
			var again []int
			for i, n := range left {
				switch invalid := errors.Is(errs[i], graph.ErrInvalid); {
				case invalid != (n == 3) && !errors.Is(errs[i], errAmong) && errs[i] != nil:
					t.Fatalf("%d was told %v", n, errs[i])
				case errors.Is(errs[i], errAmong):
					again = append(again, n)
				}
			}
			left = again
		}
	})
}

func TestInvalidTurnJoinsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		if _, err := b.put(t.Context(), graph.Write{}); !errors.Is(err, graph.ErrInvalid) {
			t.Errorf("told %v", err)
		}
		p.mustHaveWritten(t)
	})
}

func TestFullBacklogTakesNoMore(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		p.held = make(chan struct{})
		errs := putAll(t.Context(), b, upTo(1+limits.MutationBacklog.Hard)...)
		if n := testutil.ToFloat64(b.backlog); n != float64(len(errs)) {
			t.Errorf("the backlog is %v", n)
		}
		if _, err := b.put(t.Context(), said(1)); !errors.Is(err, errBacklog) {
			t.Errorf("told %v", err)
		}
		close(p.held)
		synctest.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWritesWhatHasJoined(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		p.held = make(chan struct{})
		errs := putAll(t.Context(), b, upTo(10)...)
		go b.close(context.Background())
		synctest.Wait()
		if _, err := b.put(t.Context(), said(11)); !errors.Is(err, errClosed) {
			t.Errorf("told %v", err)
		}
		close(p.held)
		synctest.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseGivesUpAFrozenStoreInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{held: make(chan struct{})}
		b := newBatcher(p.write, prometheus.NewGauge(prometheus.GaugeOpts{Name: "backlog"}), prometheus.NewGauge(prometheus.GaugeOpts{Name: "seen"}))
		errs := putAll(t.Context(), b, upTo(3)...)
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		if err := b.close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closed with %v", err)
		}
		synctest.Wait()
		for i, err := range errs {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%d was told %v", i, err)
			}
		}
	})
}

func TestHungBatcherIsNotSeen(t *testing.T) {
	inBubble(t, func(t *testing.T, p *press, b *batcher) {
		p.held = make(chan struct{})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if seen := lastSeen(b); time.Since(seen) > heartbeat {
			t.Errorf("idle, last seen %v ago", time.Since(seen))
		}
		putAll(t.Context(), b, 1)
		time.Sleep(10 * time.Minute)
		if seen := lastSeen(b); time.Since(seen) < 9*time.Minute {
			t.Errorf("hung, but seen %v ago", time.Since(seen))
		}
		close(p.held)
	})
}

func lastSeen(b *batcher) time.Time {
	return time.UnixMicro(int64(testutil.ToFloat64(b.seen) * 1e6))
}
