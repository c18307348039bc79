package extract

import (
	"regexp"

	"github.com/aguante-chat/aguante/shared/graph"
)

// occupation is what "I'm a …" makes a job: "I'm a nurse" is one, "I'm a bit tired" is none.
const occupation = `((?:[\p{L}-]+ ){0,2}?(?:nurse|doctor|teacher|professor|lecturer|tutor|engineer|developer|programmer|designer|architect|artist|painter|writer|author|poet|journalist|editor|photographer|musician|singer|guitarist|pianist|drummer|dancer|actor|actress|chef|cook|baker|waiter|waitress|barista|bartender|driver|pilot|mechanic|electrician|plumber|carpenter|builder|farmer|gardener|florist|firefighter|policeman|policewoman|police officer|soldier|lawyer|attorney|judge|accountant|banker|consultant|manager|director|analyst|scientist|researcher|biologist|chemist|physicist|mathematician|psychologist|psychiatrist|therapist|counsel?lor|social worker|dentist|surgeon|vet|veterinarian|pharmacist|paramedic|midwife|carer|nanny|hairdresser|barber|tailor|secretary|receptionist|librarian|translator|interpreter|salesman|saleswoman|salesperson|cashier|shopkeeper|entrepreneur|freelancer|student|intern|apprentice|politician|priest|pastor|coach|trainer|athlete|footballer|swimmer|producer|composer|model|janitor|cleaner|technician|electronics engineer|data scientist|product owner|project manager|software engineer))`

// jobRules: "I work as a nurse", "she works at Initech", "he is a teacher", "I quit my job at Initech", "I study law at
// Yale", "I retired".
var jobRules = []rule{
	{pattern: regexp.MustCompile(`^(?:work|works|worked|working|am working|is working|got a job|have a job|has a job|started(?: working)?) as (?:an? |the )?` + thing + `(?: (?:at|for|with) (?:the )?` + names + `)?` + stop), last: true,
		draw: func(c *clauseDrawing, m []string) {
			c.tell("job", m[0], true, graph.Thing)
			if m[1] != "" {
				c.tell("works_for", m[1], true, graph.Group)
			}
		}},
	telling(`^(?:work|works|worked|working|am working|is working|got a job|have a job|has a job|started(?: working)?|am employed|is employed) (?:at|for|with|by) (?:the )?`+names, "works_for", true, graph.Group),
	telling(`^(?:am|is|'m|became|was promoted to|got promoted to)(?: now| also| currently)? (?:an?|the) `+occupation+`\b`, "job", true, graph.Thing),
	{pattern: regexp.MustCompile(`^(?:quit|left|lost|resigned from|got fired from) (?:my|his|her|their) (?:old )?job(?: (?:at|with) (?:the )?` + names + `)?`), last: true, draw: leaving},
	{pattern: regexp.MustCompile(`^my job(?: at (?:the )?` + names + `)?$`), last: true, draw: func(c *clauseDrawing, m []string) {
		if c.ended {
			leaving(c, m)
		}
	}},
	{pattern: regexp.MustCompile(`^(?:am |is )?retired$`), last: true, draw: func(c *clauseDrawing, _ []string) { c.tell("job", "retired", true, graph.Thing) }},
	telling(`^(?:study|studies|studied|am studying|is studying|major in|majors in) `+thing+stop, "studies", false, graph.Thing),
	telling(`^(?:go|goes|went) to (`+name+` (?:University|College|School|High)|University of `+name+`)`, "studies_at", true, graph.Group),
}

// leaving ends a job, whichever it was, and the employer if he is named.
func leaving(c *clauseDrawing, m []string) {
	c.ended = true
	if m[0] != "" {
		c.tell("works_for", m[0], true, graph.Group)
	}
}
