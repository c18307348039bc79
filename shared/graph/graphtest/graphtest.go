// Package graphtest is what every graph.Store promises, as tests: one subtest a promise.
package graphtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Dumper is a store that can show everything it keeps of a user, one sorted line a thing, with nothing in it that
// depends on when or how often something was written. A store under test has it in a _test.go file.
type Dumper interface {
	Dump(ctx context.Context, user string) ([]string, error)
}

// Run holds the stores that open opens to the promises of graph.Store. They may share their data: every test has users
// of its own.
func Run(t *testing.T, open func(t *testing.T) graph.Store) {
	groups := []struct {
		name     string
		promises []promise
	}{
		{"Write", writing}, {"AnyOrder", anyOrder}, {"Facts", facts}, {"Recall", recalling},
		{"Session", sessions}, {"Forget", forgetting}, {"Limits", limiting},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, p := range g.promises {
				t.Run(p.name, func(t *testing.T) { p.test(&memory{T: t, store: open(t), user: newUser()}) })
			}
		})
	}
}

type promise struct {
	name string
	test func(m *memory)
}

// memory is one user's memory under test.
type memory struct {
	*testing.T
	store graph.Store
	user  string
}

func newUser() string { return "user-" + rand.Text() }

// noon is when the first turn of a test was said.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// said is a turn of m's user, sent when it was said: minutes after noon.
func (m *memory) said(id string, minutes int, text string, facts ...graph.Fact) graph.Write {
	return said(m.user, id, minutes, text, facts...)
}

func said(user, id string, minutes int, text string, facts ...graph.Fact) graph.Write {
	at := noon.Add(time.Duration(minutes) * time.Minute)
	return graph.Write{SentAt: at, Facts: facts, Turn: graph.Turn{ID: id, SessionID: "session of " + user, User: user,
		Messages: []graph.Message{{Role: "user", Content: text, At: at}}}}
}

func (m *memory) write(writes ...graph.Write) []graph.Written {
	m.Helper()
	written, err := m.store.Write(m.Context(), writes)
	m.must(err)
	if len(written) != len(writes) {
		m.Fatalf("%d writes were answered by %d", len(writes), len(written))
	}
	return written
}

func (m *memory) recall(text string) []graph.Item {
	m.Helper()
	return m.ask(graph.Query{User: m.user, Text: text, Limit: 10})
}

func (m *memory) ask(q graph.Query) []graph.Item {
	m.Helper()
	items, err := m.store.Recall(m.Context(), q)
	m.must(err)
	return items
}

func (m *memory) facts() []graph.Fact {
	m.Helper()
	facts, err := m.store.Facts(m.Context(), m.user)
	m.must(err)
	return facts
}

// holding are the objects of the facts that hold, newest first.
func (m *memory) holding() []string {
	m.Helper()
	var objects []string
	for _, f := range m.facts() {
		if f.ValidUntil.IsZero() {
			objects = append(objects, f.Object)
		}
	}
	return objects
}

func (m *memory) session(user, id string, limit int) []graph.Turn {
	m.Helper()
	turns, err := m.store.Session(m.Context(), user, id, limit)
	m.must(err)
	return turns
}

func (m *memory) forget(at time.Time) int {
	m.Helper()
	n, err := m.store.Forget(m.Context(), m.user, at)
	m.must(err)
	return n
}

func (m *memory) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *memory) mustBe(what string, got, want any) {
	m.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		m.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// mustFind checks that text recalls exactly those turns, in any order.
func (m *memory) mustFind(text string, ids ...string) {
	m.Helper()
	found := itemIDs(m.recall(text))
	slices.Sort(found)
	m.mustBe(fmt.Sprintf("%.60q finds", text), found, ids)
}

func (m *memory) mustBeEmpty() {
	m.Helper()
	m.mustBe("facts", m.facts(), []graph.Fact{})
	m.mustBe("session", m.session(m.user, "session of "+m.user, 100), []graph.Turn{})
	m.mustBe("recalled", m.recall("sister lives in Cuenca coffee"), []graph.Item{})
}

func (m *memory) mustBeInvalid(err error) {
	m.Helper()
	if !errors.Is(err, graph.ErrInvalid) {
		m.Errorf("not refused as invalid: %v", err)
	}
}

func itemIDs(items []graph.Item) []string {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.TurnID
	}
	return ids
}

func turnIDs(turns []graph.Turn) []string {
	ids := make([]string, len(turns))
	for i, t := range turns {
		ids[i] = t.ID
	}
	return ids
}
