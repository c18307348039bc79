package extract

import (
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
	"github.com/aguante-chat/aguante/shared/graph"
)

// A rule is a phrase pattern whose labels say what a fact is made of:
//
//	{place:lives_in}   whom the clause speaks of lives in what was read there
//	{place:-lives_in}  … no longer
//	{person:@}         the relation is the word captured before: "a sister named Lucía"
//	{relation:<@}      the other way round: "Lucía is my sister"
//	!-job              whatever the job was, it ends

// The tables, by what stands before: a subject, a subject and "not", a possessive, nothing.
var (
	predicates = phrase.NewTable(readers, slices.Concat(dateRules, relationRules, belongingRules, jobRules, placeRules, likeRules, nameRules)...)
	denials    = phrase.NewTable(readers, denialRules...)
	possessed  = phrase.NewTable(readers, slices.Concat(called, favourites, anniversaries, occupations)...)
	sayings    = phrase.NewTable(readers, callRules...)
)

// singles are the relations of which one has one object at a time: a new one ends the old.
var singles = set(`name nickname lives_in from born_in born_on grew_up_in birthday anniversary wedding age job works_for studies_at
spouse wife husband partner boyfriend girlfriend fiancé fiancée mother father best_friend boss colour diet`)

func single(relation string) bool {
	return singles[relation] || strings.HasPrefix(relation, "favourite_")
}

// tell makes facts of what a rule has read about who.
func (d *drawing) tell(who subject, m phrase.Match, said string, ended bool) {
	owner := who.name
	relation := "" // that "@" stands for
	for _, c := range m.Captures {
		if c.Kind == "relation" || c.Kind == "kin" || c.Kind == "noun" {
			relation = strings.ReplaceAll(c.Value, " ", "_")
		}
		if kind := kinds[c.Kind]; kind != "" {
			d.mention(c.Value, kind)
		}
		if strings.HasSuffix(c.Label, "@") && c.Kind == "person" {
			d.last = subject{name: c.Value, phrase: c.Value, thing: pets[relation]}
		}
		for label := range strings.SplitSeq(c.Label, ",") {
			f := graph.Fact{Subject: owner, Object: c.Value, Text: said, Ended: ended}
			label = strings.Replace(label, "@", relation, 1)
			label, reversed := strings.CutPrefix(label, "<")
			if reversed {
				f.Subject, f.Object = d.speaker.name, who.name
			}
			label, ends := strings.CutPrefix(label, "-")
			d.state(who, f, label, ends)
		}
	}
	if !who.first && !who.thing && who.relation == "" {
		d.mention(who.name, graph.Person)
	}
}

// state keeps one fact of a label: a name given to "my sister" is her name's relation to me.
func (d *drawing) state(who subject, f graph.Fact, label string, ends bool) {
	switch {
	case label == "" || ends && f.Ended:
		return
	case label == "name" && who.relation != "":
		f.Subject, label = who.owner, who.relation
		d.last = subject{name: f.Object, phrase: f.Object}
	case (label == "name" || label == "nickname") && !who.first:
		return
	}
	f.Relation, f.Single, f.Ended = label, single(label), f.Ended || ends
	d.fact(f)
}
