// Package local is the engine of last resort: no model, no network. It keeps what it is told and finds it again, in the
// user's own words seen from the other side, and never says what nobody said.
package local

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

// Engine answers from what is recalled. The zero value is ready, and safe for concurrent use.
type Engine struct{}

// Name is engine.Local.
func (Engine) Name() string { return engine.Local }

// Answer always has one. With emit it goes out word by word; the only error is engine.ErrLeft.
func (Engine) Answer(_ context.Context, r engine.Request, emit engine.Emit) (engine.Answer, error) {
	text := reply(r)
	if emit != nil {
		for word := range strings.SplitAfterSeq(text, " ") {
			if emit(engine.Piece{Text: word}) != nil {
				return engine.Answer{}, engine.ErrLeft
			}
		}
	}
	return engine.Answer{Text: text, Engine: engine.Local, Model: engine.Local, Finish: "stop"}, nil
}

// reply says something to each thing that the last message does, questions last.
func reply(r engine.Request) string {
	text, name := lastMessage(r)
	parts := map[kind][]string{}
	for _, s := range sentences(text) {
		s = plain(s)
		k := kindOf(s)
		parts[k] = append(parts[k], s)
	}
	var said []string
	switch {
	case len(parts[statement]) > 0:
		said = append(said, acknowledge(parts[statement], r.User != ""))
	case len(parts[question])+len(parts[request])+len(parts[self]) > 0:
	case len(parts[thanks]) > 0:
		return "You're welcome."
	case len(parts[farewell]) > 0:
		return "Until next time."
	case len(parts[greeting]) > 0:
		return greet(r, name)
	default:
		return "All right."
	}
	for _, s := range parts[self] {
		said = append(said, introduce(s))
	}
	for _, q := range parts[question] {
		said = append(said, respond(q, r, name))
	}
	if len(parts[request]) > 0 {
		said = append(said, unable)
	}
	return strings.Join(said, " ")
}

const (
	unable      = "That takes a language model, and I am answering without one. I can keep what you tell me and find it again."
	whoAmI      = "I am the engine that answers without a language model: I keep what you tell me and find it again."
	unreachable = "I can't reach all of my memory at the moment, so I can't tell you that now. Please ask me again later."
)

func introduce(s string) string {
	if howAreRE.MatchString(s) {
		return "All is well here, thank you."
	}
	return whoAmI
}

func greet(r engine.Request, asker string) string {
	for _, c := range claims(r, asker) {
		if m := givenNameRE.FindStringSubmatch(c.text); m != nil && c.speaker == "" {
			return "Hello, " + m[1] + "."
		}
	}
	return "Hello. Tell me something, and I'll remember it."
}

// lastMessage is what the user said last, and the name they said it by.
func lastMessage(r engine.Request) (text, name string) {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if r.Messages[i].Role == engine.User {
			return r.Messages[i].Content, r.Messages[i].Name
		}
	}
	return "", ""
}

// fillers open a statement and say nothing.
var fillers = regexp.MustCompile(`(?i)^(?:(?:actually|well|so|oh|by the way|btw|anyway|you know|i mean),? )+`)

func unfilled(statement string) string { return fillers.ReplaceAllString(statement, "") }

// acknowledge says what was understood.
func acknowledge(statements []string, remembers bool) string {
	var understood []string
	for _, s := range statements {
		s = unfilled(s)
		if turnable(s) {
			understood = append(understood, "that "+inside(flip(ending(s))))
		} else {
			understood = append(understood, "“"+shorten(ending(s))+"”")
		}
		if len(understood) == 3 {
			break
		}
	}
	opening := "I'll remember "
	if !remembers {
		opening = "I see: you say "
	}
	text := opening + list(understood)
	if len(statements) > len(understood) {
		text += ", and the rest"
	}
	return text + "."
}

// respond answers a question from what is known, or says that nothing is.
func respond(q string, r engine.Request, asker string) string {
	all := claims(r, asker)
	w := read(q)
	w.about = append(w.about, referred(q, w, r)...)
	names := aliasesOf(all, r.Recalled)
	found := find(w, all, names)
	switch {
	case len(found) == 0 && r.Partial:
		return unreachable
	case len(found) == 0 && w.topic == "":
		return "I don't remember anything about that yet."
	case len(found) == 0 && names.knows(w.about, all):
		return "I don't remember that about " + w.topic + " yet."
	case len(found) == 0:
		return "I don't remember anything about " + w.topic + " yet."
	case found[0].partial:
		return "I don't remember that yet. What comes closest: " + strings.Replace(retell(found[:1], r.Now), "You told", "you told", 1)
	}
	return retell(found, r.Now)
}

// referred gives whom "she" or "it" in a question means: whom the user spoke of last.
func referred(q string, w wanted, r engine.Request) []string {
	if len(w.about) > 0 || !pronounRE.MatchString(q) {
		return nil
	}
	said := append(append([]engine.Message{}, r.History...), r.Messages...)
	for i := len(said) - 1; i >= 0; i-- {
		if said[i].Role != engine.User {
			continue
		}
		all := sentences(said[i].Content)
		for j := len(all) - 1; j >= 0; j-- {
			if about := read(all[j]).about; all[j] != q && len(about) > 0 {
				return about
			}
		}
	}
	return nil
}

// day tells whether two times are on one day, where a is.
func sameDay(a, b time.Time) bool {
	b = b.In(a.Location())
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}
