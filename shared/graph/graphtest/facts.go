package graphtest

import (
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

var facts = []promise{
	{"a fact knows its turn, its words and since when", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")))
		want := lives("Loja")
		want.TurnID, want.ValidFrom = "t1", noon
		m.mustBe("facts", m.facts(), []graph.Fact{want})
	}},
	{"a fact may hold since before it was said", func(m *memory) {
		f := lives("Loja")
		f.ValidFrom = noon.AddDate(-3, 0, 0)
		m.write(m.said("t1", 0, "I have lived in Loja for three years", f))
		m.mustBe("since", m.facts()[0].ValidFrom, f.ValidFrom)
	}},
	{"newest first", func(m *memory) {
		m.write(m.said("t2", 2, "I like tea", likes("tea")), m.said("t1", 1, "I like milk", likes("milk")), m.said("t3", 3, "I like mate", likes("mate")))
		m.mustBe("holding", m.holding(), []string{"mate", "tea", "milk"})
	}},
	{"a later fact of a single-valued relation ends the earlier one and keeps it", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")))
		m.write(m.said("t2", 5, "I live in Quito", lives("Quito")))
		m.mustMove("Loja", "Quito")
	}},
	{"the earlier one may arrive later", func(m *memory) {
		m.write(m.said("t2", 5, "I live in Quito", lives("Quito")))
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")))
		m.mustMove("Loja", "Quito")
	}},
	{"an older fact said later does not end a newer one", func(m *memory) {
		old := lives("Loja")
		old.ValidFrom = noon.AddDate(-3, 0, 0)
		m.write(m.said("t1", 0, "I live in Quito", lives("Quito")), m.said("t2", 5, "I moved to Loja three years ago", old))
		m.mustMove("Loja", "Quito")
	}},
	{"the later words of one turn end the earlier ones", func(m *memory) {
		m.write(m.said("t1", 0, "I lived in Loja, now I live in Quito", lives("Loja"), lives("Quito")))
		m.mustBe("holding", m.holding(), []string{"Quito"})
	}},
	{"relations with many objects keep them", func(m *memory) {
		m.write(m.said("t1", 0, "I like tea and milk", likes("tea"), likes("milk")), m.said("t2", 1, "I like mate", likes("mate")))
		m.mustBe("holding", m.holding(), []string{"mate", "milk", "tea"})
	}},
	{"what is said again is one fact, since the first time", func(m *memory) {
		m.write(m.said("t2", 5, "I live in LOJA", lives("LOJA")), m.said("t1", 0, "I live in Lója", lives("Lója")))
		m.mustBe("facts", len(m.facts()), 1)
		m.mustBe("since", m.facts()[0].ValidFrom, noon)
	}},
	{"who comes back lives there again", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t3", 9, "I live in Loja", lives("Loja")),
			m.said("t2", 5, "I live in Quito", lives("Quito")))
		m.mustBe("facts", len(m.facts()), 3)
		m.mustBe("holding", m.holding(), []string{"Loja"})
		m.mustBe("since", m.facts()[0].ValidFrom, noon.Add(9*time.Minute))
	}},
	{"an ended fact holds until then", func(m *memory) {
		m.write(m.said("t2", 5, "I no longer live in Loja", leaves("Loja")), m.said("t1", 0, "I live in Loja", lives("Loja")))
		m.mustBe("facts", len(m.facts()), 1)
		m.mustBe("until", m.facts()[0].ValidUntil, noon.Add(5*time.Minute))
	}},
	{"the end of another fact ends nothing", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t2", 5, "I no longer live in Quito", leaves("Quito")))
		m.mustBe("holding", m.holding(), []string{"Loja"})
	}},
	{"an end without an object ends whatever held", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t2", 5, "I have no home any more", leaves("")))
		m.mustBe("holding", m.holding(), []string{})
	}},
	{"subjects do not disturb one another", func(m *memory) {
		hers := lives("Cuenca")
		hers.Subject = "Lucía"
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t2", 1, "Lucía lives in Cuenca", hers))
		m.mustBe("holding", m.holding(), []string{"Cuenca", "Loja"})
	}},
	{"users do not disturb one another", func(m *memory) {
		other := &memory{m.T, m.store, newUser()}
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), other.said("t2", 1, "I live in Quito", lives("Quito")))
		m.mustBe("mine", m.holding(), []string{"Loja"})
		m.mustBe("the other's", other.holding(), []string{"Quito"})
	}},
}

func (m *memory) mustMove(from, to string) {
	m.Helper()
	facts := m.facts()
	m.mustBe("facts", len(facts), 2)
	m.mustBe("now", facts[0].Object, to)
	m.mustBe("still", facts[0].ValidUntil, time.Time{})
	m.mustBe("before", facts[1].Object, from)
	m.mustBe("until", facts[1].ValidUntil, facts[0].ValidFrom)
}
