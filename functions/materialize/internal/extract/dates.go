package extract

import (
	"regexp"

	"github.com/aguante-chat/aguante/shared/graph"
)

const (
	month = `(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)`
	day   = `\d{1,2}(?:st|nd|rd|th)?`
	date  = `((?:the )?` + day + `(?: of)? ` + month + `(?:,? \d{4})?|` + month + ` ` + day + `(?:,? \d{4})?|` + month + `(?: \d{4})?|\d{4}-\d{2}-\d{2}|(?:1[89]|20)\d{2})`
)

// dateRules: "she was born on 3 May 1990". Birthdays and anniversaries that one has are among the possessions.
var dateRules = []rule{
	telling(`^(?:was|were) born (?:on |in )`+date, "born_on", true, graph.Date),
	telling(`^(?:got married|married|wed) (?:on|in) `+date, "wedding_date", true, graph.Date),
	telling(`^(?:graduated|graduates) (?:on|in) `+date, "graduated_on", true, graph.Date),
	telling(`^(?:am|is|turned|turn|turns|just turned) (\d{1,3})(?: years old)?$`, "age", true, graph.Thing),
}

// anyDate finds the dates that a text mentions.
var anyDate = regexp.MustCompile(`\b(?:` + day + `(?: of)? ` + month + `(?:,? \d{4})?|` + month + ` ` + day + `(?:,? \d{4})?|` + month + ` \d{4}|\d{4}-\d{2}-\d{2})\b`)
