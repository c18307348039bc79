package turn_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// BenchmarkTake is a whole turn with an embedded Redis, a graph of 1,000 turns in a file, and the local engine.
func BenchmarkTake(b *testing.B) {
	h := build(b)
	var writes []graph.Write
	for i := range 1000 {
		writes = append(writes, graph.Write{SentAt: time.Now(), Turn: graph.Turn{
			ID: fmt.Sprint(i), SessionID: fmt.Sprint(i / 20), User: "ana",
			Messages: []graph.Message{{Role: "user", Content: fmt.Sprintf("Friend%d moved to Town%d last year.", i%200, i%50), At: time.Now()}},
		}})
	}
	if _, err := h.store.Write(b.Context(), writes); err != nil {
		b.Fatal(err)
	}
	s := h.tell()
	for name, user := range map[string]string{"with memory": "ana", "gateway": ""} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				in := says(user, "Where does Friend7 live?")
				in.Caller.Rate = limits.Rate{PerMinute: 6_000_000, Burst: 1_000_000}
				h.sent.events = h.sent.events[:0]
				if reply, err := s.Take(b.Context(), in, nil); err != nil || reply.Degraded != nil {
					b.Fatal(reply.Degraded, err)
				}
			}
		})
	}
}
