package trace

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/redistest"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// BenchmarkAccept takes turn.decided events through the whole handler into each store, with 1 to 100 senders at once. It
// gives events a second and the 99th percentile of one, which the figures want under 100 ms (DecisionTrace write p99).
func BenchmarkAccept(b *testing.B) {
	b.Run("file", func(b *testing.B) { benchmarkAccept(b, Config{DataDir: b.TempDir()}) })
	b.Run("redis", func(b *testing.B) { benchmarkAccept(b, Config{RedisURL: redistest.Start(b).URL()}) })
}

func benchmarkAccept(b *testing.B, c Config) {
	c.Telemetry = telemetry.Nop()
	for _, senders := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			f, err := New(b.Context(), c)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close(b.Context())
			took, first := make([]time.Duration, b.N), rand.Text() // no turn comes twice
			var next atomic.Int64
			var group sync.WaitGroup
			b.ResetTimer()
			for range senders {
				group.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						took[i] = accept(b, f.Handler, fmt.Sprint(first, i))
					}
				})
			}
			group.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

func accept(b *testing.B, h http.Handler, id string) time.Duration {
	body, err := json.Marshal(turn(id, "ana", today))
	if err != nil {
		b.Error(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
	for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0",
		"Ce-Type": event.TurnDecided, "Ce-Source": "/test", "Ce-Id": id} {
		request.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	began := time.Now()
	h.ServeHTTP(answer, request)
	if answer.Code != http.StatusAccepted {
		b.Errorf("%d %s", answer.Code, answer.Body)
	}
	return time.Since(began)
}
