package materialize

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func TestALoadIsTheShareOfTheTimeLately(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLoad(func() time.Time { return now })
	work := func(share float64, total time.Duration) {
		for range int(total / (100 * time.Millisecond)) {
			busy := time.Duration(share * float64(100*time.Millisecond))
			l.is(true)
			now = now.Add(busy)
			l.is(false)
			now = now.Add(100*time.Millisecond - busy)
		}
	}
	for _, c := range []struct{ share, want float64 }{{0, 0}, {0.9, 0.9}, {0.3, 0.3}, {1, 1}, {0, 0}} {
		work(c.share, 30*time.Second)
		if got := l.value(); math.Abs(got-c.want) > 0.02 {
			t.Errorf("busy %v of the time: %v", c.share, got)
		}
	}
	l.is(true) // and hangs
	now = now.Add(20 * time.Second)
	if got := l.value(); got < 0.95 {
		t.Errorf("a writer that hangs is busy: %v", got)
	}
}

func TestATurnThatMemoryIsTooShortForComesAgain(t *testing.T) {
	held := 0.91
	w := New(Parts{Memory: func() float64 { return held }, Telemetry: telemetry.Nop()})
	defer w.Close(t.Context())
	e, err := event.New(event.TurnCompleted, "/chat", "t1", "s", 0, event.Completed{})
	if err != nil {
		t.Fatal(err)
	}
	again := (*event.Again)(nil)
	if _, err := w.Take(t.Context(), e); !errors.As(err, &again) || again.After != down {
		t.Errorf("short of memory: %v", err)
	}
	held = 0.89
	if _, err := w.Take(t.Context(), e); errors.As(err, &again) {
		t.Errorf("with enough of it: %v", err)
	}
}
