package trace

import (
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Config is every variable that trace reads.
type Config struct {
	serve.Common

	RedisURL         string `env:"REDIS_URL" doc:"Decision traces and dead letters, shared by all instances: redis://, rediss://, with cluster=true for a cluster. Empty: a file in DATA_DIR, for one instance."`
	DataDir          string `env:"DATA_DIR" envDefault:".aguante" doc:"Folder of trace.db, the file of decision traces and dead letters, used without REDIS_URL."`
	TraceContent     bool   `env:"TRACE_CONTENT" envDefault:"false" doc:"Keep what was said, when a decision trace holds it; otherwise it is dropped on arrival."`
	DeadLetterReplay string `env:"DEAD_LETTER_REPLAY" doc:"URL that replayed dead letters are sent to. Without it: K_SINK."`

	Telemetry *telemetry.Telemetry `env:"-"` // nil: telemetry.Nop()
}
