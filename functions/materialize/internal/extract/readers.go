package extract

import (
	"strings"

	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
	"github.com/aguante-chat/aguante/shared/graph"
)

// readers are what the rules may capture.
var readers = map[string]phrase.Reader{
	"person":    phrase.Person,
	"firstname": phrase.FirstName,
	"place":     phrase.Place,
	"group":     phrase.Name,
	"thing":     phrase.Thing,
	"activity":  liked,
	"noun":      favourite,
	"date":      phrase.Date,
	"number":    phrase.Number,
	"relation":  phrase.OneOf(relations),
	"kin":       phrase.OneOf(kin),
	"job":       phrase.EndingIn(phrase.OneOf(same(jobs)), true),
	"post":      post,
	"belonging": phrase.EndingIn(phrase.OneOf(same(belongings)), false),
	"colour":    phrase.EndingIn(phrase.OneOf(same(colours)), true),
	"game":      phrase.OneOf(same(games)),
	"retired":   phrase.OneOf(same("retired")),
	"diet":      phrase.OneOf(same(diets)),
	"workplace": phrase.EndingIn(phrase.OneOf(same(workplaces)), true),
	"field":     phrase.EndingIn(phrase.OneOf(same(fields)), true),
	"school":    school,
}

// kinds are the readers whose values are mentioned, and as what.
var kinds = map[string]string{
	"person": graph.Person, "firstname": graph.Person, "place": graph.Place, "group": graph.Group, "date": graph.Date,
	"thing": graph.Thing, "activity": graph.Thing, "job": graph.Thing, "post": graph.Thing, "belonging": graph.Thing, "game": graph.Thing,
	"workplace": graph.Group, "school": graph.Group, "field": graph.Thing,
}

// same maps every phrase of a list, between commas or at single words, to itself.
func same(list string) map[string]string {
	all := map[string]string{}
	for p := range strings.SplitSeq(list, ",") {
		p = strings.Join(strings.Fields(p), " ")
		all[p] = p
	}
	return all
}

// post is any noun phrase that somebody may work as.
func post(s *phrase.Sentence, at int) (int, string) {
	end, value := phrase.Thing(s, at)
	return end, strings.ToLower(value)
}

// school is a name with a school's word in it.
func school(s *phrase.Sentence, at int) (int, string) {
	start := at
	if s.Low(at) == "the" {
		start++
	}
	end, name := phrase.Name(s, start)
	for w := range strings.FieldsSeq(name) {
		if groupWords[strings.ToLower(w)] {
			return end, name
		}
	}
	return at, ""
}
