package graphtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

var recalling = []promise{
	{"a turn is found by its words", func(m *memory) {
		m.write(m.said("t1", 0, "my sister Lucía lives in Cuenca"), m.said("t2", 1, "the train to Guayaquil was late"))
		item := m.recall("who lives in Cuenca?")[0]
		m.mustBe("best", item.TurnID, "t1")
		m.mustBe("text", item.Text, "my sister Lucía lives in Cuenca")
		m.mustBe("role", item.Role, "user")
		m.mustBe("session", item.SessionID, "session of "+m.user)
		m.mustBe("at", item.At, noon)
	}},
	{"by another form of a word", func(m *memory) {
		m.write(m.said("t1", 0, "I was painting the kitchen"), m.said("t2", 1, "the train was late"))
		m.mustBe("best", m.recall("what did I paint")[0].TurnID, "t1")
	}},
	{"without regard to case and diacritics", func(m *memory) {
		m.write(m.said("t1", 0, "my sister LUCÍA called"))
		m.mustFind("lucia", "t1")
		m.mustFind("LÚCIA", "t1")
	}},
	{"by who spoke", func(m *memory) {
		w := m.said("t1", 0, "I had a wonderful time")
		w.Turn.Messages[0].Name = "Melanie"
		m.write(w, m.said("t2", 1, "the train was late"))
		m.mustBe("best", m.recall("how was it for Melanie")[0].TurnID, "t1")
		m.mustBe("speaker", m.recall("Melanie")[0].Speaker, "Melanie")
	}},
	{"by the words of the answer too", func(m *memory) {
		w := m.said("t1", 0, "which trains are there?")
		w.Turn.Messages = append(w.Turn.Messages, graph.Message{Role: "assistant", Content: "One to Riobamba", At: noon})
		m.write(w)
		m.mustFind("Riobamba", "t1")
	}},
	{"what shares no word is not found", func(m *memory) {
		m.write(m.said("t1", 0, "my sister lives in Cuenca"))
		m.mustFind("volcano")
	}},
	{"nothing asked, nothing found", func(m *memory) {
		m.write(m.said("t1", 0, "my sister lives in Cuenca"))
		for _, text := range []string{"", " ", "?!", "the of and"} {
			m.mustFind(text)
		}
	}},
	{"what is asked of everything finds the newest, those first that state what holds", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t2", 1, "I live in Quito", lives("Quito")),
			m.said("t3", 2, "what a day"), m.said("t4", 3, "What do you know about me?"))
		for _, text := range []string{"What do you know about me?", "tell me about myself", "What did I tell you?", "Who am I?",
			"do you remember me?", "¿Qué sabes de mí?"} {
			m.mustBe(text, itemIDs(m.recall(text)), []string{"t2", "t3", "t1", "t4"})
		}
		m.mustBe("newest", itemIDs(m.ask(graph.Query{User: m.user, Text: "tell me about me", Limit: 1})), []string{"t2"})
	}},
	{"who never said anything has nothing to recall", func(m *memory) { m.mustFind("sister") }},
	{"other users' turns are never found", testOthers},
	{"at most as many items as asked for, each turn once", func(m *memory) {
		var writes []graph.Write
		for i := range 60 {
			writes = append(writes, m.said(fmt.Sprint("t", i), i, fmt.Sprint("coffee coffee and more coffee of cup ", i)))
		}
		m.write(writes...)
		for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 7: 7, graph.MaxItems: graph.MaxItems, 1000: graph.MaxItems} {
			ids := itemIDs(m.ask(graph.Query{User: m.user, Text: "coffee", Limit: limit}))
			slices.Sort(ids)
			m.mustBe(fmt.Sprint("items of ", limit), len(slices.Compact(ids)), want)
		}
	}},
	{"a question that is asked again and again leaves room for what answers it", func(m *memory) {
		m.write(m.said("t0", 0, "my sister Lucía lives in Cuenca"))
		for i := range 12 {
			m.write(m.said(fmt.Sprint("again", i), 1+i, []string{"Where does my sister live?", " where does  my sister LIVE?"}[i%2]))
		}
		ids := itemIDs(m.ask(graph.Query{User: m.user, Text: "Where does my sister live?", Limit: 10}))
		m.mustBe("places", len(ids), 2)
		m.mustBe("the answer has one", slices.Contains(ids, "t0"), true)
	}},
	{"so does one that is asked in other words each time", func(m *memory) {
		m.write(m.said("t0", 0, "My sister Lucía lives in Cuenca."))
		for i, question := range []string{
			"What do you know about my sister?", "Do you remember my sister?", "My sister lives where?", "Is my sister well?",
			"¿Where is my sister?", "How is my sister?", "My sister?", "And my sister, where does she live?", "Who is my sister?",
			"Where does my sister live, again?", "Does my sister live here?", "Is that where my sister lives?",
		} {
			m.write(m.said(fmt.Sprint("asked", i), 1+i, question))
		}
		ids := itemIDs(m.ask(graph.Query{User: m.user, Text: "What about my sister, where does she live?", Limit: 3}))
		m.mustBe("the answer is among the first three", slices.Contains(ids, "t0"), true)
	}},
	{"what is asked of everything is not answered by itself again and again", func(m *memory) {
		m.write(m.said("t0", 0, "what a day"))
		for i := range 12 {
			m.write(m.said(fmt.Sprint("again", i), 1+i, "What do you know about me?"))
		}
		m.mustBe("found", itemIDs(m.ask(graph.Query{User: m.user, Text: "What do you know about me?", Limit: 10})), []string{"t0", "again11"})
	}},
	{"scores are from 0 to 1 and fall", func(m *memory) {
		m.write(m.said("t1", 0, "coffee"), m.said("t2", 1, "coffee with milk and the train to Guayaquil"))
		last := 1.0
		for _, item := range m.recall("coffee with sugar") {
			if item.Score > last || item.Score < 0 {
				m.Errorf("%s scores %v after %v", item.TurnID, item.Score, last)
			}
			last = item.Score
		}
	}},
	{"a fact comes with the turn it was drawn from", func(m *memory) {
		m.write(m.said("t1", 0, "by the way I live in Loja", lives("Loja")))
		if fact := m.recall("Loja")[0].Fact; fact == nil || fact.Text != "I live in Loja" || fact.TurnID != "t1" || !fact.ValidFrom.Equal(noon) {
			m.Errorf("fact of the turn: %+v", fact)
		}
	}},
	{"a fact that has ended does not", func(m *memory) {
		m.write(m.said("t1", 0, "I live in Loja", lives("Loja")), m.said("t2", 1, "I live in Quito", lives("Quito")))
		for _, item := range m.recall("where do I live") {
			if item.TurnID == "t1" && item.Fact != nil {
				m.Errorf("ended, and shown: %+v", item.Fact)
			}
			if item.TurnID == "t2" && (item.Fact == nil || item.Fact.Object != "Quito") {
				m.Errorf("holds, and not shown: %+v", item.Fact)
			}
		}
	}},
	{"text is never syntax", testHostile},
	{"a user's name is never syntax", testHostileUsers},
}

