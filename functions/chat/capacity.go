package chat

import (
	"context"

	"github.com/aguante-chat/aguante/functions/chat/internal/capacity"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// newCapacity is what there is room for in this process. What is made later is told to it before it runs.
func newCapacity(t *telemetry.Telemetry) *capacity.Capacity {
	return capacity.New(capacity.Config{
		Adaptive: guard.NewAdaptive(limits.AdaptiveChats), Memory: serve.NewMemory(limits.ChatMemory).Used,
		Level: t.Metrics.DegradationLevel, Log: t.Log,
	})
}

// deferred has the outbox wait while those who would take its turns are busy. Only while there is something in it are
// they asked: else none of them might be running, and none has to be woken.
func (w *wiring) deferred() func() bool {
	w.capacity.Backlog = w.store.Waiting
	if w.MaterializeURL != "" {
		workers := capacity.NewWorkers(w.MaterializeURL, guard.New(limits.Workers, w.Telemetry))
		w.capacity.Workers = workers.Busy
		w.onClose(func(context.Context) error { workers.Close(); return nil })
	}
	return func() bool { return w.capacity.Now().Has(capacity.DeferWork) }
}
