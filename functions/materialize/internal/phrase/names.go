package phrase

import "unicode"

// maxName is the most words of a name.
const maxName = 6

// particles stand inside a name in small letters: Leonardo da Vinci, Bank of Ireland.
var particles = Set("de la del las los van von der den da di do dos of the y bin ibn al el and")

// noNames are written with a capital at the start of a sentence, or always, and name nobody and nothing.
var noNames = Set(`i a an the this that these those there here it its he she they we you who what when where why how which whose
my our your his her their me him us them mine yours one some many most all any each every everyone everybody everything
nobody nothing no none someone somebody something anyone anything other another both few more much such same
and or but so if because since although though while as than then until unless whether not also just even still only too very
really well oh ah hey hi hello wow yes yeah yep yup nope ok okay sure thanks thank please sorry congrats cool nice great good
awesome amazing absolutely definitely totally exactly actually honestly maybe perhaps anyway hmm haha lol gonna wanna
is am are was were be been being do does did have has had can could will would should may might must shall let lets
in on at for with to from by of about into over after before between through during without within near against
monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight now
last next later soon back never always sometimes often usually once twice again almost
looks looking sounds sounding seems feels glad happy sad love loved like liked hope hoping thinking
mom mum dad mama papa grandma grandpa god internet tv cv diy ai asap btw fyi omg lgbtq lgbt dm pm am`)

// months are in dates, and never alone a name here.
var months = Set(`january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec`)

// Name reads up to six words that are written as a name: capitals, with particles between.
func Name(s *Sentence, at int) (end int, name string) {
	end = at
	for i := at; i < len(s.Words) && i-at < maxName; i++ {
		switch {
		case s.nameWord(i):
			end = i + 1
		case i == at || s.Words[i].Mark || !particles[s.Words[i].Low] || !s.leadsOn(i):
			return end, s.Span(at, end)
		}
	}
	return end, s.Span(at, end)
}

// leadsOn tells whether the particle at i leads to more of the name: "of the Andes" does.
func (s *Sentence) leadsOn(i int) bool {
	if s.Words[i].Low == "and" {
		return false
	}
	for i++; i < len(s.Words) && particles[s.Words[i].Low]; i++ {
	}
	return s.nameWord(i)
}

func (s *Sentence) nameWord(i int) bool {
	if i >= len(s.Words) {
		return false
	}
	w := s.Words[i]
	return w.Capital && !w.Mark && !noNames[w.Low] && !months[w.Low]
}

// shouted tells whether a word is all capitals: emphasis rather than a person's name.
func (s *Sentence) shouted(i int) bool {
	letters := 0
	for _, r := range s.Text[s.Words[i].Start:s.Words[i].End] {
		if unicode.IsLower(r) {
			return false
		}
		letters++
	}
	return letters > 2
}

// Person reads a name that is not shouted.
func Person(s *Sentence, at int) (end int, name string) {
	if at >= len(s.Words) || s.shouted(at) {
		return at, ""
	}
	return Name(s, at)
}

// FirstName is Person that in a text without capitals takes a single word which ends the thought: "my name is ana".
func FirstName(s *Sentence, at int) (end int, name string) {
	if s.Casual && at < len(s.Words) && s.Ends(at+1) && s.plain(at) {
		return at + 1, s.Span(at, at+1)
	}
	return Person(s, at)
}

// Place reads the name of a place, with what it lies in: "San Francisco, California". In a text without capitals it takes
// up to two words that end the thought: "i live in quito".
func Place(s *Sentence, at int) (end int, place string) {
	start := at
	if s.Low(at) == "the" {
		start = at + 1
	}
	if s.Casual {
		return s.casualPlace(at)
	}
	if end, _ = Name(s, start); end <= start {
		return at, ""
	}
	if s.Low(end) == "," {
		if further, _ := Name(s, end+1); further > end+1 && s.Ends(further) {
			end = further
		}
	}
	return end, s.Span(start, end)
}

// moods are what one is "in" that is no place.
var moods = Set("fear denial peace poverty hope sin pain silence bed danger luxury harmony love debt trouble town person")

func (s *Sentence) casualPlace(at int) (end int, place string) {
	for n := 1; n <= 2; n++ {
		if at+n > len(s.Words) || !s.plain(at+n-1) || moods[s.Low(at+n-1)] {
			break
		}
		if s.Ends(at + n) {
			return at + n, s.Span(at, at+n)
		}
	}
	return at, ""
}

// plain tells whether the word at i is none of the words that sentences are held together with.
func (s *Sentence) plain(i int) bool {
	w := s.Words[i]
	return !w.Mark && !noNames[w.Low] && !months[w.Low] && !stops[w.Low]
}
