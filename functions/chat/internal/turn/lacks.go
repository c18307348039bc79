package turn

import (
	"slices"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// lacks are the parts of the system that a turn did without, each dependency once: its first reason stands.
type lacks []guard.Degraded

// with returns l and, unless it is nil or named already, d.
func (l lacks) with(d *guard.Degraded) lacks {
	if d == nil || slices.ContainsFunc(l, func(o guard.Degraded) bool { return o.Zone == d.Zone && o.Dependency == d.Dependency }) {
		return l
	}
	return append(slices.Clip(l), *d)
}

func (l lacks) and(more []guard.Degraded) lacks {
	for i := range more {
		l = l.with(&more[i])
	}
	return l
}

// words tells each as "redis: timeout".
func (l lacks) words() []string {
	var words []string
	for _, d := range l {
		words = append(words, d.Dependency+": "+d.Reason)
	}
	return words
}

// emit sends each down the caller's stream. A caller who left is noticed by what is emitted next.
func (l lacks) emit(emit Emit) {
	if emit == nil {
		return
	}
	for i := range l {
		if emit(Piece{Degraded: &l[i]}) != nil {
			return
		}
	}
}

// level is the degradation level of WS2 that l amounts to: 3 a breaker is open, 2 a dependency failed, 1 it was
// spared, 0 nothing is lacking.
func (l lacks) level() int {
	level := 0
	for _, d := range l {
		switch d.Reason {
		case string(guard.Open):
			return 3
		case string(guard.Error), string(guard.Timeout):
			level = 2
		default:
			level = max(level, 1)
		}
	}
	return level
}

// Reasons beside guard's results.
const (
	missing = "not configured"
	busy    = "busy"        // the soft limit of turns under way is passed
	legacy  = "legacy mode" // the flag graph-legacy-mode is on
)

func notConfigured(d limits.Dependency) guard.Degraded {
	return guard.Degraded{Zone: d.Zone, Dependency: d.Name, Reason: missing}
}
