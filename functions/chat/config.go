package chat

import (
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Config is everything that chat is told. Every variable may be left out: chat then runs on what its process holds.
type Config struct {
	serve.Common

	RedisURL string `env:"REDIS_URL" doc:"Sessions, rate limits and the outbox: redis://, rediss://, with cluster=true for a cluster. Empty: no history, and limits of this instance alone."`

	Neo4jURI      string `env:"NEO4J_URI" doc:"The memory graph: bolt://, neo4j://, neo4j+s://. Empty: the embedded graph of DATA_DIR, if that is set."`
	Neo4jUsername string `env:"NEO4J_USERNAME" envDefault:"neo4j" doc:"User name for NEO4J_URI."`
	Neo4jPassword string `env:"NEO4J_PASSWORD" doc:"Password for NEO4J_URI."`
	DataDir       string `env:"DATA_DIR" doc:"Directory of the embedded graph, used without NEO4J_URI. Empty: no graph, chat answers without memory."`

	EnginesFile string `env:"ENGINES_FILE" doc:"YAML file with the chain of engines, read again when it changes. Empty: the local engine alone."`
	KeysFile    string `env:"KEYS_FILE" doc:"YAML file with hashed API keys, read again when it changes. Empty: every caller is anonymous."`

	PolicyFile string `env:"POLICY_FILE" doc:"YAML file with what messages may hold and what is done about prompt injections, read again when it changes. Empty: no rules for messages; what looks twice like an injection is refused."`

	LimitsFile string `env:"LIMITS_FILE" doc:"YAML file with rate limits and what engines may cost, read again when it changes. Empty, or not said there: the usual limits."`

	TrustedProxies []string `env:"TRUSTED_PROXIES" doc:"Networks in CIDR form whose X-Forwarded-For is believed, for the rate limit of anonymous callers. Empty: the address of the connection counts."`

	MaterializeURL string `env:"MATERIALIZE_URL" doc:"Where turns are handed to materialize directly while the broker is down."`
	TraceURL       string `env:"TRACE_URL" doc:"Base URL of the trace console as browsers reach it; the chat page links to it."`
	TraceContent   bool   `env:"TRACE_CONTENT" envDefault:"false" doc:"Decision traces hold what was said."`
	Replicas       int    `env:"REPLICAS" envDefault:"2" doc:"Instances that share a rate limit while Redis is down and the flag rate-limit-strict is on."`

	// Seams for who runs chat inside a process of their own.
	Telemetry *telemetry.Telemetry `env:"-"` // nil: discarded
	Getenv    func(string) string  `env:"-"` // gives the engines' keys by the names in ENGINES_FILE; nil: there are none
	Graph     graph.Store          `env:"-"` // instead of NEO4J_URI and DATA_DIR; closed by its owner
	Strict    bool                 `env:"-"` // a file that is bad is an error of New, also one that chat can do without
}
