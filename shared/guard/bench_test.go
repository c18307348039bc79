package guard_test

import (
	"context"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/fallback"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/sony/gobreaker/v2"
)

// BenchmarkCall is what a call costs behind nothing, a context's timeout, the guard, gobreaker with a timeout, and
// failsafe-go's own composition of the same policies.
func BenchmarkCall(b *testing.B) {
	ctx := context.Background()
	timed := func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return answers(ctx)
	}
	g := guard.New(limits.Redis, nil)
	sony := gobreaker.NewCircuitBreaker[string](gobreaker.Settings{})
	composed := failsafe.With(
		fallback.NewWithResult("fallback"),
		bulkhead.New[string](500),
		circuitbreaker.NewWithDefaults[string](),
		timeout.New[string](time.Minute))
	ways := []struct {
		name string
		call func() (string, error)
	}{
		{"bare", func() (string, error) { return answers(ctx) }},
		{"context timeout", func() (string, error) { return timed(ctx) }},
		{"guard", func() (string, error) { return guard.Do(ctx, g, answers) }},
		{"gobreaker and timeout", func() (string, error) { return sony.Execute(func() (string, error) { return timed(ctx) }) }},
		{"failsafe-go composed", func() (string, error) {
			return composed.GetWithExecution(func(e failsafe.Execution[string]) (string, error) { return answers(e.Context()) })
		}},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := way.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
