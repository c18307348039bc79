package chain_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkAnswer is what a call of the chain costs beside asking the engine directly, with the engine in this process.
func BenchmarkAnswer(b *testing.B) {
	s := newScripted(b, answerWhole)
	b.Run("chain", func(b *testing.B) {
		c := open(b, entry("first", s.URL, "    model: m"))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Answer(b.Context(), hello(), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			q, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, s.URL, strings.NewReader("{}"))
			a, err := s.Client().Do(q)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, a.Body)
			a.Body.Close()
		}
	})
}
