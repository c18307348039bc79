package extract

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aguante-chat/aguante/shared/graph"
)

// facts of one message by an unnamed user, as "subject relation object", an ended one behind "not".
func factsOf(text string) []string {
	return written(Extract(graph.Turn{Messages: []graph.Message{{Role: "user", Content: text}}}).Facts)
}

func written(facts []graph.Fact) []string {
	all := []string{}
	for _, f := range facts {
		line := fmt.Sprintf("%s %s %s", f.Subject, f.Relation, f.Object)
		if f.Ended {
			line = "not " + line
		}
		all = append(all, line)
	}
	return all
}

func TestFactsAreDrawnFromWhatIsSaid(t *testing.T) {
	cases := []struct {
		family, text string
		want         []string
	}{
		{"names", "My name is Ana.", []string{"self name Ana"}},
		{"names", "Hi, I'm José Luis, nice to meet you!", []string{"self name José Luis"}},
		{"names", "Please call me Max", []string{"self name Max"}},

		{"relations", "My sister Lucía lives in Cuenca.", []string{"self sister Lucía", "Lucía lives_in Cuenca"}},
		{"relations", "My sister Lucía lives in Cuenca and works as a nurse.", []string{"self sister Lucía", "Lucía lives_in Cuenca", "Lucía job nurse"}},
		{"relations", "My older brother, Tom, is a teacher.", []string{"self brother Tom", "Tom job teacher"}},
		{"relations", "My sister's name is Lucía.", []string{"self sister Lucía"}},
		{"relations", "My brother is called Tom", []string{"self brother Tom"}},
		{"relations", "I have a sister named Lucía", []string{"self sister Lucía"}},
		{"relations", "I have two kids named Ana and Luis.", []string{"self child Ana", "self child Luis"}},
		{"relations", "Lucía is my sister", []string{"self sister Lucía"}},
		{"relations", "I'm married to Ana", []string{"self spouse Ana"}},
		{"relations", "Actually, my mom works at Initech.", []string{"my mother works_for Initech"}},
		{"relations", "My sister Eva moved to Lima. She loves jazz.", []string{"self sister Eva", "Eva lives_in Lima", "Eva likes jazz"}},

		{"places", "I live in San Francisco, California.", []string{"self lives_in San Francisco, California"}},
		{"places", "I'm from Peru but I live in Quito.", []string{"self from Peru", "self lives_in Quito"}},
		{"places", "I moved from Loja to Quito last year", []string{"self lives_in Quito"}},
		{"places", "I was born in Lima", []string{"self born_in Lima"}},
		{"places", "I grew up in New York City.", []string{"self grew_up_in New York City"}},
		{"places", "I no longer live in Loja", []string{"not self lives_in Loja"}},
		{"places", "I don't live in Loja anymore", []string{"not self lives_in Loja"}},
		{"places", "I used to live in Loja", []string{"not self lives_in Loja"}},

		{"likes", "I love the sea.", []string{"self likes sea"}},
		{"likes", "I really like spicy food and I hate olives", []string{"self likes spicy food", "self dislikes olives"}},
		{"likes", "I'm a big fan of jazz", []string{"self likes jazz"}},
		{"likes", "I don't like olives", []string{"self dislikes olives"}},
		{"likes", "My favourite colour is blue", []string{"self favourite_colour blue"}},
		{"likes", "My favorite book is The Hobbit.", []string{"self favourite_book The Hobbit"}},
		{"likes", "I am allergic to peanuts", []string{"self allergic_to peanuts"}},

		{"dates", "My birthday is on 3 May.", []string{"self birthday 3 May"}},
		{"dates", "My birthday is May 3rd, 1990", []string{"self birthday May 3rd, 1990"}},
		{"dates", "My sister's birthday is in June", []string{"my sister birthday June"}},
		{"dates", "I was born on 3 May 1990", []string{"self born_on 3 May 1990"}},

		{"jobs", "I work as a nurse at Mercy Hospital.", []string{"self job nurse", "self works_for Mercy Hospital"}},
		{"jobs", "I'm a software engineer", []string{"self job software engineer"}},
		{"jobs", "I work at Initech", []string{"self works_for Initech"}},
		{"jobs", "I quit my job at Initech", []string{"not self works_for Initech"}},
		{"jobs", "I no longer work at Initech", []string{"not self works_for Initech"}},
		{"jobs", "I study law at Yale", []string{"self studies law"}},

		{"belongings", "I have a dog named Rex", []string{"self has_dog Rex"}},
		{"belongings", "My dog is called Rex.", []string{"self has_dog Rex"}},
		{"belongings", "I adopted a cat named Miso", []string{"self has_cat Miso"}},
		{"belongings", "I bought a red car", []string{"self has red car"}},
		{"belongings", "I sold my car.", []string{"not self has car"}},
		{"belongings", "My bike is red", []string{"my bike colour red"}},
		{"belongings", "She said hi. I play the guitar", []string{"self plays guitar"}},
	}
	for _, c := range cases {
		t.Run(c.family+"/"+c.text, func(t *testing.T) {
			if got := factsOf(c.text); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestNoFactIsMadeUp(t *testing.T) {
	for _, text := range []string{
		"Do you live in Quito?", "Where does my sister live?", "Is my sister Lucía living in Cuenca?", "I wish I lived in Quito",
		"If I lived in Quito I would be happy", "I would like to live in Quito", "I want to move to Lima", "I don't live in Quito",
		"I'm not a nurse", "I'm tired", "I'm a bit tired", "I am in Quito right now", "It is raining in Cuenca", "Maybe I work at Initech",
		"I'm Spanish", "The weather is nice.", "He lives in Quito", "They said I live in Quito", "I might work as a nurse",
		"I never had a dog named Rex", "I live in fear", "My sister", "My", "I", "", "   ", "...", "?!", "I like it", "I love you",
		"I'm thinking about moving to Quito", "Imagine I work as a pilot", "Would you like a coffee?", "I have a question", "I have an idea",
		"I have to go", "We have been there", "I got it", "I bought it", "I'm going to Quito", "One day I will live in Lima",
		"I work hard", "I work from home", "I am happy to help", "My favourite is the first", "Call me later", "call me maybe",
		"I hope to live in Cuenca", "I could live in Cuenca", "Are you from Peru", "What if I moved to Lima",
	} {
		if got := factsOf(text); len(got) > 0 {
			t.Errorf("%q made %q", text, got)
		}
	}
}

func TestFactsOfNamedSpeakersAreTheirs(t *testing.T) {
	d := Extract(graph.Turn{Messages: []graph.Message{
		{Role: "user", Name: "Melanie", Content: "My son Tom lives in Boston. I love pottery."},
		{Role: "assistant", Content: "I live in Paris and my sister is Siri."},
	}})
	want := []string{"Melanie son Tom", "Tom lives_in Boston", "Melanie likes pottery"}
	if got := written(d.Facts); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, e := range []graph.Entity{{Name: "Melanie", Kind: graph.Person}, {Name: "Tom", Kind: graph.Person}, {Name: "Boston", Kind: graph.Place}} {
		if !slices.Contains(d.Mentions, e) {
			t.Errorf("%v is not mentioned: %v", e, d.Mentions)
		}
	}
}

func TestFactCarriesItsClauseInTheSpeakersWords(t *testing.T) {
	d := Extract(graph.Turn{Messages: []graph.Message{{Role: "user", Content: "Well, my sister Lucía lives in Cuenca and works as a nurse."}}})
	for _, f := range d.Facts {
		want := map[string]string{"lives_in": "my sister Lucía lives in Cuenca", "job": "my sister Lucía works as a nurse"}[f.Relation]
		if want != "" && f.Text != want {
			t.Errorf("%s: %q, want %q", f.Relation, f.Text, want)
		}
	}
}

func TestYieldIsBounded(t *testing.T) {
	d := Extract(graph.Turn{Messages: []graph.Message{{Role: "user", Content: strings.Repeat("I live in Aaa. I like bbb. ", 5000)}}})
	if len(d.Facts) > maxFacts || len(d.Mentions) > maxMentions {
		t.Errorf("%d facts, %d mentions", len(d.Facts), len(d.Mentions))
	}
}

func FuzzExtract(f *testing.F) {
	for _, seed := range []string{"My sister Lucía lives in Cuenca and works as a nurse.", "I'm José’s dad, call me Max!", "\xff\xfe my \x00", "I I I I, and, and"} {
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, speaker, text string) {
		for _, fact := range Extract(graph.Turn{Messages: []graph.Message{{Role: "user", Name: speaker, Content: text}}}).Facts {
			if fact.Subject == "" || fact.Relation == "" || fact.Object == "" {
				t.Errorf("half a fact of %q: %+v", text, fact)
			}
		}
	})
}

func BenchmarkExtract(b *testing.B) {
	t := graph.Turn{Messages: []graph.Message{{Role: "user", Name: "Ana", Content: "Well, my sister Lucía lives in Cuenca and works as a nurse. " +
		"We went to the beach on Sunday, and the kids loved it! How have you been? I am swamped with work these days."}}}
	for b.Loop() {
		Extract(t)
	}
}
