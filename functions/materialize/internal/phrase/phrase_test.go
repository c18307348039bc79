package phrase

import (
	"slices"
	"strings"
	"testing"
)

// first is the first sentence of a text, with its words in a slice of its own.
func first(text string) *Sentence {
	for s := range Sentences(text) {
		kept := *s
		kept.Words = slices.Clone(s.Words)
		return &kept
	}
	return &Sentence{}
}

func lows(s *Sentence) string { return s.lows(0, len(s.Words)) }

func TestWordsAreReadWithContractionsSpeltOut(t *testing.T) {
	for text, want := range map[string]string{
		"I'm Ana, you're Tom":          "i am ana , you are tom",
		"I don't, can’t and won't":     "i do not , can not and will not",
		"Lucía's dog isn't O'Brien's":  "lucía 's dog is not o'brien 's",
		"im here, dont go":             "i am here , do not go",
		"AT&T and Jean-Luc paid 1,50":  "at&t and jean-luc paid 1,50",
		"on 2020-05-03 at 10:30":       "on 2020-05-03 at 10:30",
		"Dr. J. Smith of St. Louis":    "dr j smith of st louis",
		"www.example.org is up":        "www.example.org is up",
		"“Hi” – she said":              `" hi " - she said`,
		"東京 and Ана":                   "東京 and ана",
		"a 🙂 b\xff":                    "a • b •",
		strings.Repeat("x", 65) + " y": "• y",
	} {
		if got := lows(first(text)); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

func TestSentencesEndWhereTheyEnd(t *testing.T) {
	for text, want := range map[string][]string{
		"I am. You are! Is it? Yes":            {"i am", "you are", "is it?", "yes"},
		"one\nTwo":                             {"one", "two"},
		"wrapped\nat the end\n\nof a text":     {"wrapped at the end", "of a text"},
		"> said by others\nmine":               {"mine"},
		"a\n```\ncode. Code\n```\nB":           {"a", "b"},
		"a ``` b":                              {"a • • • b"},
		"It costs 3.50 e.g. today":             {"it costs 3.50 e.g today"},
		"Joined.Without a space. and with one": {"joined", "without a space", "and with one"},
		"...!?\n\n":                            nil,
		"```never closed":                      nil,
	} {
		var got []string
		for s := range Sentences(text) {
			said := lows(s)
			if s.Asks {
				said += "?"
			}
			got = append(got, said)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPatternsMatch(t *testing.T) {
	readers := map[string]Reader{"name": Name, "thing": Thing, "date": Date}
	cases := []struct{ pattern, text, want string }{ // want: captures, or "-"
		{"live~|stays in {name:x}", "lives in São Paulo", "x=São Paulo"},
		{"live~ in {name}", "live in São Paulo", "=São Paulo"},
		{"live~ in {name}", "lived in Loja", "-"},
		{"stud~|study~ {thing}", "studies law", "=law"},
		{"moved [back [over]] to {name}", "moved back over to Loja", "=Loja"},
		{"moved [back [over]] to {name}", "moved to Loja", "=Loja"},
		{"sold my {thing:-has} !gone", "sold my red car", "-has=red car gone="},
		{"am {name} $", "am Ana and", "=Ana"},
		{"am {name} $", "am Ana with", "-"},
		{"{name} [and {name}]", "Ana and Tom", "=Ana =Tom"},
		{"on {date}", "on May 3rd, 1990", "=May 3rd, 1990"},
	}
	for _, c := range cases {
		got := "-"
		if m, ok := NewTable(readers, c.pattern).Match(first(c.text), 0); ok {
			var read []string
			for _, capture := range m.Captures {
				read = append(read, capture.Label+"="+capture.Value)
			}
			got = strings.Join(read, " ")
		}
		if got != c.want {
			t.Errorf("%q reads %q as %q, want %q", c.pattern, c.text, got, c.want)
		}
	}
}

func TestTheFirstPatternOfATableCounts(t *testing.T) {
	table := NewTable(map[string]Reader{"name": Name}, "go to {name:far}", "{name:name}", "go to")
	for text, label := range map[string]string{"go to Loja": "far", "Loja": "name"} {
		if m, ok := table.Match(first(text), 0); !ok || m.Captures[0].Label != label {
			t.Errorf("%q: %+v", text, m)
		}
	}
	if m, ok := table.Match(first("go to bed"), 0); !ok || m.End != 2 {
		t.Errorf("go to bed: %+v", m)
	}
}

func TestWhatIsNoPatternPanics(t *testing.T) {
	for _, pattern := range []string{"", "[a", "a]", "{unknown:x}"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", pattern)
				}
			}()
			NewTable(nil, pattern)
		}()
	}
}

func TestReadersReadTheirKind(t *testing.T) {
	cases := []struct {
		kind Reader
		text string
		want string
	}{
		{Name, "Leonardo da Vinci paints", "Leonardo da Vinci"}, {Name, "Lord of the Rings", "Lord of the Rings"}, {Name, "Monday", ""}, {Name, "ana", ""},
		{Person, "READY now", ""}, {Person, "AJ is here", "AJ"},
		{FirstName, "ana", "ana"}, {FirstName, "later", ""}, {FirstName, "ana lives", ""},
		{Place, "the Bronx with you", "Bronx"}, {Place, "Portland, Oregon.", "Portland, Oregon"}, {Place, "Quito, Tom is here", "Quito"}, {Place, "fear", ""}, {Place, "quito", "quito"},
		{Thing, "a red car in town", "red car"}, {Thing, "The Hobbit", "The Hobbit"}, {Thing, "it", ""}, {Thing, "a lot", ""}, {Thing, "kinds of tea", "kinds of tea"},
		{Activity, "to paint", "paint"}, {Activity, "swimming in the sea", "swimming in the sea"}, {Activity, "watching them", ""}, {Activity, "to", ""},
		{Date, "3 May 1990", "3 May 1990"}, {Date, "the 3rd of May", "3rd of May"}, {Date, "May", "May"}, {Date, "may", ""}, {Date, "31", ""}, {Date, "12/6/2015", "12/6/2015"}, {Date, "2020-05-03", "2020-05-03"},
		{Number, "34", "34"}, {Number, "100% sure", ""}, {Number, "0", ""},
	}
	for _, c := range cases {
		s := first(c.text)
		if _, got := c.kind(s, 0); got != c.want {
			t.Errorf("%q is read as %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzSentences(f *testing.F) {
	f.Add("I'm Ana. Don't! “so”\n> x\n```y")
	f.Add("n't")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for s := range Sentences(text) {
			for i, w := range s.Words {
				if w.Start < last || w.End < w.Start || w.End > len(text) {
					t.Fatalf("word %d of %q is at %d to %d", i, text, w.Start, w.End)
				}
				last = w.Start
				for _, read := range []Reader{Name, Person, FirstName, Place, Thing, Activity, Noun, Date, Number} {
					if end, value := read(s, i); end > len(s.Words) || end > i && value == "" {
						t.Fatalf("%q from word %d of %q: end %d", value, i, text, end)
					}
				}
			}
		}
	})
}
