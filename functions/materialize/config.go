package materialize

import (
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Config is every variable that materialize reads.
type Config struct {
	serve.Common

	Neo4jURI      string `env:"NEO4J_URI" doc:"The memory graph: bolt://, neo4j://, neo4j+s://. Empty: the embedded graph of DATA_DIR."`
	Neo4jUsername string `env:"NEO4J_USERNAME" envDefault:"neo4j" doc:"User name for NEO4J_URI."`
	Neo4jPassword string `env:"NEO4J_PASSWORD" doc:"Password for NEO4J_URI."`
	DataDir       string `env:"DATA_DIR" envDefault:".aguante" doc:"Directory of the embedded graph, used without NEO4J_URI."`

	// Seams for who runs materialize inside a process of their own.
	Telemetry *telemetry.Telemetry `env:"-"` // nil: discarded
	Graph     graph.Store          `env:"-"` // instead of NEO4J_URI and DATA_DIR; closed by its owner
	Strict    bool                 `env:"-"` // a flags file that is bad is an error of New
	Memory    limits.Level         `env:"-"` // what the process may have; zero: limits.WorkerMemory
}
