package extract

import (
	"regexp"
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

const (
	animal  = `(?:dog|puppy|pup|cat|kitten|kitty|rabbit|bunny|hamster|guinea pig|parrot|budgie|canary|bird|horse|pony|goldfish|fish|turtle|tortoise|snake|lizard|gecko|ferret|rat|mouse|chicken|hen|goat|pig|cow|pet)`
	belongs = `(?:car|bike|bicycle|motorbike|motorcycle|scooter|van|truck|boat|house|flat|apartment|cabin|farm|garden|phone|laptop|computer|camera|guitar|piano|violin|drum kit|telescope|bakery|shop|store|restaurant|company|business|studio|collection|tent|kayak|surfboard|skateboard|watch|ring|necklace|book|painting|record player)`
	kind    = `((?:[\p{L}\d-]+ ){0,3}?` + belongs + `s?)`
)

// belongingRules: "I have a dog named Rex", "we adopted a cat", "I bought a red car", "she owns a bakery", "I sold my car".
var belongingRules = []rule{
	{pattern: regexp.MustCompile(`^(?:have|has|had|own|owns|'ve got|have got|has got|got|adopted|bought|rescued|found|keep|keeps)(?: also| just| recently)? (?:an?|one|two|three|my|our|another)? ?(?:[\p{L}\d-]+ ){0,3}?(` + animal + `)s?,? (?:named|called|whose name is|and named (?:him|her|it|them)) ` + names + `(?:,? and ` + names + `)?`), last: true,
		draw: func(c *clauseDrawing, m []string) { c.pet(m[0], m[1:]...) }},
	{pattern: regexp.MustCompile(`^(?:have|has|own|owns|'ve got|have got|has got|got|adopted|rescued)(?: also| just| recently)? (?:an?|one|two|three|four|another) ((?:[\p{L}\d-]+ ){0,2}?` + animal + `s?)` + stop), last: true,
		draw: func(c *clauseDrawing, m []string) { c.tell("has", m[0], false, graph.Thing) }},
	telling(`^(?:have|has|own|owns|'ve got|have got|has got|got|bought|purchased|inherited|rent|rents|run|runs|opened)(?: also| just| recently)? (?:an?|the|my|our|his|her|another|my own|her own|his own) `+kind+stop, "has", false, graph.Thing),
	{pattern: regexp.MustCompile(`^(?:sold|lost|gave away|crashed|broke|got rid of|returned) (?:my|our|his|her|the) (?:old )?` + kind + stop), last: true,
		draw: func(c *clauseDrawing, m []string) { c.ended = true; c.tell("has", m[0], false, graph.Thing) }},
	telling(`^(?:speak|speaks) (?:fluent )?`+names, "speaks", false, graph.Thing),
	telling(`^(?:play|plays|playing) (?:the )?(guitar|piano|violin|drums|bass|cello|flute|saxophone|trumpet|clarinet|harp|ukulele|football|soccer|tennis|basketball|baseball|volleyball|hockey|golf|chess|badminton|rugby|cricket)\b`, "plays", false, graph.Thing),
	telling(`^(?:drive|drives) (?:an?|the|my) `+thing+stop, "has", false, graph.Thing),
}

// pet is an animal with a name.
func (c *clauseDrawing) pet(animal string, called ...string) {
	for _, name := range called {
		if name != "" {
			c.tell("has_"+strings.ReplaceAll(animal, " ", "_"), name, false, graph.Thing)
		}
	}
}

// possessions read clauses that start with "my": "my dog is called Rex", "my dog Rex …", "my favourite colour is blue", "my
// birthday is on 3 May", "my bike is red".
var possessions = []rule{
	{pattern: regexp.MustCompile(`^(?:[Mm]y|[Oo]ur) (?:[\p{L}-]+ ){0,2}?(` + animal + `)(?:'s|’s)?(?: name)?(?:'s name)? (?:is called |is named |is |'s name is )?` + names), draw: func(c *clauseDrawing, m []string) { c.pet(m[0], m[1]) }},
	{pattern: regexp.MustCompile(`^(?:[Mm]y|[Oo]ur) favou?rite ([\p{L} ]{2,30}?) (?:is|are|was|has always been) (?:the |a |an )?` + thing + stop),
		draw: func(c *clauseDrawing, m []string) {
			c.tell("favourite_"+strings.ReplaceAll(m[0], " ", "_"), m[1], true, graph.Thing)
		}},
	{pattern: regexp.MustCompile(`^(?:[Mm]y|[Oo]ur) ((?:wedding )?anniversary|birthday)(?: is|'s|’s| falls)(?: on| in)? ` + date),
		draw: func(c *clauseDrawing, m []string) {
			c.tell(strings.ReplaceAll(m[0], " ", "_"), m[1], true, graph.Date)
		}},
	{pattern: regexp.MustCompile(`^(?:[Mm]y|[Oo]ur) (` + relationWords + `)(?:'s|’s) (birthday|anniversary)(?: is|'s|’s| falls)(?: on| in)? ` + date),
		draw: func(c *clauseDrawing, m []string) {
			c.who = subject{name: c.owned(relations[strings.ToLower(m[0])]), person: true}
			c.tell(m[1], m[2], true, graph.Date)
		}},
	{pattern: regexp.MustCompile(`^(` + name + `)(?:'s|’s) (birthday|anniversary)(?: is|'s|’s| falls)(?: on| in)? ` + date),
		draw: func(c *clauseDrawing, m []string) {
			c.who = subject{name: m[0], person: true}
			c.tell(m[1], m[2], true, graph.Date)
		}},
	{pattern: regexp.MustCompile(`^(?:[Mm]y|[Oo]ur) (?:new |old )?(job|profession) is (?:an? |being an? )?` + thing + stop),
		draw: func(c *clauseDrawing, m []string) { c.tell("job", m[1], true, graph.Thing) }},
	{pattern: regexp.MustCompile(`^(?:[Mm]y|[Oo]ur) (` + belongs + `) is ((?:dark |light |bright )?(?:red|blue|green|yellow|black|white|grey|gray|orange|purple|pink|brown|silver|gold))\b`),
		draw: func(c *clauseDrawing, m []string) {
			c.who = subject{name: strings.TrimSpace(c.owned(m[0]))}
			c.tell("colour", m[1], true, graph.Thing)
		}},
	{pattern: regexp.MustCompile(`^(?:[Mm]y|[Oo]ur) (` + relationWords + `)(?:'s|’s) name(?: is|'s|’s) ` + names),
		draw: func(c *clauseDrawing, m []string) {
			c.who.name = c.owned(relations[strings.ToLower(m[0])])
			c.called(m[1])
		}},
}
