package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"pgregory.net/rapid"
)

// said is a conversation, "Speaker: text" a line, as a store would offer all of it.
func said(lines ...string) graph.Corpus {
	var c graph.Corpus
	for n, line := range lines {
		speaker, text, _ := strings.Cut(line, ": ")
		t := graph.Turn{ID: fmt.Sprintf("D1:%d", n+1), SessionID: "s", User: "u", Messages: []graph.Message{{Role: "user", Name: speaker, Content: text}}}
		c.Hits = append(c.Hits, graph.Candidate{TurnID: t.ID, SessionID: "s", Order: graph.OrderKey(t), Speaker: speaker, Role: "user", Text: text, Terms: graph.IndexTerms(t)})
		c.Terms += float64(len(strings.Fields(c.Hits[n].Terms)))
	}
	c.Turns = len(c.Hits)
	c.Terms /= max(float64(c.Turns), 1)
	return c
}

func TestBestAnswerComesFirst(t *testing.T) {
	cases := []struct{ name, question, best string }{
		{"by its words", "Who adopted a puppy?", "We adopted a puppy on Sunday."},
		{"by their stems", "painting lakes", "I painted that lake last year."},
		{"by irregular forms", "What did she buy?", "I bought new shoes."},
		{"without diacritics", "donde vive Lucia", "My sister Lucía lives in Cuenca."},
		{"by who is named", "What is Bob allergic to?", "I am allergic to cats."},
		{"after the question it answers", "favourite season", "Autumn, without doubt."},
	}
	conversation := said(
		"Ann: We adopted a puppy on Sunday.",
		"Bob: Lovely, congratulations!",
		"Ann: I painted that lake last year.",
		"Bob: It hangs in the hall.",
		"Ann: I bought new shoes.",
		"Ann: Someone is allergic to nuts here.",
		"Bob: My sister Lucía lives in Cuenca.",
		"Bob: I am allergic to cats.",
		"Ann: What is your favourite season?",
		"Bob: Autumn, without doubt.",
	)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			items := graph.Rank(graph.Query{Text: c.question, Limit: 2}, conversation)
			if !slices.ContainsFunc(items, func(i graph.Item) bool { return i.Text == c.best }) {
				t.Errorf("not among the first two: %+v", items)
			}
		})
	}
}

func TestItemCarriesTheFactThatAnswers(t *testing.T) {
	c := said("Ann: My sister Lucía lives in Cuenca and works as a nurse.")
	c.Hits[0].Facts = []graph.Fact{
		{Subject: "Lucía", Relation: "job", Object: "nurse", Text: "works as a nurse"},
		{Subject: "Lucía", Relation: "lives_in", Object: "Cuenca", Text: "my sister Lucía lives in Cuenca"},
	}
	items := graph.Rank(graph.Query{Text: "Where does Lucía live?", Limit: 1}, c)
	if len(items) != 1 || items[0].Fact == nil || items[0].Fact.Object != "Cuenca" {
		t.Errorf("%+v", items)
	}
}

func TestNothingIsRecalledForNothingAsked(t *testing.T) {
	c := said("Ann: Hello there, how are you?", "Bob: We adopted a puppy.")
	for _, question := range []string{"", "the of and", "?!", "\x00", "zebra"} {
		c := c
		if question == "zebra" {
			c.Hits = nil // a store finds nothing
		}
		if items := graph.Rank(graph.Query{Text: question, Limit: 5}, c); len(items) > 0 {
			t.Errorf("%q recalls %+v", question, items)
		}
	}
}

func TestRankDoesNotDependOnTheStoresOrder(t *testing.T) {
	words := []string{"dog", "cat", "lake", "shoe", "red", "blue", "paint", "sister"}
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"Ann: ", "Bob: "}).Draw(t, "who") +
				strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 6).Draw(t, "words"), " ")
		}), 0, 20).Draw(t, "conversation")
		q := graph.Query{Text: strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 4).Draw(t, "question"), " "), Limit: rapid.IntRange(-1, 60).Draw(t, "limit")}
		c := said(lines...)
		want := graph.Rank(q, c)
		rand.Shuffle(len(c.Hits), func(i, j int) { c.Hits[i], c.Hits[j] = c.Hits[j], c.Hits[i] })
		got := graph.Rank(q, c)
		if !slices.Equal(got, want) {
			t.Fatalf("shuffled:\n%+v\n%+v", got, want)
		}
		for i, item := range got {
			if item.Score <= 0 || item.Score >= 1 || i > 0 && item.Score > got[i-1].Score {
				t.Fatalf("score %v at %d of %+v", item.Score, i, got)
			}
		}
	})
}

func TestOrderKeySortsByTimeThenByTheNumbersInIDs(t *testing.T) {
	at := time.Date(2023, 5, 8, 13, 56, 0, 0, time.UTC)
	turn := func(id string, at time.Time) graph.Turn {
		return graph.Turn{ID: id, Messages: []graph.Message{{At: at}}}
	}
	ordered := []graph.Turn{
		turn("z", time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)),
		turn("D3:7", at), turn("D3:10", at), turn("D3:010", at), turn("D12:1", at), turn("x", at), turn("ñ9", at),
		turn("a", at.Add(time.Microsecond)),
	}
	for i := 1; i < len(ordered); i++ {
		if a, b := graph.OrderKey(ordered[i-1]), graph.OrderKey(ordered[i]); a >= b && ordered[i].ID != "D3:010" {
			t.Errorf("%s does not come before %s: %q, %q", ordered[i-1].ID, ordered[i].ID, a, b)
		}
	}
}

func TestTermsFoldFormsTogether(t *testing.T) {
	cases := map[string]string{
		"Children's":       "child",
		"PAINTINGS, paint": "paint paint",
		"Lucía":            "lucia",
		"José’s":           "jose",
		"I'm don't we'll":  "",
		"went going":       "go go",
		"2023 7":           "2023 7",
		"日本 語":             "日本 語",
	}
	for text, want := range cases {
		if got := strings.Join(graph.Analyze(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzAnalyze(f *testing.F) {
	for _, seed := range []string{"My sister Lucía lives in Cuenca.", "don’t", "\xff\xfe", "ﬁ\u0301", strings.Repeat("a", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		terms := graph.Analyze(text)
		for _, term := range terms {
			if term == "" || strings.ContainsAny(term, " \t\n\"*():^") || len(term) > 64 {
				t.Errorf("%q gives the term %q", text, term)
			}
		}
		_ = graph.OrderKey(graph.Turn{ID: text})
	})
}

func BenchmarkRank(b *testing.B) {
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = fmt.Sprintf("Ann: I saw number %d painting %d lakes near the old harbour with my sister and two dogs", i%7, i)
	}
	c := said(lines...)
	q := graph.Query{Text: "Where did Ann see her sister painting lakes?", Limit: 10}
	for b.Loop() {
		graph.Rank(q, c)
	}
}
