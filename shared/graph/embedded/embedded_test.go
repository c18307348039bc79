package embedded_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
	"github.com/aguante-chat/aguante/shared/graph/graphtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	graphtest.Run(t, func(t *testing.T) graph.Store { return open(t, filepath.Join(t.TempDir(), "graph.db")) })
}

func open(t testing.TB, path string) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(t.Context(), path)
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

func BenchmarkWrite(b *testing.B) {
	graphtest.BenchmarkWrite(b, open(b, filepath.Join(b.TempDir(), "graph.db")))
}

func BenchmarkRecall(b *testing.B) {
	graphtest.BenchmarkRecall(b, open(b, filepath.Join(b.TempDir(), "graph.db")))
}
