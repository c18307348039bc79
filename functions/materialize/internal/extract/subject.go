package extract

import (
	"regexp"
	"strings"

	"github.com/aguante-chat/aguante/shared/graph"
)

// subject is whom or what a clause speaks of.
type subject struct {
	name   string // as facts name it
	phrase string // as the speaker put it: "my sister Lucía"
	person bool
}

// Building blocks of the rules. A name is one to four capitalised words.
const (
	word  = `\p{Lu}[\p{L}\p{M}\d'’&-]*`
	name  = word + `(?: (?:de |del |la |van |von |of |the |da |di )?` + word + `){0,3}`
	names = `(` + name + `)`
	// thing is what follows an article, up to where something else begins.
	thing = `([\p{L}\p{M}\d][\p{L}\p{M}\d'’ &+#-]{0,60}?)`
	// stop is where a thing ends.
	stop = `(?:$|[.,;:!?()]| (?:and|but|because|so|since|that|which|who|when|while|with|for|in|at|on|from|to|as|last|this|next|every|yesterday|today|now|too|as well|very much|a lot|so much|these days|anymore|any more)\b)`
)

var (
	myself    = regexp.MustCompile(`^(?:I|i|We|we)(?:'m|’m|'ve|’ve|'d|’d|'re|’re)?\s+(?:both |all |also |still |just |really )?`)
	relative  = regexp.MustCompile(`^([Mm]y|[Oo]ur)\s+(?:(?:older|younger|little|big|twin|elder|eldest|youngest|dear|late|half|step|new|old|other|lovely|beloved)[ -])*(` + relationWords + `)(?:'s name|’s name)?(?:,?\s+` + names + `)?,?\s+`)
	pronoun   = regexp.MustCompile(`^(?:[Hh]e|[Ss]he|[Tt]hey|[Hh]e's|[Ss]he's|[Tt]hey're|[Hh]e’s|[Ss]he’s)\s+`)
	proper    = regexp.MustCompile(`^` + names + `\s+`)
	notPerson = regexp.MustCompile(`^(?:The|This|That|These|Those|There|Here|It|It's|What|Who|How|When|Where|Why|A|An|In|On|At|For|With|To|My|Our|Your|You|He|She|They|We|I|If|But|And|So|As|One|Some|Many|Most|All|Everyone|Everybody|Nobody|Someone|Let's|Don't|Do|Not|No|Yes|Just|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|January|February|March|April|June|July|August|September|October|November|December|Today|Yesterday|Tomorrow|Last|Next|Every|Christmas|Easter)\b`)
)

// subject recognises what a clause starts with and returns what is said of it.
func (d *drawing) subject(clause string) (subject, string, bool) {
	if at := myself.FindStringIndex(clause); at != nil {
		rest := clause[at[1]:]
		if m := contraction.FindString(clause[:at[1]]); m != "" {
			rest = "am " + rest
		}
		return subject{name: d.speaker, phrase: strings.Fields(clause)[0], person: true}, rest, true
	}
	if m := relative.FindStringSubmatchIndex(clause); m != nil {
		return d.relative(clause, m)
	}
	if at := pronoun.FindStringIndex(clause); at != nil && d.last.name != "" {
		rest := clause[at[1]:]
		if strings.ContainsAny(clause[:at[1]], "'’") {
			rest = "is " + rest
		}
		return d.last, rest, true
	}
	if m := proper.FindStringSubmatchIndex(clause); m != nil && !notPerson.MatchString(clause) && verbLike.MatchString(clause[m[1]:]) {
		who := clause[m[2]:m[3]]
		d.last = subject{name: who, phrase: who, person: true}
		return d.last, clause[m[1]:], true
	}
	return subject{}, clause, false
}

var (
	contraction = regexp.MustCompile(`['’](?:m|re)\b`)
	verbLike    = regexp.MustCompile(`^(?:is|was|has|had|lives?|lived|works?|worked|likes?|loves?|loved|hates?|enjoys?|moved|studies|studied|owns?|bought|adopted|got|comes|grew|no longer|used to|doesn't|isn't|also|really|and (?:I|me)|retired|quit|sold|plays|speaks|drives|teaches)\b`)
)

// relative is "my sister", named or not. A name makes a fact of its own; without one the relation stands for the person.
func (d *drawing) relative(clause string, m []int) (subject, string, bool) {
	relation := relations[strings.ToLower(clause[m[4]:m[5]])]
	rest := clause[m[1]:]
	phrase := strings.TrimRight(clause[m[0]:m[1]], " ,")
	if m[6] < 0 || notPerson.MatchString(clause[m[6]:m[7]]) {
		if m[6] >= 0 {
			rest = clause[m[6]:]
		}
		d.last = subject{name: d.owned(relation), phrase: phrase, person: true}
		return d.last, rest, true
	}
	who := clause[m[6]:m[7]]
	d.last = subject{name: who, phrase: phrase, person: true}
	d.mention(who, graph.Person)
	d.fact(d.related(relation, who, strings.TrimSpace(clause)))
	return d.last, rest, true
}

// owned names someone who has no name yet: "my sister", or "Caroline's sister".
func (d *drawing) owned(relation string) string {
	if d.speaker == graph.Self {
		return "my " + strings.ReplaceAll(relation, "_", " ")
	}
	return d.speaker + "'s " + strings.ReplaceAll(relation, "_", " ")
}

func (d *drawing) related(relation, who, text string) graph.Fact {
	return graph.Fact{Subject: d.speaker, Relation: relation, Object: who, Single: oneAtATime[relation], Text: text}
}
