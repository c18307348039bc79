package graphtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/shared/graph"
)

var anyOrder = []promise{
	{"the same calls in any order, batches and number leave the same graph", testAnyOrder},
}

// call is a Write or, without a turn, a Forget.
type call struct {
	user  int // 0 or 1
	write graph.Write
	at    time.Time
}

func testAnyOrder(m *memory) {
	rapid.Check(m.T, func(t *rapid.T) {
		turns := rapid.SliceOfN(rapid.Custom(drawTurn), 1, 6).Draw(t, "turns")
		calls := rapid.SliceOfN(rapid.Custom(drawCall(turns)), 1, 12).Draw(t, "calls")
		again := rapid.SliceOfN(rapid.SampledFrom(calls), 0, 4).Draw(t, "again")
		shuffled := rapid.Permutation(slices.Concat(calls, again)).Draw(t, "shuffled")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 5), len(shuffled), len(shuffled)).Draw(t, "batches")
		plain, other := m.apply(calls, slices.Repeat([]int{1}, len(calls))), m.apply(shuffled, sizes)
		if plain != other {
			t.Fatalf("one by one:\n%s\nshuffled, in batches of %v:\n%s", plain, sizes, other)
		}
	})
}

func minutes(t *rapid.T, what string) time.Time {
	return noon.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, what)) * time.Minute)
}

// drawCall draws a Forget or a Write of one of the turns, which so is sent more than once.
func drawCall(turns []graph.Write) func(t *rapid.T) call {
	return func(t *rapid.T) call {
		c := call{user: rapid.IntRange(0, 1).Draw(t, "user")}
		if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
			c.at = minutes(t, "forgotten at")
			return c
		}
		c.write = rapid.SampledFrom(turns).Draw(t, "turn")
		c.write.SentAt = minutes(t, "sent at")
		return c
	}
}

var cities = rapid.SampledFrom([]string{"Loja", "Quito", "Cuenca"})

// drawTurn draws a turn of nobody yet, some of which share an id.
func drawTurn(t *rapid.T) graph.Write {
	text := fmt.Sprintf("%s and %s", cities.Draw(t, "said"), cities.Draw(t, "said"))
	w := said("", fmt.Sprint("t", rapid.IntRange(1, 5).Draw(t, "id")), rapid.IntRange(0, 6).Draw(t, "said at"), text,
		rapid.SliceOfN(rapid.Custom(drawFact), 0, 3).Draw(t, "facts")...)
	w.Turn.SessionID = fmt.Sprint("s", rapid.IntRange(1, 2).Draw(t, "session"))
	for range rapid.IntRange(0, 2).Draw(t, "mentions") {
		w.Mentions = append(w.Mentions, graph.Entity{Name: cities.Draw(t, "mention"), Kind: graph.Place})
	}
	return w
}

func drawFact(t *rapid.T) graph.Fact {
	city := cities.Draw(t, "city")
	f := rapid.SampledFrom([]graph.Fact{lives(city), lives(city), leaves(city), leaves(""), likes(city)}).Draw(t, "fact")
	if rapid.Bool().Draw(t, "dated") {
		f.ValidFrom = minutes(t, "since")
	}
	return f
}

// apply makes the calls for users of their own, adjacent writes in batches of those sizes, and shows what is left.
func (m *memory) apply(calls []call, sizes []int) string {
	users := []string{newUser(), newUser()}
	var batch []graph.Write
	flush := func() {
		m.write(batch...)
		batch = nil
	}
	for i, c := range calls {
		if !c.at.IsZero() {
			flush()
			(&memory{m.T, m.store, users[c.user]}).forget(c.at)
			continue
		}
		c.write.Turn.User = users[c.user]
		if batch = append(batch, c.write); len(batch) >= sizes[i] {
			flush()
		}
	}
	flush()
	var all []string
	for _, user := range users {
		all = append(all, (&memory{m.T, m.store, user}).show()...)
	}
	return strings.NewReplacer(users[0], "ana", users[1], "ben").Replace(strings.Join(all, "\n"))
}

// show is all that a store tells of a user.
func (m *memory) show() []string {
	var all []string
	for _, session := range []string{"s1", "s2"} {
		all = append(all, fmt.Sprintf("%s: %+v", session, m.session(m.user, session, 100)))
	}
	for _, f := range m.facts() {
		all = append(all, fmt.Sprintf("fact: %+v", f))
	}
	for _, item := range m.recall("Loja or Quito, I live") {
		item.Fact = nil
		all = append(all, fmt.Sprintf("recalled: %+v", item))
	}
	if d, ok := m.store.(Dumper); ok {
		lines, err := d.Dump(m.Context(), m.user)
		m.must(err)
		all = append(all, lines...)
	}
	return all
}
