package extract

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
)

// example is a text by an unnamed user and what it tells: "subject relation object", behind "not" what has ended. That
// who likes something does not dislike it goes without saying.
type example struct {
	text  string
	facts []string
}

func hold(t *testing.T, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.text, func(t *testing.T) {
			if got := factsOf(turn("", e.text)); !slices.Equal(got, e.facts) {
				t.Errorf("got  %q\nwant %q", got, e.facts)
			}
		})
	}
}

func turn(speaker, text string) graph.Turn {
	return graph.Turn{Messages: []graph.Message{{Role: "user", Name: speaker, Content: text}}}
}

func factsOf(t graph.Turn) []string {
	all := []string{}
	facts := Extract(t).Facts
	for _, f := range facts {
		if contrary(facts, f) {
			continue
		}
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Subject, f.Relation, f.Object))
		if f.Ended {
			line = "not " + line
		}
		all = append(all, line)
	}
	return all
}

func contrary(facts []graph.Fact, f graph.Fact) bool {
	other := map[string]string{"likes": "dislikes", "dislikes": "likes"}[f.Relation]
	return f.Ended && slices.ContainsFunc(facts, func(o graph.Fact) bool { return o.Relation == other && o.Object == f.Object && !o.Ended })
}

func TestCompoundSentencesTellOneFactAClause(t *testing.T) {
	hold(t, []example{
		{"My sister Lucía lives in Cuenca and works as a nurse.", []string{"self sister Lucía", "Lucía lives_in Cuenca", "Lucía job nurse"}},
		{"My sister Lucía, who lives in Cuenca, works as a nurse.", []string{"self sister Lucía", "Lucía lives_in Cuenca", "Lucía job nurse"}},
		{"I have a sister, Lucía, who lives in Cuenca.", []string{"self sister Lucía", "Lucía lives_in Cuenca"}},
		{"My sister Eva moved to Lima. She loves jazz.", []string{"self sister Eva", "Eva lives_in Lima", "Eva likes jazz"}},
		{"My sister's husband Tom works at Initech.", []string{"my sister husband Tom", "Tom works_for Initech"}},
		{"Lucía's husband Tom lives in Loja", []string{"Lucía husband Tom", "Tom lives_in Loja"}},
		{"My son Leo is a cook. His wife Ana is from Peru.", []string{"self son Leo", "Leo job cook", "Leo wife Ana", "Ana from Peru"}},
		{"My husband and I live in Lima.", []string{"self lives_in Lima"}},
		{"I live in Quito, do you know it?", []string{"self lives_in Quito"}},
		{"I visited my sister Lucía in Cuenca last year.", []string{"self sister Lucía"}},
		{"Well, actually I'm from Peru but I live in Quito.", []string{"self from Peru", "self lives_in Quito"}},
		{"i live in quito and i love pizza", []string{"self lives_in quito", "self likes pizza"}},
		{"I used to live in Loja but now I live in Quito", []string{"not self lives_in Loja", "self lives_in Quito"}},
	})
}

// TestNoFactIsMadeUp holds the rules to what people say every day and what tells nothing of the kind.
func TestNoFactIsMadeUp(t *testing.T) {
	for line := range strings.Lines(untelling) {
		text := strings.TrimSpace(line)
		if got := factsOf(turn("", text)); len(got) > 0 {
			t.Errorf("%q made %q", text, got)
		}
	}
	for _, text := range []string{"", "   ", "...", "?!", "I\nlive\n\nin Quito", "> I live in Quito\n> and work at Initech", "```\nI live in Quito\n```"} {
		if got := factsOf(turn("", text)); len(got) > 0 {
			t.Errorf("%q made %q", text, got)
		}
	}
}

