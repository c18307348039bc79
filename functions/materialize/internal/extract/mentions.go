package extract

import (
	"strings"

	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
	"github.com/aguante-chat/aguante/shared/graph"
)

// What stands before or in a name tells its kind.
var (
	beforePlaces = set("in to from near at around across visited visiting")
	beforePeople = set("with and met meet meeting call called told asked tell ask by mr mrs ms dr thanks thank hey hi hello bye congrats for")
	groupWords   = set(`inc corp ltd llc company university college school academy institute hospital bank club team band church museum
council foundation association society union department group studios records fc library restaurant café cafe gym`)
)

// mentions keeps the dates and names of a sentence that no rule has named. A name that starts a sentence counts only when
// it goes on: any word is written with a capital there.
func (d *drawing) mentions(s *phrase.Sentence) {
	for at := 0; at < len(s.Words); {
		if end, date := phrase.Date(s, at); end > at+1 || end > at && len(date) > 4 && date[0] >= '0' && date[0] <= '9' {
			d.mention(date, graph.Date)
			at = end
			continue
		}
		end, name := phrase.Name(s, at)
		if end > at && (at > 0 || end > 1) && !s.Words[at].Mark {
			d.mention(name, kindOf(s, at, name))
		}
		at = max(end, at+1)
	}
}

func kindOf(s *phrase.Sentence, at int, name string) string {
	for w := range strings.FieldsSeq(strings.ToLower(name)) {
		if groupWords[w] {
			return graph.Group
		}
	}
	before := s.Low(at - 1)
	if before == "the" {
		before = s.Low(at - 2)
	}
	if before == "," && greetings[s.Low(0)] || beforePeople[before] {
		return graph.Person
	}
	if beforePlaces[before] {
		return graph.Place
	}
	return graph.Thing
}
