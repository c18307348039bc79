package phrase

import (
	"slices"
	"strconv"
	"strings"
)

// maxThing is the most words of a thing.
const maxThing = 6

// stops end a noun phrase.
var stops = Set(`and or but so because since though although while when who which that what where how if as than like unlike
in on at for with from by to into about over after before between through during without within near around across behind
is am are was were be been do does did have has had can could will would should may might must not
too now today yesterday tomorrow tonight lately recently anymore currently these every last next this again here there soon
very really much a an the i he she they we you it me him us them myself ever even just also still always together alone already because 'cause cause lot alot`)

// glue holds the words of an activity together: "walking in the rain".
var glue = Set("in on at for with to into from by about of through around my our the a an and")

// pointing words stand for something said elsewhere.
var pointing = Set(`it its this that these those him her them they his their your you me us one ones here there everything
something anything nothing everyone someone somebody anyone no none such same so how what when both each other`)

// articles before a thing are not part of it.
var articles = Set("a an the some any all")

// Thing reads a noun phrase without its article: "a red car". What only points at something said elsewhere is none.
func Thing(s *Sentence, at int) (end int, thing string) {
	start := at
	for articles[s.Low(start)] && !s.Words[start].Capital {
		start++
	}
	end = start
	if articles[s.Low(start)] {
		end++ // "The Hobbit"
	}
	for end < len(s.Words) && end-start < maxThing && s.inThing(end, start) {
		end++
	}
	for end > start && !s.Words[end-1].Mark && glue[s.Low(end-1)] {
		end--
	}
	if name, _ := Name(s, start); name > end {
		end = name // "Lord of the Rings"
	}
	if end == start || s.points(start, end) {
		return at, ""
	}
	return end, s.Span(start, end)
}

func (s *Sentence) inThing(i, start int) bool {
	w := s.Words[i]
	switch {
	case w.Mark || w.Low == "'s" && i == start:
		return false
	case w.Low == "of":
		return i > start
	}
	return !stops[w.Low]
}

func (s *Sentence) points(from, to int) bool {
	return slices.ContainsFunc(s.Words[from:to], func(w Word) bool { return pointing[w.Low] })
}

// Activity reads what somebody may like to do or have: "swimming in the sea", "to paint", "spicy food".
func Activity(s *Sentence, at int) (end int, activity string) {
	start := at
	if s.Low(at) == "to" {
		start++
	}
	if start == at && !strings.HasSuffix(s.Low(at), "ing") {
		return Thing(s, at)
	}
	for end = start; end < len(s.Words) && end-start < maxThing+2; end++ {
		w := s.Words[end]
		if w.Mark || w.Low == "and" || stops[w.Low] && !glue[w.Low] {
			break
		}
	}
	pointed := pointing[s.Low(end)] // "watching them"
	for end > start && glue[s.Low(end-1)] {
		end--
	}
	if end == start || pointed || s.points(start, end) || stops[s.Low(start)] {
		return at, ""
	}
	return end, s.Span(start, end)
}

// Noun reads one to three plain words before "is" or "are": what somebody has a favourite of.
func Noun(s *Sentence, at int) (end int, noun string) {
	for end = at; end < len(s.Words) && end-at < 3 && s.plain(end) && s.Low(end) != "'s"; end++ {
	}
	return end, strings.ToLower(s.Span(at, end))
}

// Number reads a whole number of up to three digits.
func Number(s *Sentence, at int) (end int, number string) {
	n, err := strconv.Atoi(s.Low(at))
	percent := at+1 < len(s.Words) && s.Words[at+1].Low == "•" && s.Words[at+1].Start == s.Words[at].End
	if err != nil || n < 1 || n > 999 || percent {
		return at, ""
	}
	return at + 1, s.Low(at)
}

// OneOf reads the longest of the given words or phrases, and gives what it stands for. Keys are in lower case.
func OneOf(phrases map[string]string) Reader {
	longest := 0
	for p := range phrases {
		longest = max(longest, len(strings.Fields(p)))
	}
	return func(s *Sentence, at int) (int, string) {
		for n := min(longest, len(s.Words)-at); n > 0; n-- {
			if value, ok := phrases[s.lows(at, n)]; ok {
				return at + n, value
			}
		}
		return at, ""
	}
}

// EndingIn reads a noun phrase of at most four words, up to the last one that read knows: "senior software engineer".
// Its value is the whole, or the last part only.
func EndingIn(read Reader, whole bool) Reader {
	return func(s *Sentence, at int) (end int, value string) {
		end = at
		for i := at; i < len(s.Words) && i-at < 4 && s.inThing(i, at) && s.Low(i) != "of"; i++ {
			if e, v := read(s, i); e > i {
				end, value = e, v
			}
		}
		if whole {
			value = strings.ToLower(s.Span(at, end))
		}
		return end, value
	}
}

// lows are n words from at on with single spaces between.
func (s *Sentence) lows(at, n int) string {
	if n == 1 {
		return s.Low(at)
	}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.Low(at + i))
	}
	return b.String()
}
