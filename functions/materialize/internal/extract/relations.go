package extract

import (
	"regexp"
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

// relations are the words for people who belong to the speaker, by the relation they stand for.
var relations = map[string]string{
	"sister": "sister", "sis": "sister", "brother": "brother", "bro": "brother", "sibling": "sibling",
	"mother": "mother", "mom": "mother", "mum": "mother", "mama": "mother", "father": "father", "dad": "father", "papa": "father",
	"son": "son", "daughter": "daughter", "kid": "child", "child": "child", "baby": "child",
	"wife": "wife", "husband": "husband", "spouse": "spouse", "partner": "partner", "boyfriend": "boyfriend",
	"girlfriend": "girlfriend", "fiancé": "fiancé", "fiancée": "fiancée", "fiance": "fiancé", "fiancee": "fiancée",
	"best friend": "best_friend", "friend": "friend", "buddy": "friend", "roommate": "roommate", "flatmate": "roommate",
	"neighbour": "neighbour", "neighbor": "neighbour", "boss": "boss", "manager": "boss", "colleague": "colleague",
	"coworker": "colleague", "co-worker": "colleague", "teacher": "teacher", "coach": "coach", "mentor": "mentor",
	"aunt": "aunt", "uncle": "uncle", "cousin": "cousin", "niece": "niece", "nephew": "nephew",
	"grandmother": "grandmother", "grandma": "grandmother", "granny": "grandmother", "grandfather": "grandfather",
	"grandpa": "grandfather", "grandson": "grandson", "granddaughter": "granddaughter", "doctor": "doctor",
	"mother-in-law": "mother_in_law", "father-in-law": "father_in_law", "stepmother": "stepmother", "stepfather": "stepfather",
}

const relationWords = `best friend|mother-in-law|father-in-law|stepmother|stepfather|sister|sis|brother|bro|sibling|mother|mom|mum|mama|father|dad|papa|son|daughter|kid|child|baby|wife|husband|spouse|partner|boyfriend|girlfriend|fiancée?|fiancee?|friend|buddy|roommate|flatmate|neighbou?r|boss|manager|colleague|co-?worker|teacher|coach|mentor|aunt|uncle|cousin|niece|nephew|grandmother|grandma|granny|grandfather|grandpa|grandson|granddaughter|doctor`

// oneAtATime are the relations of which one has one at a time: a new one ends the old.
var oneAtATime = map[string]bool{
	"mother": true, "father": true, "wife": true, "husband": true, "spouse": true, "partner": true, "boyfriend": true,
	"girlfriend": true, "fiancé": true, "fiancée": true, "best_friend": true, "boss": true,
}

// relationRules: "My sister's name is Lucía", "My brother is called Tom", "I have a sister named Lucía", "Lucía is my
// sister", "I broke up with Tom", "I am married to Ana".
var relationRules = []rule{
	{pattern: regexp.MustCompile(`^(?:is|was) (?:called|named) ` + names), last: true, draw: func(c *clauseDrawing, m []string) { c.called(m[0]) }},
	{pattern: regexp.MustCompile(`^is ` + names + `$`), last: true, draw: func(c *clauseDrawing, m []string) { c.called(m[0]) }},
	{pattern: regexp.MustCompile(`^(?:is|was|has been) (?:my|our) (?:(?:older|younger|little|big|twin|elder|dear|late|new|old) )*(` + relationWords + `)\b`), last: true,
		draw: func(c *clauseDrawing, m []string) {
			c.mention(c.who.name, graph.Person)
			f := c.related(relations[strings.ToLower(m[0])], c.who.name, c.said)
			f.Ended = c.ended
			c.fact(f)
		}},
	{pattern: regexp.MustCompile(`^(?:have|has|'ve got|have got|has got|got) (?:an?|one|two|three|four|\d) (?:(?:older|younger|little|big|twin|elder|new|good|close|great|dear|best) )*(` + relationWords + `)s?,? (?:named|called|whose name is) ` + names + `(?:,? and ` + names + `)?`), last: true,
		draw: func(c *clauseDrawing, m []string) {
			for _, who := range m[1:] {
				if who != "" {
					c.mention(who, graph.Person)
					c.relate(relations[strings.ToLower(m[0])], who)
				}
			}
		}},
	{pattern: regexp.MustCompile(`^(?:am|is|are|got|was) (?:married|engaged) to ` + names), last: true,
		draw: func(c *clauseDrawing, m []string) { c.mention(m[0], graph.Person); c.relate("spouse", m[0]) }},
	{pattern: regexp.MustCompile(`^(?:broke up with|divorced|split up with|separated from|left) ` + names + `$`), last: true,
		draw: func(c *clauseDrawing, m []string) {
			c.mention(m[0], graph.Person)
			for _, r := range []string{"partner", "boyfriend", "girlfriend", "wife", "husband", "spouse"} {
				c.fact(graph.Fact{Subject: c.who.name, Relation: r, Object: m[0], Single: true, Ended: true, Text: c.said})
			}
		}},
}

// called gives a name to "my sister", or to the speaker.
func (c *clauseDrawing) called(who string) {
	c.mention(who, graph.Person)
	owner := strings.TrimSuffix(c.owned(""), " ")
	if relation, ok := strings.CutPrefix(c.who.name, owner+" "); ok {
		c.fact(c.related(strings.ReplaceAll(relation, " ", "_"), who, c.said))
		c.last = subject{name: who, phrase: who, person: true}
		return
	}
	if c.who.name == c.speaker {
		c.fact(graph.Fact{Subject: c.speaker, Relation: "name", Object: who, Single: true, Text: c.said})
	}
}

// relate is a relation of whoever the clause speaks of.
func (c *clauseDrawing) relate(relation, who string) {
	c.fact(graph.Fact{Subject: c.who.name, Relation: relation, Object: who, Single: oneAtATime[relation], Ended: c.ended, Text: c.said})
}

// naming are the ways to say one's own name. "I'm Ana" counts only beside a greeting: "I'm Spanish" is no name.
var naming = []*regexp.Regexp{
	regexp.MustCompile(`\b[Mm]y (?:full |first |real )?name(?: is|'s|’s) ` + names),
	regexp.MustCompile(`\b(?:[Cc]all me|I go by|I am called|I'm called|I’m called) ` + names),
	regexp.MustCompile(`^(?:[Hh]i|[Hh]ello|[Hh]ey)(?: there| everyone| all)?[,!.]? (?:I'm|I am|I’m|this is) ` + names + `(?:$|[,.])`),
}

func (d *drawing) names(s sentence) {
	for _, p := range naming {
		if m := p.FindStringSubmatch(s.text); m != nil {
			d.mention(m[1], graph.Person)
			d.fact(graph.Fact{Subject: d.speaker, Relation: "name", Object: m[1], Single: true, Text: m[0]})
			return
		}
	}
}
