package graphtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// group is how many turns materialize commits together.
const group = 64

// BenchmarkWrite writes turns in groups, one op a turn.
func BenchmarkWrite(b *testing.B, store graph.Store) {
	writes := speech(newUser(), b.N)
	b.ReportAllocs()
	b.ResetTimer()
	fill(b, store, writes)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "turns/s")
}

// BenchmarkRecall asks a memory of 5,000 turns.
func BenchmarkRecall(b *testing.B, store graph.Store) {
	writes := speech(newUser(), 5000)
	fill(b, store, writes)
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	for b.Loop() {
		words := strings.Fields(writes[rand.IntN(len(writes))].Turn.Messages[0].Content)
		began := time.Now()
		items, err := store.Recall(b.Context(), graph.Query{User: writes[0].Turn.User, Text: strings.Join(words[:5], " "), Limit: 10})
		if err != nil || len(items) == 0 {
			b.Fatal(items, err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*95/100].Seconds()*1000, "p95-ms")
}

func fill(b *testing.B, store graph.Store, writes []graph.Write) {
	b.Helper()
	for batch := range slices.Chunk(writes, group) {
		if _, err := store.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// speech is sessions of twenty turns, of words so often that a question of five shares one with every sixth turn, as in
// real conversations.
func speech(user string, turns int) []graph.Write {
	source := rand.New(rand.NewPCG(1, 2))
	vocabulary := rand.NewZipf(source, 1.1, 8, 10_000)
	writes := make([]graph.Write, turns)
	for i := range writes {
		words := make([]string, 12)
		for j := range words {
			words[j] = fmt.Sprint("w", vocabulary.Uint64())
		}
		w := said(user, fmt.Sprintf("D%d:%d", i/20, i%20), i, strings.Join(words, " "))
		w.Turn.SessionID = fmt.Sprint(user, " ", i/20)
		w.Mentions = []graph.Entity{{Name: words[0], Kind: graph.Person}, {Name: words[1], Kind: graph.Place}}
		if i%3 == 0 {
			w.Facts = []graph.Fact{likes(words[2]), {Subject: words[0], Relation: "lives_in", Object: words[1], Single: true, Text: words[0] + " lives in " + words[1]}}
		}
		writes[i] = w
	}
	return writes
}
