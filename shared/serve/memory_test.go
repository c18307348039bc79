package serve

import (
	"errors"
	"runtime"
	"testing"

	"github.com/aguante-chat/aguante/shared/limits"
)

func TestAProcessMayHaveTheLessOfItsLimitAndItsCgroups(t *testing.T) {
	for name, c := range map[string]struct {
		cgroup uint64
		err    error
		want   uint64
	}{
		"a small cgroup":  {cgroup: 10, want: 10},
		"a large one":     {cgroup: 1000, want: 100},
		"none":            {err: errors.New("not limited"), want: 100},
		"one of no sense": {cgroup: 0, want: 100},
	} {
		if got := atMost(100, func() (uint64, error) { return c.cgroup, c.err }); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestMemoryInUseIsSeen(t *testing.T) {
	m := NewMemory(limits.Level{Hard: 256 << 20})
	before := m.Used()
	held := make([]byte, 64<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	after := m.Used()
	runtime.KeepAlive(held)
	if after-before < 0.2 || before <= 0 {
		t.Errorf("%v, and with a quarter of it %v", before, after)
	}
}