const untelling = `Do you live in Quito?
do you live in Quito
Where does my sister live?
Is my sister Lucía living in Cuenca?
Are you from Peru
What's my name?
My name is Ana, isn't it?
You live in Quito and work at Initech?
I wish I lived in Quito
If I lived in Quito I would be happy
If I have time, I play the guitar
What if I moved to Lima
I would like to live in Quito
I'd love to have a dog named Rex
I want to move to Lima
I hope to live in Cuenca
I could live in Cuenca
I might work as a nurse
I'll work as a nurse one day
One day I will live in Lima
I'm thinking about moving to Quito
I'm going to Quito
I am about to move to Lima
Imagine I work as a pilot
Suppose my sister Lucía lives in Cuenca
Maybe I work at Initech
I almost moved to Lima
I don't live in Quito
I do not live in Quito
I never lived in Quito
I have never been to Peru
I don't have a dog
I never had a dog named Rex
I'm not a nurse
I'm not from Peru
She isn't my sister
I haven't moved to Lima
My sister doesn't live in Cuenca
I'm tired
I'm a bit tired
I'm Spanish
I'm Catholic, if that matters
I'm OK
I'm READY
I'm Sorry
I'm so happy for you
I am in Quito right now
I'm on the bus to Loja
I'm a member of the club
I'm a huge fan
I'm 100% sure
I'm 5 minutes away
I am used to it
I'm here
It is raining in Cuenca
The weather is nice.
The city where I live is lovely
He lives in Quito
She works as a nurse
They said I live in Quito
He said "I live in Paris".
"I live in Paris" is a great line
“I work at Initech,” she said.
Somebody told me that you live in Quito
I think Tom might live in Paris
People love jazz
Everyone likes pizza
Nobody lives in Atlantis
Dogs love bones
Sounds like a plan, John
Looks like a blast
Feels like a dream come true
Painting is fun
Their love gives me strength
Unconditional love is so important
I live in fear
i live in fear
I live in a small house
I live near the sea
My sister
My
I
I like it
I love you
I love that
I love this song
I love the idea
I really like your hat
I like how you think
I enjoyed the trip
I love watching them play
I have a question
I have an idea
I have to go
I have no car
We have been there
I got it
I bought it
I bought milk
I had a car accident
I work hard
I work from home
I work on it every day
I am working on a project
I am happy to help
I played the piano in the video game
Tom and Ana
My favourite is the first
My favourite part was the end
My name is on the list
Call me later
call me maybe
Call me when you can
Can you call me tomorrow
My birthday is soon
I was born ready
I was born to run
I quit
I lost my keys
I sold out
Thanks, Melanie! That's really sweet.
Hey Mel! Good to see you!
We should move to Lima
Let's live in Peru
Remember when I lived alone
No, my friend, that is wrong
Mom says hi
See you on Monday
I love how the light falls in May`

