package graphtest

import (
	"github.com/aguante-chat/aguante/shared/graph"
)

var sessions = []promise{
	{"turns are told oldest first, however they arrived", func(m *memory) {
		m.write(m.said("c", 2, "third"), m.said("a", 0, "first"))
		m.write(m.said("b", 1, "second"))
		m.mustBe("order", m.told(10), []string{"a", "b", "c"})
	}},
	{"turns of one time are in the order of the numbers in their ids", func(m *memory) {
		m.write(m.said("D3:10", 0, "third"), m.said("D3:2", 0, "first"), m.said("D10:1", 0, "last"), m.said("D3:9", 0, "second"))
		m.mustBe("order", m.told(10), []string{"D3:2", "D3:9", "D3:10", "D10:1"})
	}},
	{"a limit leaves the last ones", func(m *memory) {
		m.write(m.said("a", 0, "first"), m.said("b", 1, "second"), m.said("c", 2, "third"))
		m.mustBe("order", m.told(2), []string{"b", "c"})
		m.mustBe("none", m.told(0), []string{})
		m.mustBe("fewer than none", m.told(-1), []string{})
	}},
	{"sessions are kept apart", func(m *memory) {
		elsewhere := m.said("b", 1, "elsewhere")
		elsewhere.Turn.SessionID = "another session of " + m.user
		m.write(m.said("a", 0, "here"), elsewhere)
		m.mustBe("here", m.told(10), []string{"a"})
		m.mustBe("elsewhere", turnIDs(m.session(m.user, elsewhere.Turn.SessionID, 10)), []string{"b"})
	}},
	{"without a user a session is told whoever had it", func(m *memory) {
		m.write(m.said("a", 0, "first"))
		turns := m.session("", "session of "+m.user, 10)
		m.mustBe("turns", turnIDs(turns), []string{"a"})
		m.mustBe("user", turns[0].User, m.user)
	}},
	{"another user's session is not told", func(m *memory) {
		m.write(m.said("a", 0, "first"))
		m.mustBe("turns", m.session(newUser(), "session of "+m.user, 10), []graph.Turn{})
	}},
	{"a session that never was has no turns", func(m *memory) {
		m.mustBe("turns", m.session("", "never "+m.user, 10), []graph.Turn{})
	}},
}

func (m *memory) told(limit int) []string {
	m.Helper()
	return turnIDs(m.session(m.user, "session of "+m.user, limit))
}
