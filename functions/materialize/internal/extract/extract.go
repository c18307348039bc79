// Package extract draws people, things and facts from what was said, by rules and without a model. It would rather miss
// a fact than make one up: questions, wishes, conditions, denials and other people's words make none. The rules are the
// tables of names.go, relations.go, places.go, likes.go, dates.go, jobs.go and belongings.go.
package extract

import (
	"strings"

	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
	"github.com/aguante-chat/aguante/shared/graph"
)

// Drawn is what was drawn from a turn.
type Drawn struct {
	Mentions []graph.Entity
	Facts    []graph.Fact
}

// Bounds on what one turn may yield.
const (
	maxFacts    = 64
	maxMentions = 128
)

// Extract reads the messages that people said: those of users, and of others who are named, but never an assistant's.
func Extract(t graph.Turn) Drawn {
	d := &drawing{kinds: map[string]string{}, told: map[graph.Fact]bool{}}
	for _, m := range t.Messages {
		if human(m) {
			d.message(m)
		}
	}
	return d.Drawn
}

var machines = set("assistant system tool developer function ai bot model")

func human(m graph.Message) bool {
	return m.Role == "user" || m.Name != "" && !machines[m.Role]
}

// drawing is one turn's yield so far, and whom the words now read speak of.
type drawing struct {
	Drawn
	kinds   map[string]string   // of mentions, by name
	told    map[graph.Fact]bool // without their texts
	speaker subject
	last    subject // the last person or animal spoken of: "he", "she"
	who     subject // of the clause before: "… and works as a nurse"
	clauses []clause
	greeted bool // the sentence starts with a greeting
}

func (d *drawing) message(m graph.Message) {
	d.speaker = subject{name: graph.Self, first: true}
	if m.Name != "" {
		d.speaker.name = plain(m.Name)
		d.mention(d.speaker.name, graph.Person)
	}
	d.last = subject{}
	for s := range phrase.Sentences(plain(m.Content)) {
		d.who = subject{}
		d.sentence(s)
		d.mentions(s)
	}
}

// fact keeps a fact once. One that no store would take is none.
func (d *drawing) fact(f graph.Fact) {
	if f.Object == "" && (!f.Ended || !f.Single) || !fits(f.Subject) || len(f.Object) > graph.MaxName || len(d.Facts) >= maxFacts {
		return
	}
	once := f
	once.Text = ""
	if !d.told[once] {
		d.told[once] = true
		d.Facts = append(d.Facts, f)
	}
}

// mention keeps a mention once, as the first kind that was named.
func (d *drawing) mention(name, kind string) {
	if !fits(name) || len(d.Mentions) >= maxMentions || d.kinds[name] != "" {
		return
	}
	d.kinds[name] = kind
	d.Mentions = append(d.Mentions, graph.Entity{Name: name, Kind: kind})
}

func plain(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func fits(name string) bool { return len(name) <= graph.MaxName && graph.Key(name) != "" }

func set(words string) map[string]bool { return phrase.Set(words) }
