package extract

import (
	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
)

// clause is a part of a sentence that may say something by itself: its words, and what joins it to the part before.
type clause struct {
	from, to int
	link     string
}

var (
	// always joins: what follows is another clause, whatever it is.
	joins = set(`, but because although though which that who where whose when whenever until if unless whether : ( ) - •`)
	// sometimes joins: "bread and butter" is one thing.
	mayJoin = set(`and so since while then plus or`)
	// supposes: what follows, to the end of the sentence, is not said to be so.
	supposes = set(`if unless whether imagine suppose supposing pretend assume assuming say wish hopefully maybe perhaps or`)
	// aside: what follows is about something else than the subject before.
	aside = set(`that which where whose when whenever until`)
	// asks starts a question, with or without its mark.
	asks = set(`do does did is are was were am can could will would should shall has have may might
who whom whose what which where when why how isn't`)
)

// openers may stand before a clause and say nothing.
var openers = set(`well so and but also oh ah aha hey hi hello yes yeah yep yup no nope nah btw actually honestly look listen ok okay sure
anyway anyways plus because since now today currently nowadays finally recently remember hmm wow thanks please fyi haha lol
unfortunately luckily sadly personally basically obviously though although , - : ( " • originally professionally besides
tbh greetings yesterday just`)

var openerPhrases = phrase.NewTable(nil,
	"by the way", "in fact", "you know", "you see", "i mean", "guess what", "for the record", "just so you know", "fun fact", "of course",
	"as you know [that]", "i told you [that]", "did i tell you [that]", "note that", "remember that", "it is true that",
	"last|this|that year|month|week|summer|winter|spring|fall|autumn", "these days", "at the moment", "right now", "good news",
	"one thing about me", "a bit about me", "about me", "to be honest", "in my free|spare time", "when i was young|little|a kid|child",
	"good morning|afternoon|evening", "nice to meet you", "hi|hello|hey there|everyone|all|again")

var greetings = set("hi hello hey greetings morning afternoon evening")

// clauses splits a sentence. Its parts are in order and leave out what joins them.
func (d *drawing) split(s *phrase.Sentence) []clause {
	all := d.clauses[:0]
	from, link := 0, ""
	for i := range s.Words {
		low := s.Words[i].Low
		if cuts := joins[low] || mayJoin[low] && d.opens(s, i+1); !cuts {
			continue
		}
		all = appended(s, all, clause{from, i, link})
		if from, link = i+1, low; supposes[low] {
			break
		}
	}
	d.clauses = appended(s, all, clause{from, len(s.Words), link})
	return d.clauses
}

// appended adds a clause without the marks at its end, if there is anything in it.
func appended(s *phrase.Sentence, all []clause, c clause) []clause {
	for c.to > c.from && s.Words[c.to-1].Mark {
		c.to--
	}
	if c.to == c.from {
		return all
	}
	return append(all, c)
}

// opens tells whether a clause starts at: a subject, or a verb that rules know.
func (d *drawing) opens(s *phrase.Sentence, at int) bool {
	for n := 0; n < 3 && (openers[s.Low(at)] || adverbs[s.Low(at)]); n++ {
		at++
	}
	low := s.Low(at)
	switch low {
	case "i", "we", "he", "she", "they", "you", "it", "my", "our", "his", "her", "their", "there", "the", "this", "no", "used", "don't":
		return true
	}
	if predicates.Starts(low) || asks[low] || parents[low] != "" || joins[low] {
		return true
	}
	end, _ := phrase.Person(s, at)
	return end > at && (s.Low(end) == "'s" || d.verbAt(s, end))
}

// clauseEnd is where the clause ends that the word before at is in.
func (d *drawing) clauseEnd(at int) int {
	for _, c := range d.clauses {
		if c.to >= at {
			return c.to
		}
	}
	return at
}

// sentence reads what a sentence says, clause by clause.
func (d *drawing) sentence(s *phrase.Sentence) {
	d.greeted = greetings[s.Low(0)] || greetings[s.Low(1)]
	clauses := d.split(s)
	read := 0 // words read already
	for _, c := range clauses[:said(s, clauses)] {
		switch {
		case supposes[c.link] || supposes[s.Low(skip(s, c))]:
			return
		case c.from < read || s.Words[c.from].Quoted:
		case aside[c.link] || c.from == 0 && aside[s.Low(0)]:
			if !d.who.first {
				d.who = subject{}
			}
		default:
			read = d.read(s, c)
			d.relatives(s, max(c.from+1, read), c.to)
		}
	}
}

// relatives keeps the named relatives that a clause speaks of on its way: "I visited my sister Lucía".
func (d *drawing) relatives(s *phrase.Sentence, from, to int) {
	for at := from; at < to; at++ {
		if !mine[s.Low(at)] {
			continue
		}
		next := at + 1
		for adjectives[s.Low(next)] {
			next++
		}
		if after, relation := readers["relation"](s, next); after > next && s.Low(after) != "," {
			d.relative(s, at, after, d.speaker, relation)
		}
	}
}

// said is how many of a sentence's clauses state something: those before the question, if there is one.
func said(s *phrase.Sentence, clauses []clause) int {
	for i, c := range clauses {
		at := skip(s, c)
		if !asks[s.Low(at)] || c.link == "who" {
			continue
		}
		if subjectWords[s.Low(at+1)] || s.Asks && i > 0 && c.to-c.from > 3 || i == 0 && s.Asks {
			return i
		}
	}
	if s.Asks {
		return 0
	}
	return len(clauses)
}

var subjectWords = set("i you he she it we they my your his her their our the there")

func skip(s *phrase.Sentence, c clause) int {
	at := c.from
	for at < c.to {
		if m, ok := openerPhrases.Match(s, at); ok {
			at = m.End
		} else if openers[s.Low(at)] {
			at++
		} else {
			break
		}
	}
	return at
}

// read reads one clause and returns the end of what it has read.
func (d *drawing) read(s *phrase.Sentence, c clause) int {
	at := skip(s, c)
	who, next, owns := d.subject(s, at)
	words := func(end int) string { return s.Span(at, end) }
	if who.name == "" {
		if m, ok := sayings.Match(s, at); ok {
			d.tell(d.speaker, m, words(d.clauseEnd(m.End)), false)
			return m.End
		}
		if who = d.who; c.link == "who" {
			who = d.last
		}
		if who.name == "" {
			return next
		}
		words = func(end int) string { return who.phrase + " " + s.Span(at, end) }
	}
	d.who = who
	d.remember(who)
	m, ended, ok := d.predicate(s, who, next, d.clauseEnd(next), owns)
	if !ok {
		return next
	}
	d.tell(who, m, words(d.clauseEnd(m.End)), ended)
	return m.End
}

// remember keeps whom "he" and "she" will mean.
func (d *drawing) remember(who subject) {
	if !who.first && (!who.thing || who.relation != "" || d.kinds[who.name] != "") {
		d.last = who
	}
}
