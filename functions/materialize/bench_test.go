package materialize_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
)

func FuzzEvent(f *testing.F) {
	f.Add(turn("ana", "t1", "My sister Lucía lives in Cuenca."))
	f.Add(envelope(event.UserForgotten, "f", 0, `{"user":"ana"}`))
	f.Add(`{"specversion":"1.0"`)
	store, err := embedded.Open(context.Background(), filepath.Join(f.TempDir(), "graph.db"))
	if err != nil {
		f.Fatal(err)
	}
	h := open(f, store)
	f.Cleanup(func() { _ = store.Close() })
	f.Fuzz(func(t *testing.T, body string) {
		if answer := post(h, body); answer.StatusCode >= 500 {
			t.Errorf("%d for %q", answer.StatusCode, body)
		}
	})
}

// conversation is the n-th turn of a long talk that says something new each time.
func conversation(user string, n int64) string {
	return turn(user, fmt.Sprint(n), fmt.Sprintf("My colleague Ana%d lives in Cuenca and works as a nurse. We went to the beach on Sunday, and the kids loved it!", n))
}

// BenchmarkMaterialize is events through the handler into a store, 64 senders at once, as a broker delivers them.
func BenchmarkMaterialize(b *testing.B) {
	for name, store := range stores(b) {
		b.Run(name, func(b *testing.B) {
			h := open(b, store)
			user := "bench-" + rand.Text()
			var n atomic.Int64
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if answer := post(h, conversation(user, n.Add(1))); answer.StatusCode != http.StatusOK {
						b.Errorf("answered %d", answer.StatusCode)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "turns/s")
		})
	}
}