func testOthers(m *memory) {
	other := &memory{m.T, m.store, newUser()}
	m.write(m.said("mine", 0, "I drink coffee"), other.said("hers", 0, "I drink coffee"), other.said("hers too", 1, "coffee with milk"))
	for _, text := range []string{"coffee", "milk", "coffee milk drink"} {
		for _, item := range m.recall(text) {
			m.mustBe("found", item.TurnID, "mine")
		}
	}
	m.mustBe("hers", len(other.recall("coffee")), 2)
}

// hostile texts would be syntax to one store or another, or break it.
func hostile() []string {
	var words strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&words, "word%d ", i)
	}
	return []string{
		`"`, `""`, `"coffee`, `'`, `'; DROP TABLE turn; --`, "`", `\`, `\"`, `coffee\`, "NEAR(coffee tea)", "NEAR", "coffee NEAR/2 tea", "AND", "OR",
		"NOT", "coffee AND", "NOT coffee", "coffee AND NOT tea", "coffee*", "*", "*:*", "?", "coff?e", "terms:coffee", "owner:1", "owner:*",
		"turn_id : x", "-coffee", "+tea", "coffee -tea", "^coffee", "coffee^5", "coffee~", `"coffee tea"~3`, "(", ")", "((((((", "{coffee}",
		"[a TO z]", "{* TO *}", "/cof.*/", "&&", "||", "!coffee", "a && b || !c", "$user", "{user: 1}", "1_coffee", "2_coffee", "_", "u_1_coffee",
		"coffee\x00tea", "\x00", "\xff\xfe", "\u202ecoffee", "😀", "coffee 😀☕️ tea", "👩‍👩‍👧‍👦", "ﬁancé", "Σίσυφος", "東京でコーヒー", "قهوة", "e\u0301",
		strings.Repeat("coffee ", 9000), strings.Repeat("x", 64<<10), strings.Repeat(`"`, 64<<10), strings.Repeat("é", 32<<10),
		strings.Repeat("(", 64<<10), words.String(),
	}
}

func testHostile(m *memory) {
	victim := &memory{m.T, m.store, newUser()}
	victim.write(victim.said("secret", 0, "I drink coffee and tea"))
	m.write(m.said("mine", 0, "I drink coffee and tea"))
	for i, text := range hostile() {
		for _, item := range m.recall(text) {
			m.mustBe(fmt.Sprintf("%.60q finds", text), item.TurnID, "mine")
		}
		writer := &memory{m.T, m.store, newUser()}
		writer.write(writer.said(fmt.Sprint("hostile", i), 0, text+" marmalade "))
		writer.mustFind("marmalade", fmt.Sprint("hostile", i))
	}
	victim.mustFind("coffee", "secret")
}

func testHostileUsers(m *memory) {
	m.write(m.said("secret", 0, "I drink coffee and tea"))
	for _, user := range []string{
		"*", "%", "_", `"`, `x" OR "y`, "owner:*", m.user + " OR", m.user + "*", m.user[:len(m.user)-1], strings.ToUpper(m.user), m.user + " ", "' OR 1=1 --", "a b", "😀",
	} {
		other := &memory{m.T, m.store, user}
		m.mustBe(fmt.Sprintf("%q finds", user), other.recall("coffee tea"), []graph.Item{})
		m.mustBe(fmt.Sprintf("%q is told", user), other.session(user, "session of "+m.user, 10), []graph.Turn{})
	}
	m.mustFind("coffee", "secret")
}
