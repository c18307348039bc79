// Package storetest is what every store of trace promises, as tests: one subtest a promise.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
)

// Store keeps traces and letters, and forgets users in both.
type Store interface {
	Traces() decisions.Keeper
	Letters() deadletters.Keeper
	Forget(ctx context.Context, user string, moment time.Time) error
}

type promise struct {
	name string
	test func(t *testing.T, s Store)
}

// Run holds the stores that open opens, empty ones, to their promises.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for name, promises := range map[string][]promise{"Traces": traces, "Letters": letters, "Forget": forgetting} {
		t.Run(name, func(t *testing.T) {
			for _, p := range promises {
				t.Run(p.name, func(t *testing.T) { p.test(t, open(t)) })
			}
		})
	}
}
