// Package extract draws people, things and facts from what was said, by rules and without a model. It would rather miss
// a fact than make one up: questions, wishes, conditions and denials make none.
package extract

import (
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

// Drawn is what was drawn from a turn.
type Drawn struct {
	Mentions []graph.Entity
	Facts    []graph.Fact
}

// Bounds on what one turn may yield, and on how much of a message is read: a hostile text costs no more than a long one.
const (
	maxFacts    = 64
	maxMentions = 128
	maxText     = 16 << 10
)

// Extract reads the messages that people said: those of users, and of others who are named, but never an assistant's.
func Extract(t graph.Turn) Drawn {
	d := &drawing{seen: map[graph.Entity]bool{}, told: map[graph.Fact]bool{}}
	for _, m := range t.Messages {
		switch m.Role {
		case "assistant", "system", "tool", "developer", "function":
		default:
			d.message(m)
		}
	}
	return d.Drawn
}

// drawing is one turn's yield so far, and whom "he" and "she" mean.
type drawing struct {
	Drawn
	seen    map[graph.Entity]bool
	told    map[graph.Fact]bool
	speaker string  // graph.Self, or the speaker's name
	last    subject // the last person spoken of
}

func (d *drawing) message(m graph.Message) {
	d.speaker, d.last = graph.Self, subject{}
	if m.Name != "" {
		d.speaker = m.Name
		d.mention(m.Name, graph.Person)
	}
	text := m.Content[:min(len(m.Content), maxText)]
	for _, s := range sentences(text) {
		if !s.asks && !s.supposes() {
			d.names(s)
			d.sentence(s)
		}
		d.mentions(s)
	}
}

// sentence reads a sentence clause by clause. A clause without a subject has that of the clause before: "my sister lives
// in Cuenca and works as a nurse".
func (d *drawing) sentence(s sentence) {
	var who subject
	for _, clause := range s.clauses() {
		if supposes(clause) {
			return
		}
		found, rest, ok := d.subject(clause)
		if ok {
			who = found
		} else if who.name == "" {
			d.subjectless(clause)
			continue
		}
		d.predicate(who, rest, clause)
	}
}

// predicate tries the families of rules on what a clause says of its subject.
func (d *drawing) predicate(who subject, rest, clause string) {
	said := clause
	if !strings.HasSuffix(clause, rest) || clause == rest {
		said = strings.TrimSpace(who.phrase + " " + rest)
	}
	rest, state := modality(rest)
	if state == denies {
		d.denied(who, rest, said)
		return
	}
	for _, family := range families {
		for _, r := range family {
			if m := r.pattern.FindStringSubmatch(rest); m != nil {
				r.draw(&clauseDrawing{drawing: d, who: who, said: said, ended: state == ends}, m[1:])
				if r.last {
					return
				}
			}
		}
	}
}

// fact keeps a fact once.
func (d *drawing) fact(f graph.Fact) {
	f.Subject, f.Object, f.Text = tidy(f.Subject), tidy(f.Object), strings.TrimSpace(f.Text)
	if f.Subject == "" || f.Object == "" || len(f.Object) > graph.MaxName || len(d.Facts) >= maxFacts || d.told[f] {
		return
	}
	d.told[f] = true
	d.Facts = append(d.Facts, f)
}

// mention keeps a mention once, under the first kind that was sure.
func (d *drawing) mention(name, kind string) {
	e := graph.Entity{Name: tidy(name), Kind: kind}
	if e.Name == "" || len(e.Name) > graph.MaxName || len(d.Mentions) >= maxMentions || d.seen[e] {
		return
	}
	d.seen[e] = true
	d.Mentions = append(d.Mentions, e)
}

func tidy(s string) string { return strings.Trim(strings.TrimSpace(s), `.,;:!"'“”()`) }
