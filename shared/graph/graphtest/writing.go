package graphtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

var writing = []promise{
	{"a turn is told back as it was said", func(m *memory) {
		w := m.said("t1", 0, "my sister Lucía lives in Cuenca")
		w.Turn.Engine = "local"
		w.Turn.Messages[0].Name = "Ana"
		w.Turn.Messages = append(w.Turn.Messages, graph.Message{Role: "assistant", Content: "\"¡Qué bien!\" 😀\n\tline two", At: noon.Add(time.Second)})
		w.Mentions = []graph.Entity{{Name: "Lucía", Kind: graph.Person}, {Name: "Cuenca", Kind: graph.Place}}
		m.mustBe("written", m.write(w), []graph.Written{{TurnID: "t1"}})
		m.mustBe("session", m.session(m.user, w.Turn.SessionID, 10), []graph.Turn{w.Turn})
	}},
	{"a write that comes again is a duplicate", func(m *memory) {
		w := m.said("t1", 0, "my sister lives in Cuenca", lives("Cuenca"))
		m.write(w)
		m.mustBe("again", m.write(w, w), []graph.Written{{TurnID: "t1", Duplicate: true}, {TurnID: "t1", Duplicate: true}})
		m.mustFind("sister", "t1")
		m.mustBe("holding", m.holding(), []string{"Cuenca"})
	}},
	{"one batch may hold a turn twice", func(m *memory) {
		w := m.said("t1", 0, "my sister lives in Cuenca", lives("Cuenca"))
		m.mustBe("written", m.write(w, w), []graph.Written{{TurnID: "t1"}, {TurnID: "t1", Duplicate: true}})
		m.mustFind("sister", "t1")
	}},
	{"a turn id is its user's own", func(m *memory) {
		other := &memory{m.T, m.store, newUser()}
		m.mustBe("written", m.write(m.said("t1", 0, "I drink coffee"), other.said("t1", 0, "I drink tea")),
			[]graph.Written{{TurnID: "t1"}, {TurnID: "t1"}})
		m.mustBe("mine", m.recall("drink")[0].Text, "I drink coffee")
		m.mustBe("the other's", other.recall("drink")[0].Text, "I drink tea")
	}},
	{"of two turns with one id the one sent later stays", func(m *memory) {
		first, second := m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t1", 1, "I live in Quito", lives("Quito"))
		m.write(first)
		m.mustBe("corrected", m.write(second), []graph.Written{{TurnID: "t1"}})
		m.mustBe("late", m.write(first), []graph.Written{{TurnID: "t1", Duplicate: true}})
		m.mustFind("Loja")
		m.mustFind("Quito", "t1")
		m.mustBe("holding", m.holding(), []string{"Quito"})
		m.mustBe("session", turnIDs(m.session(m.user, first.Turn.SessionID, 10)), []string{"t1"})
	}},
	{"a batch is written whole or not at all", func(m *memory) {
		bad := m.said("", 1, "no id")
		_, err := m.store.Write(m.Context(), []graph.Write{m.said("t1", 0, "my sister lives in Cuenca", lives("Cuenca")), bad})
		m.mustBeInvalid(err)
		m.mustBeEmpty()
	}},
	{"an empty batch is no error", func(m *memory) { m.write() }},
	{"what can never be written is invalid", testInvalid},
	{"broken text is mended, not refused", func(m *memory) {
		w := m.said("t1", 0, "coffee \xff\xfe with\x00milk", graph.Fact{Subject: graph.Self, Relation: "likes", Object: "caf\xe9", Text: "\xff"})
		w.Turn.Engine, w.Turn.Messages[0].Name = "\xc0", "An\xe1"
		w.Mentions = []graph.Entity{{Name: "caf\xe9", Kind: graph.Thing}}
		m.write(w)
		m.mustFind("coffee", "t1")
		m.mustBe("holding", m.holding(), []string{"caf\uFFFD"})
		m.mustBe("said", m.session(m.user, w.Turn.SessionID, 1)[0].Messages[0].Content, "coffee \uFFFD with\x00milk")
	}},
	{"writers at the same time do not undo one another", testTogether},
	{"nor do they wait for one another in a circle", testManyTogether},
}

