package local

import "testing"

func TestFlipSeesASentenceFromTheOtherSide(t *testing.T) {
	for said, want := range map[string]string{
		"I live in Cuenca.":                              "You live in Cuenca.",
		"i live in cuenca":                               "you live in cuenca",
		"My sister Lucía lives in Cuenca.":               "Your sister Lucía lives in Cuenca.",
		"I am a nurse.":                                  "You are a nurse.",
		"I'm a nurse.":                                   "You're a nurse.",
		"I’m a nurse.":                                   "You're a nurse.",
		"im tired":                                       "you're tired",
		"I was born in Loja.":                            "You were born in Loja.",
		"I wasn't there.":                                "You weren't there.",
		"I was never there.":                             "You were never there.",
		"I really am happy.":                             "You really are happy.",
		"I've been to Quito.":                            "You've been to Quito.",
		"I'd like a coffee.":                             "You'd like a coffee.",
		"I'll be there at 9 am.":                         "You'll be there at 9 am.",
		"He gave me a book.":                             "He gave you a book.",
		"The book is mine.":                              "The book is yours.",
		"I did it myself.":                               "You did it yourself.",
		"My dog bit me.":                                 "Your dog bit you.",
		"We moved to Quito.":                             "You moved to Quito.",
		"Our house is blue.":                             "Your house is blue.",
		"They invited us.":                               "They invited you.",
		"The house is ours.":                             "The house is yours.",
		"We did it ourselves.":                           "You did it yourselves.",
		"We're late.":                                    "You're late.",
		"We were late.":                                  "You were late.",
		"My wife and I are vegan.":                       "Your wife and you are vegan.",
		"My wife and I was late.":                        "Your wife and you were late.",
		"My brother was late.":                           "Your brother was late.",
		"The town I grew up in was Loja.":                "The town you grew up in was Loja.",
		"When I was a child, I lived in Loja.":           "When you were a child, you lived in Loja.",
		"Lucía is my sister.":                            "Lucía is your sister.",
		"Lucía and I met in May.":                        "Lucía and you met in May.",
		"She said I was right.":                          "She said you were right.",
		"Where was I born?":                              "Where were you born?",
		"Am I late?":                                     "Are you late?",
		"What do I like?":                                "What do you like?",
		"You are kind.":                                  "I am kind.",
		"You're kind.":                                   "I'm kind.",
		"You were wrong.":                                "I was wrong.",
		"You weren't listening.":                         "I wasn't listening.",
		"You aren't a person.":                           "I am not a person.",
		"You told me a story.":                           "I told you a story.",
		"I told you a story.":                            "You told me a story.",
		"Your name is nice.":                             "My name is nice.",
		"The pleasure is yours.":                         "The pleasure is mine.",
		"Do it yourself.":                                "Do it myself.",
		"You've helped me.":                              "I've helped you.",
		"You'll see.":                                    "I'll see.",
		"You'd like it.":                                 "I'd like it.",
		"How are you?":                                   "How am I?",
		"Are you there?":                                 "Am I there?",
		"I like you.":                                    "You like me.",
		"I will call you tomorrow.":                      "You will call me tomorrow.",
		"I want to talk to you about my job.":            "You want to talk to me about your job.",
		"Can you help me?":                               "Can I help you?",
		"What did you say?":                              "What did I say?",
		"I think you know my brother.":                   "You think I know your brother.",
		"I know that you like jazz.":                     "You know that I like jazz.",
		"If you ask me, it was my fault.":                "If I ask you, it was your fault.",
		"I love hiking and my dog does, too!":            "You love hiking and your dog does, too!",
		"My name is Ana. I am 34.":                       "Your name is Ana. You are 34.",
		"MY SISTER IS HERE":                              "YOUR SISTER IS HERE",
		"Iceland is mine to see, Myanmar too.":           "Iceland is yours to see, Myanmar too.",
		"Melanie painted a sunrise.":                     "Melanie painted a sunrise.",
		"My dogs are yours.":                             "Your dogs are mine.",
		"I no longer work at Tía, I'm at Supermaxi now.": "You no longer work at Tía, you're at Supermaxi now.",
		"My mother’s name is Rosa.":                      "Your mother’s name is Rosa.",
		"Something happened to me and to my car.":        "Something happened to you and to your car.",
		"": "",
	} {
		if got := flip(said); got != want {
			t.Errorf("flip(%q)\n got %q\nwant %q", said, got, want)
		}
	}
}

func TestInsideKeepsNamesAndDropsOtherCapitals(t *testing.T) {
	for sentence, want := range map[string]string{
		"Your sister is here":      "your sister is here",
		"The dog barks":            "the dog barks",
		"Lucía lives in Cuenca":    "Lucía lives in Cuenca",
		"I told you":               "I told you",
		"I'm here":                 "I'm here",
		"Hiking is your hobby":     "hiking is your hobby",
		"Yesterday you were there": "yesterday you were there",
		"Usually you walk":         "usually you walk",
		"In May you moved":         "in May you moved",
		"Quito is big":             "Quito is big",
		"":                         "",
	} {
		if got := inside(sentence); got != want {
			t.Errorf("inside(%q) = %q, want %q", sentence, got, want)
		}
	}
}
