package local

import (
	"regexp"
	"strings"
	"time"
)

// retell says what was said, by whom and, if it was not today, when. What the user said on one day is one sentence.
func retell(found []claim, now time.Time) string {
	var said []string
	for i := 0; i < len(found); {
		c := found[i]
		next := i + 1
		for next < len(found) && c.joins(found[next], now) {
			next++
		}
		said = append(said, together(found[i:next], now))
		i = next
	}
	return strings.Join(said, " ")
}

// joins tells whether c and o can be told in one sentence: by the same speaker, on the same day, in the same way.
func (c claim) joins(o claim, now time.Time) bool {
	return c.speaker == o.speaker && c.turns() == o.turns() && date(c.at, now) == date(o.at, now)
}

// turns tells whether a claim is told from the other side rather than quoted.
func (c claim) turns() bool { return c.speaker == "" && turnable(c.text) }

func together(some []claim, now time.Time) string {
	first, when := some[0], date(some[0].at, now)
	who, end := "You told me"+when+" ", "."
	if !first.turns() {
		who, end = "You told me"+when+": ", ""
	}
	if first.speaker != "" {
		who = first.speaker + " said" + when + ": "
	}
	var said []string
	for _, c := range some {
		switch clause := inside(flip(ending(unfilled(c.text)))); {
		case !c.turns():
			said = append(said, "“"+shorten(c.text)+"”")
		case when != "":
			said = append(said, "that "+back(clause))
		default:
			said = append(said, "that "+clause)
		}
	}
	return who + list(said) + end
}

// date says when something was said: nothing for today, " yesterday", " on 3 May", " on 3 May 2023".
func date(at, now time.Time) string {
	at = at.In(now.Location())
	switch {
	case at.IsZero() || sameDay(now, at):
		return ""
	case sameDay(now.AddDate(0, 0, -1), at):
		return " yesterday"
	case at.Year() == now.Year():
		return at.Format(" on 2 January")
	}
	return at.Format(" on 2 January 2006")
}

// back says a time seen from the day it was said as it is seen later.
func back(clause string) string {
	return relativeRE.ReplaceAllStringFunc(clause, func(s string) string { return relative[strings.ToLower(s)] })
}

var relative = map[string]string{
	"today": "that day", "tonight": "that night", "tomorrow": "the day after", "yesterday": "the day before",
	"this morning": "that morning", "this afternoon": "that afternoon", "this evening": "that evening",
	"last night": "the night before", "this week": "that week", "this weekend": "that weekend",
	"last week": "the week before", "last month": "the month before", "last year": "the year before",
	"next week": "the week after", "next month": "the month after", "next year": "the year after",
}

var relativeRE = regexp.MustCompile(`(?i)\b(today|tonight|tomorrow|yesterday|this (morning|afternoon|evening|week|weekend)|last (night|week|month|year)|next (week|month|year))\b`)

// list joins clauses: "a, b and c".
func list(clauses []string) string {
	if len(clauses) == 1 {
		return clauses[0]
	}
	return strings.Join(clauses[:len(clauses)-1], ", ") + " and " + clauses[len(clauses)-1]
}

// ending takes the mark off a sentence's end.
func ending(s string) string { return strings.TrimRight(s, ".!… ") }

const maxQuoted = 300 // bytes

// shorten cuts a quotation at a word's end.
func shorten(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	cut := strings.LastIndexByte(s[:maxQuoted], ' ')
	if cut < 0 {
		cut = maxQuoted
	}
	return strings.ToValidUTF8(s[:cut], "") + " …"
}

var (
	givenNameRE = regexp.MustCompile(`(?i:\bmy name(?:['’]s| is)|\bcall me) (\p{Lu}[\p{L}\p{M}-]+)`)
	pronounRE   = regexp.MustCompile(`(?i)\b(he|she|it|they|him|her|his|hers|them|their|its)\b`)
)
