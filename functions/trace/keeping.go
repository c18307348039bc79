package trace

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store/redis"
	"github.com/aguante-chat/aguante/functions/trace/internal/store/sqlite"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// keeping is where trace keeps what it is told: a file of its own, or a Redis that all instances share (docs/adr/0003).
type keeping interface {
	Traces() decisions.Keeper
	Letters() deadletters.Keeper
	// Forget erases a user's traces and the dead letters that hold their data, up to a moment, and what comes of it later.
	Forget(ctx context.Context, user string, moment time.Time) error
	Status() guard.Status
	Fault() error
	Close() error
}

// open returns the one that c names, without touching it.
func open(ctx context.Context, c Config, t *telemetry.Telemetry) (keeping, error) {
	if c.RedisURL != "" {
		return redis.New(ctx, c.RedisURL, redis.Dependency, t, t.Log)
	}
	return sqlite.New(ctx, filepath.Join(cmp.Or(c.DataDir, ".aguante"), "trace.db"), t, t.Log), nil
}
