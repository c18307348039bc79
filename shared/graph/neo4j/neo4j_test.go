package neo4j_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/graphtest"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("rapid.checks", "20"); err != nil { // each is some thirty calls of a server
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	graphtest.Run(t, func(t *testing.T) graph.Store { return open(t) })
}

// open opens the server that the tests are given, which others may use at the same time.
func open(t testing.TB) *neo4j.Store {
	t.Helper()
	uri := os.Getenv("AGUANTE_TEST_NEO4J_URI")
	if uri == "" {
		t.Skip("AGUANTE_TEST_NEO4J_URI names no server; make test starts one")
	}
	s, err := neo4j.Open(t.Context(), neo4j.Config{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func BenchmarkWrite(b *testing.B) { graphtest.BenchmarkWrite(b, open(b)) }

func BenchmarkRecall(b *testing.B) { graphtest.BenchmarkRecall(b, open(b)) }
