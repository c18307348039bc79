package extract

import (
	"regexp"
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

// capitalised finds names inside a sentence; its first word is capitalised anyway and tells nothing.
var capitalised = regexp.MustCompile(`(?:^|[\s("'])(` + name + `)`)

// mentions keeps the dates and names of a sentence that no rule has named.
func (d *drawing) mentions(s sentence) {
	for _, found := range anyDate.FindAllString(s.text, 16) {
		d.mention(found, graph.Date)
	}
	for _, at := range capitalised.FindAllStringSubmatchIndex(s.text, 32) {
		found := strings.TrimSuffix(strings.TrimSuffix(s.text[at[2]:at[3]], "'s"), "’s")
		if at[2] > 0 && !notPerson.MatchString(found) && found != "I" && !strings.HasPrefix(found, "I'") && !d.known(found) {
			d.mention(found, graph.Thing)
		}
	}
}

// known tells whether a name was mentioned already, under whatever kind.
func (d *drawing) known(name string) bool {
	for e := range d.seen {
		if e.Name == name || strings.Contains(e.Name, name) {
			return true
		}
	}
	return false
}
