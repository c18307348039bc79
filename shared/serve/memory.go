package serve

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/aguante-chat/aguante/shared/limits"
)

// CollectLess has a small heap collected less often, unless the environment has other wishes: garbage collection was the
// largest single cost of a turn (chat on two cores at full load: 1,075 → 590 µs of CPU a turn with memory, 184 → 160 µs
// without; p99 of aguante up at 200 requests/s: 6.1 → 3.8 ms) and is now paid in some 25 MB. Near the soft limit of memory,
// or nine tenths of what the cgroup allows where that is less, it is collected as often as it takes.
func CollectLess(memory limits.Level) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(400)
	allowed := memlimit.ApplyRatio(memlimit.FromCgroup, 0.9)
	_, _ = memlimit.Set(memlimit.WithRatio(1), memlimit.WithProvider(func() (uint64, error) { // a bad AUTOMEMLIMIT leaves it as it was
		return atMost(memory.Soft, allowed), nil
	}))
}

// Memory is what a process may have: the hard limit, or what its cgroup allows where that is less.
type Memory struct{ most float64 }

// NewMemory reads what the cgroup allows.
func NewMemory(memory limits.Level) Memory {
	return Memory{float64(atMost(memory.Hard, memlimit.FromCgroup))}
}

// Used is the share of it that the process holds, as GOMEMLIMIT counts: without what it has given back, or only mapped.
func (m Memory) Used() float64 {
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(held)
	return float64(held[0].Value.Uint64()-held[1].Value.Uint64()) / m.most
}

// atMost is limit, or what p allows where that is less. A p that fails knows of no limit.
func atMost(limit int, p memlimit.Provider) uint64 {
	allowed, err := p()
	if err != nil || allowed == 0 {
		allowed = math.MaxInt64
	}
	return min(uint64(limit), allowed)
}
