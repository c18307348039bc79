package local

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

var now = time.Date(2026, 6, 20, 15, 0, 0, 0, time.UTC)

func day(month time.Month, d int) time.Time { return time.Date(2026, month, d, 10, 0, 0, 0, time.UTC) }

// remembered are things that a user said in earlier sessions.
func remembered(texts ...string) []engine.Recalled {
	var all []engine.Recalled
	for i, text := range texts {
		all = append(all, engine.Recalled{Text: text, At: now, Role: engine.User, Score: 1 - float64(i)/100})
	}
	return all
}

func ask(t *testing.T, question string, recalled ...engine.Recalled) string {
	t.Helper()
	r := engine.Request{User: "ana", Messages: []engine.Message{{Role: engine.User, Content: question}}, Recalled: recalled, Now: now}
	a, err := Engine{}.Answer(context.Background(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.Text
}

var life = remembered(
	"My sister Lucía lives in Cuenca.",
	"My dog is called Toby and he loves mangoes.",
	"I love hiking in the Andes.",
	"I also really like ceviche.",
	"I work as a nurse at the Santa Inés hospital.",
	"My name is Ana.",
	"I am 34 years old.",
	"I moved to Loja last year.",
	"My birthday is on 12 March.",
	"My brother Pablo is a carpenter.",
	"We adopted a cat named Mishi in January.",
	"I'm allergic to peanuts.",
	"Where does my sister live?",
	"Write me a poem about Quito.",
	"My husband and I got married in 2019.",
	"I studied biology at the university of Cuenca.",
	"Hi, I'm vegan now and I've got two parrots, Coco and Kiwi.",
	"My favorite color is green.",
)

func TestAnswersFromWhatIsRecalled(t *testing.T) {
	for question, want := range map[string]string{
		"Where does my sister live?":          "You told me that your sister Lucía lives in Cuenca.",
		"where does my sister live":           "You told me that your sister Lucía lives in Cuenca.",
		"Where does Lucía live?":              "You told me that your sister Lucía lives in Cuenca.",
		"where does lucia live?":              "You told me that your sister Lucía lives in Cuenca.",
		"Who is Lucía?":                       "You told me that your sister Lucía lives in Cuenca.",
		"What is my sister's name?":           "You told me that your sister Lucía lives in Cuenca.",
		"Do I have a sister?":                 "You told me that your sister Lucía lives in Cuenca.",
		"Do you remember where Lucía lives?":  "You told me that your sister Lucía lives in Cuenca.",
		"Who lives in Cuenca?":                "You told me that your sister Lucía lives in Cuenca.",
		"What is my dog's name?":              "You told me that your dog is called Toby.",
		"What's my dog called?":               "You told me that your dog is called Toby.",
		"Who is Toby?":                        "You told me that your dog is called Toby.",
		"What is my name?":                    "You told me that your name is Ana.",
		"What's my name?":                     "You told me that your name is Ana.",
		"How old am I?":                       "You told me that you are 34 years old.",
		"Where do I live?":                    "You told me that you moved to Loja last year.",
		"Where do I work?":                    "You told me that you work as a nurse at the Santa Inés hospital.",
		"What do I do for a living?":          "You told me that you work as a nurse at the Santa Inés hospital.",
		"When is my birthday?":                "You told me that your birthday is on 12 March.",
		"What does my brother do?":            "You told me that your brother Pablo is a carpenter.",
		"What does Pablo do for work?":        "You told me that your brother Pablo is a carpenter.",
		"What is my cat's name?":              "You told me that you adopted a cat named Mishi in January.",
		"When did we adopt Mishi?":            "You told me that you adopted a cat named Mishi in January.",
		"What am I allergic to?":              "You told me that you're allergic to peanuts.",
		"When did I get married?":             "You told me that your husband and you got married in 2019.",
		"What did I study?":                   "You told me that you studied biology at the university of Cuenca.",
		"Who am I?":                           "You told me that your name is Ana.",
		"What are my parrots called?":         "You told me that you've got two parrots, Coco and Kiwi.",
		"Is my brother a carpenter?":          "You told me that your brother Pablo is a carpenter.",
		"What's my favourite colour?":         "You told me that your favorite color is green.",
		"Where do we live now?":               "You told me that you moved to Loja last year.",
		"What's the weather like today?":      "I don't remember anything about the weather yet.",
		"Tell me about my sister.":            "You told me that your sister Lucía lives in Cuenca.",
		"I forgot where my sister lives.":     "You told me that your sister Lucía lives in Cuenca.",
		"What do I like?":                     "You told me that you love hiking in the Andes, that you also really like ceviche and that your favorite color is green.",
		"Do I like hiking?":                   "You told me that you love hiking in the Andes.",
		"How old is my sister?":               "I don't remember that yet. What comes closest: you told me that your sister Lucía lives in Cuenca.",
		"Where does my uncle live?":           "I don't remember anything about your uncle yet.",
		"What is the capital of France?":      "I don't remember anything about France yet.",
		"Who is Gabriela?":                    "I don't remember anything about Gabriela yet.",
		"Where did I leave my umbrella?":      "I don't remember anything about your umbrella yet.",
		"What is my favourite song?":          "I don't remember anything about your favourite song yet.",
		"Who are you?":                        whoAmI,
		"How are you?":                        "All is well here, thank you.",
		"Write a poem about the sea.":         unable,
		"Can you translate this into German?": unable,
	} {
		if got := ask(t, question, life...); got != want {
			t.Errorf("%q\n got %q\nwant %q", question, got, want)
		}
	}
}

func TestRestatesWhatItIsTold(t *testing.T) {
	for said, want := range map[string]string{
		"My sister Lucía lives in Cuenca.":                            "I'll remember that your sister Lucía lives in Cuenca.",
		"My sister Lucía lives in Cuenca":                             "I'll remember that your sister Lucía lives in Cuenca.",
		"Hi! My sister Lucía lives in Cuenca!":                        "I'll remember that your sister Lucía lives in Cuenca.",
		"Hi there, my sister Lucía lives in Cuenca.":                  "I'll remember that your sister Lucía lives in Cuenca.",
		"By the way, remember that my dog is called Toby.":            "I'll remember that your dog is called Toby.",
		"I love hiking. I hate rain.":                                 "I'll remember that you love hiking and that you hate rain.",
		"Lucía visited me yesterday.":                                 "I'll remember that Lucía visited you yesterday.",
		"I was born in Loja. I moved. I stayed. I left. I came back.": "I'll remember that you were born in Loja, that you moved and that you stayed, and the rest.",
		"Mi hermana Lucía vive en Cuenca.":                            "I'll remember “Mi hermana Lucía vive en Cuenca”.",
		"When I was a child I had a parrot.":                          "I'll remember that when you were a child you had a parrot.",
		"What I like is tea.":                                         "I'll remember that what you like is tea.",
		"My dog is called Toby. What is my dog's name?":               "I'll remember that your dog is called Toby. You told me that your dog is called Toby.",
		"Actually, I now live in Lima.":                               "I'll remember that you now live in Lima.",
		"Dr. Paz is my doctor.":                                       "I'll remember that Dr. Paz is your doctor.",
		"Hello!":                                                      "Hello. Tell me something, and I'll remember it.",
		"Good morning":                                                "Hello. Tell me something, and I'll remember it.",
		"Thanks a lot!":                                               "You're welcome.",
		"bye":                                                         "Until next time.",
		"ok":                                                          "All right.",
		"🙂":                                                           "All right.",
	} {
		if got := ask(t, said); got != want {
			t.Errorf("%q\n got %q\nwant %q", said, got, want)
		}
	}
}

func TestSaysWhenItWasTold(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(-time.Hour), "You told me that you saw a condor today."},
		{day(6, 19), "You told me yesterday that you saw a condor that day."},
		{day(5, 3), "You told me on 3 May that you saw a condor that day."},
		{day(5, 3).AddDate(-3, 0, 0), "You told me on 3 May 2023 that you saw a condor that day."},
		{time.Time{}, "You told me that you saw a condor today."},
	} {
		told := engine.Recalled{Text: "I saw a condor today.", At: c.at, Role: engine.User}
		if got := ask(t, "Did I see a condor?", told); got != c.want {
			t.Errorf("said at %s: got %q, want %q", c.at, got, c.want)
		}
	}
}

