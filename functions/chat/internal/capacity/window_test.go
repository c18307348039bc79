package capacity

import (
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

func TestAPercentileIsOnTheRightSideOfEveryThreshold(t *testing.T) {
	for _, at := range []limits.Threshold{limits.ChatP99, limits.GraphP99, limits.RedisP99} {
		for _, edge := range []float64{at.Enter, at.Leave} {
			limit := time.Duration(edge * float64(time.Second))
			for took, over := range map[time.Duration]bool{limit: false, limit + 1: true} {
				w := newWindow(5)
				for range 100 {
					w.add(took, false)
				}
				if p99, _ := w.look(); p99 > edge != over {
					t.Errorf("calls of %s have p99 %v, over %v: want %v", took, p99, edge, over)
				}
			}
		}
	}
}

func TestFewSlowCallsMakeNoPercentile(t *testing.T) {
	for name, c := range map[string]struct {
		fast, slow int
		p99        float64
	}{
		"none":            {0, 0, 0},
		"two alone":       {0, 2, 0},
		"three alone":     {0, 3, 2},
		"three of many":   {250, 3, 2},
		"three of 400":    {397, 3, 0.01},
		"two per hundred": {980, 20, 2},
	} {
		w := newWindow(5)
		for range c.fast {
			w.add(time.Millisecond, false)
		}
		for range c.slow {
			w.add(2*time.Second, true)
		}
		if p99, _ := w.look(); p99 != c.p99 {
			t.Errorf("%s: p99 %v, want %v", name, p99, c.p99)
		}
	}
}

func TestAWindowForgetsAfterItsSeconds(t *testing.T) {
	w := newWindow(5)
	for range 10 {
		w.add(3*time.Second, true)
	}
	for second := range 5 {
		if p99, failed := w.look(); p99 != 5 || failed != 1 {
			t.Errorf("after %d s: p99 %v, %v failed", second, p99, failed)
		}
		w.pass()
	}
	if p99, failed := w.look(); p99 != 0 || failed != 0 {
		t.Errorf("in the end: p99 %v, %v failed", p99, failed)
	}
}

func BenchmarkAdd(b *testing.B) {
	w := newWindow(5)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			w.add(7*time.Millisecond, false)
		}
	})
}