func testInvalid(m *memory) {
	long := strings.Repeat("x", limits.MaxID+1)
	name := strings.Repeat("x", graph.MaxName+1)
	for fault, spoil := range map[string]func(w *graph.Write){
		"no user":            func(w *graph.Write) { w.Turn.User = "" },
		"long user":          func(w *graph.Write) { w.Turn.User = long },
		"no turn id":         func(w *graph.Write) { w.Turn.ID = "" },
		"long turn id":       func(w *graph.Write) { w.Turn.ID = long },
		"NUL in turn id":     func(w *graph.Write) { w.Turn.ID = "a\x00b" },
		"broken turn id":     func(w *graph.Write) { w.Turn.ID = "a\xffb" },
		"no session":         func(w *graph.Write) { w.Turn.SessionID = "" },
		"long session":       func(w *graph.Write) { w.Turn.SessionID = long },
		"no messages":        func(w *graph.Write) { w.Turn.Messages = nil },
		"no time":            func(w *graph.Write) { w.Turn.Messages[0].At = time.Time{} },
		"fact of nobody":     func(w *graph.Write) { w.Facts = []graph.Fact{{Relation: "likes", Object: "tea"}} },
		"fact of nothing":    func(w *graph.Write) { w.Facts = []graph.Fact{{Subject: graph.Self, Relation: "likes"}} },
		"long object":        func(w *graph.Write) { w.Facts = []graph.Fact{{Subject: graph.Self, Relation: "likes", Object: name}} },
		"mention of nothing": func(w *graph.Write) { w.Mentions = []graph.Entity{{Kind: graph.Person}} },
		"long mention":       func(w *graph.Write) { w.Mentions = []graph.Entity{{Name: name, Kind: graph.Person}} },
	} {
		w := m.said("t1", 0, "my sister lives in Cuenca")
		spoil(&w)
		_, err := m.store.Write(m.Context(), []graph.Write{w})
		if err == nil {
			m.Error(fault, "was written")
			continue
		}
		m.mustBeInvalid(err)
	}
	m.mustBeEmpty()
}

// testTogether writes the same moves of one subject, some twice, from several goroutines.
func testTogether(m *memory) {
	cities := []string{"Loja", "Quito", "Cuenca", "Ambato", "Manta", "Ibarra", "Tena", "Puyo", "Macas", "Zaruma"}
	var group sync.WaitGroup
	for writer := range 4 {
		group.Go(func() {
			for i := range cities {
				city := cities[(i+writer*3)%len(cities)]
				if writer%2 == 0 || i%2 == 0 {
					w := m.said("moved to "+city, (i+writer*3)%len(cities), "I live in "+city, lives(city))
					if _, err := m.store.Write(m.Context(), []graph.Write{w}); err != nil {
						m.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	m.mustBe("holding", m.holding(), []string{"Zaruma"})
	facts := m.facts()
	m.mustBe("facts", len(facts), len(cities))
	for i := 1; i < len(facts); i++ {
		m.mustBe(facts[i].Object+" held until", facts[i].ValidUntil, facts[i-1].ValidFrom)
	}
}

// testManyTogether writes batches of the same users from several goroutines, each in an order of its own, and forgets some.
func testManyTogether(m *memory) {
	const users, writers, rounds = 6, 4, 8
	all := make([]*memory, users)
	for i := range all {
		all[i] = &memory{m.T, m.store, newUser()}
	}
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for round := range rounds {
				var batch []graph.Write
				for _, i := range rand.Perm(users) {
					id := fmt.Sprintf("%d of %d", round, writer)
					batch = append(batch, all[i].said(id, 10+round, "I like coffee and tea", likes("coffee"), likes("tea"), lives(fmt.Sprint("city ", round))))
				}
				if _, err := m.store.Write(m.Context(), batch); err != nil {
					m.Error(err)
				}
				if _, err := m.store.Forget(m.Context(), all[round%users].user, noon); err != nil {
					m.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, u := range all {
		m.mustBe("turns", len(u.told(1000)), writers*rounds)
		m.mustBe("holding", len(u.holding()), 3)
	}
}

func lives(city string) graph.Fact {
	return graph.Fact{Subject: graph.Self, Relation: "lives_in", Object: city, Single: true, Text: "I live in " + city}
}

func leaves(city string) graph.Fact {
	f := lives(city)
	f.Ended, f.Text = true, "I no longer live in "+city
	return f
}

func likes(what string) graph.Fact {
	return graph.Fact{Subject: graph.Self, Relation: "likes", Object: what, Text: "I like " + what}
}
