package extract

import (
	"regexp"

	"github.com/aguante-chat/aguante/shared/graph"
)

// place is a capitalised name, with what it lies in: "Portland, Oregon", "the Bronx".
const place = `(?:the )?(` + name + `(?:, ` + name + `)?)`

// placeRules: "I live in Cuenca", "she moved from Loja to Quito", "he is from Peru", "I was born in Lima", "I used to
// live in Loja".
var placeRules = []rule{
	telling(`^(?:live|lives|lived|living|am living|is living|are living|reside|resides|am based|is based|am staying|is staying)(?: now| currently| alone| together| with [\p{L} ]{1,40}?)? in `+place, "lives_in", true, graph.Place),
	{pattern: regexp.MustCompile(`^(?:(?:have|has|'ve) )?(?:moved|relocated)(?: back| over| away| house)?(?: from ` + place + `)?(?: back| over)? to ` + place), last: true,
		draw: func(c *clauseDrawing, m []string) {
			if m[0] != "" {
				c.mention(m[0], graph.Place)
			}
			c.tell("lives_in", m[1], true, graph.Place)
		}},
	{pattern: regexp.MustCompile(`^(?:have |has |'ve )?moved (?:away |out )?(?:from|of) ` + place + `$`), last: true,
		draw: func(c *clauseDrawing, m []string) { c.ended = true; c.tell("lives_in", m[0], true, graph.Place) }},
	telling(`^(?:am|is|are|come|comes|came) (?:originally )?from `+place, "from", true, graph.Place),
	telling(`^(?:was|were) born (?:and raised )?in `+place, "born_in", true, graph.Place),
	telling(`^(?:was born and )?(?:grew up|was raised|raised) in `+place, "grew_up_in", true, graph.Place),
	telling(`^(?:am|is|are) (?:on holiday|on vacation|travell?ing|visiting)(?: in| to| around)? `+place, "visited", false, graph.Place),
	telling(`^(?:have |has |'ve )?(?:visited|travell?ed to|been to|went to|flew to) `+place, "visited", false, graph.Place),
}
