package capacity

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fill lets in as many of a priority as there is room for.
func fill(c *Capacity, p Priority) (places []*Place) {
	for {
		place := c.Enter(p)
		if place == nil {
			return places
		}
		places = append(places, place)
	}
}

func TestNewSessionsGiveWayToOldOnes(t *testing.T) {
	c := New(Config{})
	var all []*Place
	for _, step := range []struct {
		p    Priority
		upTo int
	}{{Stranger, 425}, {StrangerWithKey, 450}, {Known, 475}, {KnownWithKey, 500}} {
		all = append(all, fill(c, step.p)...)
		if len(all) != step.upTo {
			t.Fatalf("priority %d: %d are in, want %d", step.p, len(all), step.upTo)
		}
	}
	if running := c.Enter(Running); running == nil {
		t.Error("a running stream was shed")
	} else {
		running.Leave(false)
	}
	for i, place := range all {
		if place.Busy != (i >= limits.ConcurrentChats.Soft) {
			t.Fatalf("turn %d: busy %v", i+1, place.Busy)
		}
		place.Leave(true)
	}
	if n := c.underWay.Load(); n != 0 {
		t.Errorf("%d are under way after all have left", n)
	}
}

// An engine does twenty turns at a time in 200 ms; the rest wait inside it. Callers come back at once, always.
func TestTheLimitComesDownToWhatCanBeDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Adaptive: guard.NewAdaptive(limits.AdaptiveChats)})
		if n := c.limit(); n != limits.AdaptiveChats.Start {
			t.Fatalf("it begins at %d", n)
		}
		engine := make(chan struct{}, 20)
		until := time.Now().Add(2 * time.Minute)
		ask := func(p Priority) {
			for time.Now().Before(until) {
				place := c.Enter(p)
				if place == nil {
					time.Sleep(50 * time.Millisecond)
					continue
				}
				engine <- struct{}{}
				time.Sleep(200 * time.Millisecond)
				<-engine
				place.Leave(true)
			}
		}
		for range 15 {
			go ask(KnownWithKey)
		}
		time.Sleep(30 * time.Second) // what a turn takes undisturbed
		for range 200 {
			go ask(KnownWithKey)
		}
		time.Sleep(80 * time.Second)
		limit := c.limit()
		t.Logf("with 215 callers at once and room for 20 in the engine the limit is %d", limit)
		if limit > limits.AdaptiveChats.Start || limit < limits.AdaptiveChats.Least {
			t.Errorf("the limit is %d", limit)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}
