package session

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheOutboxWaitsTwoMinutesAtMostForThoseWhoAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := true
		d := &Drainer{Defer: func() bool { return busy }}
		wait := func(d time.Duration) func() { return func() { time.Sleep(d) } }
		for _, step := range []struct {
			name string
			do   func()
			want bool
		}{
			{"busy", func() {}, true},
			{"a minute later", wait(time.Minute), true},
			{"two minutes later", wait(time.Minute), false},
			{"and after", wait(time.Minute), false},
			{"no longer", func() { busy = false }, false},
			{"busy again", func() { busy = true }, true},
		} {
			step.do()
			if got := d.defers(); got != step.want {
				t.Errorf("%s: it waits: %t", step.name, got)
			}
		}
	})
}