func TestFactsOfNamedSpeakersAreTheirs(t *testing.T) {
	spoken := graph.Turn{Messages: []graph.Message{
		{Role: "user", Name: "Melanie", Content: "My son Tom lives in Boston. I love pottery. My sister works at Initech."},
		{Role: "assistant", Content: "I live in Paris and my sister is Siri."},
		{Role: "assistant", Name: "Helper", Content: "I live in Paris."},
		{Role: "system", Content: "I live in Rome."},
		{Role: "participant", Name: "Caroline", Content: "I'm from Sweden."},
		{Role: "participant", Content: "I live in Oslo."},
	}}
	want := []string{"Melanie son Tom", "Tom lives_in Boston", "Melanie likes pottery", "Melanie's sister works_for Initech", "Caroline from Sweden"}
	if got := factsOf(spoken); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestFactCarriesItsClauseInTheSpeakersWords(t *testing.T) {
	texts := map[string]string{}
	for _, f := range Extract(turn("", "Well, my  sister Lucía\nlives in Cuenca, and works as a nurse. It rains. I've moved to Quito, by the way!")).Facts {
		texts[f.Relation+" "+f.Object] = f.Text
	}
	for fact, want := range map[string]string{
		"sister Lucía": "my sister Lucía lives in Cuenca", "lives_in Cuenca": "my sister Lucía lives in Cuenca",
		"job nurse": "my sister Lucía works as a nurse", "lives_in Quito": "I've moved to Quito",
	} {
		if texts[fact] != want {
			t.Errorf("%s: %q, want %q", fact, texts[fact], want)
		}
	}
}

func TestOfSomeRelationsThereIsOneAtATime(t *testing.T) {
	one := map[string]bool{"lives_in": true, "name": true, "birthday": true, "job": true, "works_for": true, "favourite_colour": true, "sister": false, "likes": false, "has": false}
	text := "My name is Ana. I live in Quito. My birthday is 3 May. I work as a nurse at Initech. My favourite colour is blue. My sister Eva is here. I love jazz. I have a car."
	seen := map[string]bool{}
	for _, f := range Extract(turn("", text)).Facts {
		seen[f.Relation] = true
		if want, known := one[f.Relation]; known && f.Single != want {
			t.Errorf("%s: single is %t", f.Relation, f.Single)
		}
	}
	for relation := range one {
		if !seen[relation] {
			t.Errorf("no fact of %s", relation)
		}
	}
}

func TestMentionsKnowWhatTheyAre(t *testing.T) {
	d := Extract(turn("Ana", "Hey Caroline! My sister Lucía lives in Cuenca, near the Andes. I met Tom at Mercy Hospital on 3 May 2023. We read Becoming Nicole."))
	for _, e := range []graph.Entity{
		{Name: "Ana", Kind: graph.Person}, {Name: "Caroline", Kind: graph.Person}, {Name: "Lucía", Kind: graph.Person}, {Name: "Cuenca", Kind: graph.Place},
		{Name: "Andes", Kind: graph.Place}, {Name: "Tom", Kind: graph.Person}, {Name: "Mercy Hospital", Kind: graph.Group}, {Name: "3 May 2023", Kind: graph.Date},
		{Name: "Becoming Nicole", Kind: graph.Thing},
	} {
		if !slices.Contains(d.Mentions, e) {
			t.Errorf("%v is not among %v", e, d.Mentions)
		}
	}
}

func TestYieldIsBounded(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "My sister Lucía%d lives in Aaa%d. ", i, i)
	}
	d := Extract(turn("", text.String()))
	if len(d.Facts) != maxFacts || len(d.Mentions) != maxMentions {
		t.Errorf("%d facts, %d mentions", len(d.Facts), len(d.Mentions))
	}
}

func FuzzExtract(f *testing.F) {
	for _, seed := range []string{"My sister Lucía lives in Cuenca and works as a nurse.", "I'm José’s dad, call me Max!", "\xff\xfe my \x00",
		"I I I I, and, and", "don't can't won't ’ ' '' ’s", "> a\n```\nb", "MY NAME IS ANA", "I was born on May 3rd, 1990 in St. Louis, Missouri"} {
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, speaker, text string) {
		d := Extract(turn(speaker, text))
		w := graph.Write{Turn: turn(speaker, text), Mentions: d.Mentions, Facts: d.Facts}
		w.Turn.ID, w.Turn.SessionID, w.Turn.User, w.Turn.Messages[0].At = "t", "s", "u", time.Unix(1, 0)
		if _, err := graph.NewEntry(w); err != nil {
			t.Errorf("no store would take what was drawn from %q by %q: %v", text, speaker, err)
		}
	})
}

// BenchmarkExtract is one turn of an ordinary talk.
func BenchmarkExtract(b *testing.B) {
	ordinary := turn("Ana", "Well, my sister Lucía lives in Cuenca and works as a nurse. "+
		"We went to the beach on Sunday, and the kids loved it! How have you been? I am swamped with work these days.")
	b.ReportAllocs()
	for b.Loop() {
		Extract(ordinary)
	}
}

// BenchmarkHostile reads texts of 64 KB that are made to cost.
func BenchmarkHostile(b *testing.B) {
	for _, unit := range []string{"I live in Aaa, Bbb and ", "my sister's ", "A of the ", "Aa ", "and, ", "I have a a ", "\n> ", "' ", "\"", "é", "x"} {
		text := turn("", strings.Repeat(unit, (64<<10)/len(unit)))
		b.Run(strings.TrimSpace(unit), func(b *testing.B) {
			for b.Loop() {
				Extract(text)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond), "ms/text")
		})
	}
}
