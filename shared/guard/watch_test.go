package guard_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// watched is a guard whose breaker has just opened for an hour, and which pings.
func watched(t *testing.T, ping func(context.Context) error) *guard.Guard {
	t.Helper()
	g := guard.New(small(), nil)
	go g.Watch(t.Context(), ping)
	trip(g)
	return g
}

func TestADependencyThatAnswersAgainIsCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		g := watched(t, func(context.Context) error {
			if back.Load() {
				return nil
			}
			return errDown
		})
		time.Sleep(10 * time.Minute)
		if _, err := guard.Do(t.Context(), g, answers); !errors.Is(err, guard.ErrOpen) {
			t.Fatalf("while it is down a call gives %v", err)
		}
		back.Store(true)
		time.Sleep(10 * time.Second) // the figures: back within 10 s of recovery
		if _, err := guard.Do(t.Context(), g, answers); err != nil || g.Status().State != "closed" {
			t.Errorf("once it is back a call gives %v, the breaker is %s", err, g.Status().State)
		}
	})
}

func TestADependencyThatAnswersPingsAloneIsTriedMoreAndMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int64
		g := watched(t, func(context.Context) error { pings.Add(1); return nil })
		reached := 0
		for range 10 * 60 { // ten minutes of the hour
			time.Sleep(time.Second)
			_, _ = guard.Do(t.Context(), g, func(context.Context) (string, error) { reached++; return "", errDown })
		}
		if reached < 3 || reached > 7 || pings.Load() != int64(reached) {
			t.Errorf("%d calls reached it after %d pings", reached, pings.Load())
		}
	})
}

func TestOneCallThatFailsInAnOutagesLastMomentsDoesNotProlongIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := watched(t, func(context.Context) error { return nil })
		time.Sleep(limits.PingEvery)
		synctest.Wait()
		if _, err := guard.Do(t.Context(), g, refuses); errors.Is(err, guard.ErrOpen) {
			t.Fatal("the answer to the ping was not believed")
		}
		time.Sleep(10 * time.Second)
		if _, err := guard.Do(t.Context(), g, answers); err != nil || g.Status().State != "closed" {
			t.Errorf("ten seconds later a call gives %v, the breaker is %s", err, g.Status().State)
		}
	})
}

func TestADependencyThatNobodyCallsIsNotLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := watched(t, func(context.Context) error { return nil })
		time.Sleep(10 * time.Second)
		if state := g.Status().State; state != "closed" {
			t.Errorf("it answers pings, and is %s", state)
		}
	})
}

func TestASlowAnswerToAPingIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := watched(t, func(ctx context.Context) error {
			select {
			case <-time.After(2 * limits.PingTime):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		time.Sleep(time.Minute)
		if _, err := guard.Do(t.Context(), g, answers); !errors.Is(err, guard.ErrOpen) {
			t.Errorf("a call gives %v", err)
		}
	})
}

func TestAClosedBreakerIsNotPinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guard.New(small(), nil)
		go g.Watch(t.Context(), func(context.Context) error {
			t.Error("it was pinged")
			return nil
		})
		time.Sleep(time.Minute)
	})
}
