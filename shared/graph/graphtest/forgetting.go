package graphtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

var forgetting = []promise{
	{"nothing of a forgotten user is left", func(m *memory) {
		m.write(m.said("t1", 0, "my sister lives in Cuenca", lives("Cuenca")), m.said("t2", 1, "I like coffee", likes("coffee")))
		m.mustBe("turns forgotten", m.forget(noon.Add(time.Hour)), 2)
		m.mustBeEmpty()
		m.mustBe("again", m.forget(noon.Add(time.Hour)), 0)
		if d, ok := m.store.(Dumper); ok {
			lines, err := d.Dump(m.Context(), m.user)
			m.must(err)
			for _, trace := range []string{m.user, "uenca", "offee"} {
				if left := strings.Join(lines, "\n"); strings.Contains(left, trace) {
					m.Errorf("%q is left:\n%s", trace, left)
				}
			}
		}
	}},
	{"who was never known can be forgotten", func(m *memory) {
		m.mustBe("turns forgotten", m.forget(noon), 0)
	}},
	{"what was sent before does not come back", func(m *memory) {
		w := m.said("t1", 0, "my sister lives in Cuenca", lives("Cuenca"))
		m.write(w)
		m.forget(noon.Add(time.Hour))
		m.mustBe("delivered again", m.write(w), []graph.Written{{TurnID: "t1", Forgotten: true}})
		m.mustBeEmpty()
	}},
	{"an earlier forgetting takes nothing back", func(m *memory) {
		m.forget(noon.Add(time.Hour))
		m.forget(noon.Add(-time.Hour))
		m.mustBe("delivered late", m.write(m.said("t1", 0, "my sister lives in Cuenca")), []graph.Written{{TurnID: "t1", Forgotten: true}})
		m.mustBeEmpty()
	}},
	{"what is sent after is remembered", func(m *memory) {
		m.forget(noon)
		m.mustBe("at that very time", m.write(m.said("t1", 0, "I live in Loja")), []graph.Written{{TurnID: "t1", Forgotten: true}})
		m.mustBe("after", m.write(m.said("t2", 1, "I live in Quito", lives("Quito"))), []graph.Written{{TurnID: "t2"}})
		m.mustFind("live", "t2")
	}},
	{"what was sent after stays when the forgetting arrives late", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t3", 9, "I live in Quito", lives("Quito")),
			m.said("t2", 5, "I no longer live in Loja", leaves("Loja")))
		m.mustBe("turns forgotten", m.forget(noon.Add(5*time.Minute)), 2)
		m.mustFind("live", "t3")
		m.mustBe("facts", len(m.facts()), 1)
		m.mustBe("holding", m.holding(), []string{"Quito"})
	}},
	{"what a forgotten turn had ended holds again", func(m *memory) {
		late := m.said("t1", 9, "I live in Loja", lives("Loja"))
		late.Turn.Messages[0].At = noon
		m.write(late, m.said("t2", 5, "I live in Quito", lives("Quito")))
		m.mustBe("before", m.holding(), []string{"Quito"})
		m.forget(noon.Add(5 * time.Minute))
		m.mustBe("after", m.holding(), []string{"Loja"})
	}},
	{"a long memory is forgotten whole", func(m *memory) {
		writes := make([]graph.Write, 2*graph.MaxErased+1)
		for i := range writes {
			writes[i] = m.said(fmt.Sprint("t", i), i, "coffee")
		}
		m.write(writes...)
		m.mustBe("turns forgotten", m.forget(noon.AddDate(1, 0, 0)), len(writes))
		m.mustBeEmpty()
	}},
	{"other users keep their memory", func(m *memory) {
		other := &memory{m.T, m.store, newUser()}
		m.write(m.said("t1", 0, "my sister lives in Cuenca"), other.said("t1", 0, "my sister lives in Cuenca", lives("Cuenca")))
		m.forget(noon.Add(time.Hour))
		m.mustBeEmpty()
		other.mustFind("sister", "t1")
		m.mustBe("facts", other.holding(), []string{"Cuenca"})
	}},
}