func TestNamesAnotherSpeaker(t *testing.T) {
	told := engine.Recalled{Text: "I painted a sunrise by the lake last year.", At: day(5, 3), Role: engine.User, Speaker: "Melanie"}
	want := "Melanie said on 3 May: “I painted a sunrise by the lake last year.”"
	if got := ask(t, "What did Melanie paint?", told); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTellsWhatOneSpeakerSaidInOneSentence(t *testing.T) {
	said := func(text string) engine.Recalled {
		return engine.Recalled{Text: text, At: day(5, 3), Role: engine.User, Speaker: "Melanie"}
	}
	got := ask(t, "What does Melanie like?", said("I love pottery."), said("I like running."))
	if want := "Melanie said on 3 May: “I love pottery.” and “I like running.”"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = ask(t, "Why did Melanie leave Chicago?", said("I love pottery."))
	if want := "I don't remember that about Melanie yet."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPrefersTheNewerOfTwoThatAnswerAlike(t *testing.T) {
	got := ask(t, "Where do I live?",
		engine.Recalled{Text: "I live in Loja.", At: day(3, 1), Role: engine.User},
		engine.Recalled{Text: "I live in Quito.", At: day(5, 1), Role: engine.User})
	if want := "You told me on 1 May that you live in Quito."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheLastWordInASessionCounts(t *testing.T) {
	r := engine.Request{User: "ana", Now: now, Messages: []engine.Message{
		{Role: engine.User, Content: "I live in Quito."},
		{Role: engine.Assistant, Content: "Noted."},
		{Role: engine.User, Content: "Actually, we moved to Guayaquil last week, so my address changed."},
		{Role: engine.Assistant, Content: "Noted."},
		{Role: engine.User, Content: "Where do I live?"},
	}, Recalled: []engine.Recalled{{Text: "I live in Loja.", At: day(6, 20), Role: engine.User, Score: 1}}}
	a, _ := Engine{}.Answer(context.Background(), r, nil)
	if want := "You told me that you moved to Guayaquil last week, so your address changed."; a.Text != want {
		t.Errorf("got %q, want %q", a.Text, want)
	}
}

func TestUsesThisSessionBeforeItIsInTheGraph(t *testing.T) {
	r := engine.Request{
		User: "ana", Now: now,
		History: []engine.Message{
			{Role: engine.User, Content: "My sister Lucía lives in Cuenca.", At: now},
			{Role: engine.Assistant, Content: "I'll remember that your sister Lucía lives in Cuenca.", At: now},
		},
		Messages: []engine.Message{{Role: engine.User, Content: "Where does she live?"}},
	}
	a, _ := Engine{}.Answer(context.Background(), r, nil)
	if want := "You told me that your sister Lucía lives in Cuenca."; a.Text != want {
		t.Errorf("got %q, want %q", a.Text, want)
	}
}

func TestDoesNotClaimToKnowNothingWhenItsMemoryIsOutOfReach(t *testing.T) {
	r := engine.Request{User: "ana", Partial: true, Messages: []engine.Message{{Role: engine.User, Content: "Where does my sister live?"}}}
	a, _ := Engine{}.Answer(context.Background(), r, nil)
	if a.Text != unreachable {
		t.Errorf("got %q", a.Text)
	}
}

func TestDoesNotPromiseToRememberWithoutAUser(t *testing.T) {
	r := engine.Request{Messages: []engine.Message{{Role: engine.User, Content: "I live in Loja."}}}
	a, _ := Engine{}.Answer(context.Background(), r, nil)
	if want := "I see: you say that you live in Loja."; a.Text != want {
		t.Errorf("got %q, want %q", a.Text, want)
	}
}

func TestStreamsTheSameTextWordByWord(t *testing.T) {
	r := engine.Request{User: "ana", Messages: []engine.Message{{Role: engine.User, Content: "My sister Lucía lives in Cuenca."}}}
	var pieces []string
	a, err := Engine{}.Answer(context.Background(), r, func(p engine.Piece) error {
		pieces = append(pieces, p.Text)
		return nil
	})
	if err != nil || strings.Join(pieces, "") != a.Text || len(pieces) != 9 {
		t.Errorf("%q in %d pieces %q, error %v", a.Text, len(pieces), pieces, err)
	}
}

func TestStopsWhenTheCallerLeft(t *testing.T) {
	r := engine.Request{Messages: []engine.Message{{Role: engine.User, Content: "I live in Loja."}}}
	_, err := Engine{}.Answer(context.Background(), r, func(engine.Piece) error { return errors.New("gone") })
	if !errors.Is(err, engine.ErrLeft) {
		t.Errorf("got %v", err)
	}
}

// Whatever is said and recalled, there is an answer, and every quoted or retold word of it was said by someone.
func TestAlwaysAnswers(t *testing.T) {
	word := rapid.SampledFrom(strings.Fields("I my sister Lucía lives in Cuenca . ? ! you told me where who is what was am ’ ' \n \" “ , 34 last week ok é\u0301 日本 \x00 😀 and but because that's"))
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 0, 30).Draw(t, "words"), " ")
	})
	rapid.Check(t, func(t *rapid.T) {
		r := engine.Request{
			User: "ana", Now: now,
			Messages: []engine.Message{{Role: engine.User, Content: text.Draw(t, "message")}},
			Recalled: []engine.Recalled{{Text: text.Draw(t, "recalled"), Fact: text.Draw(t, "fact"), At: day(5, 3), Role: engine.User}},
		}
		a, err := Engine{}.Answer(context.Background(), r, nil)
		if err != nil || a.Text == "" {
			t.Fatalf("answer %q, error %v", a.Text, err)
		}
	})
}
