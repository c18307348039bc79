package local

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

// claim is one thing that somebody said: a sentence, or a clause of one.
type claim struct {
	text     string
	speaker  string    // empty: the user
	at       time.Time // zero: in this session
	rank     float64   // how well it was recalled, 0 to 1
	place    int       // among all claims: this session's first, the latest before the others
	terms    map[string]bool
	concepts map[string]bool
	names    []string // terms that are written as names
	me       bool     // its subject is who says it
	mine     bool     // who says it is in it
	score    float64
	partial  bool // it is about the right thing, and does not say what was asked
}

func newClaim(text, speaker string, at time.Time, rank float64) claim {
	c := claim{text: text, speaker: speaker, at: at, rank: rank, terms: map[string]bool{}, concepts: map[string]bool{}}
	tokens := tokenRE.FindAllString(text, -1)
	for _, w := range wordsOf(tokens) {
		bare := strings.TrimSuffix(w.text, "'s")
		term := termOf(bare)
		if concept := concepts[bare]; concept != "" {
			c.concepts[concept] = true
		}
		c.mine = c.mine || first[w.text]
		if term == "" {
			continue
		}
		c.terms[term] = true
		if isName(tokens[w.at]) && (!w.first || !opens[w.text]) {
			c.names = append(c.names, term)
		}
	}
	c.me = meRE.MatchString(text)
	for concept, re := range shapes {
		if re.MatchString(text) {
			c.concepts[concept] = true
		}
	}
	return c
}

// meRE finds that the speaker is the subject, or something that is as good: "my name is".
var meRE = regexp.MustCompile(`(?i)\b(i|i['’](m|ve|d|ll)|im|ive|we|we['’](re|ve))\b|\b(my|our) (own )?(full |first |last |favou?rite |new )?(name|job|work|profession|birthday|age|home|house|address|hobby|hobbies|favou?rite)\b|\bcall me\b`)

// shapes are concepts that a sentence may hold without a word for it: "I'm 34", "she is a nurse".
var shapes = map[string]*regexp.Regexp{
	"old":  regexp.MustCompile(`(?i)\b(am|is|are|was|i'm|i’m|im|he's|she's|turned|turn|turning)( \w+)? \d{1,3}\b|\byears old\b`),
	"work": regexp.MustCompile(`(?i)\b(am|is|was|i'm|i’m|im|he's|she's|as) an? (\w+ )?\w+(er|or|ist|ian|nurse|chef|cook|architect|student|pilot|judge|vet|ant|man|woman)\b`),
	"live": regexp.MustCompile(`\b(am|is|are|I'm) (now )?(based )?(from|in|back in) \p{Lu}`),
}

// claims gathers what is known: what the user said in this session, then what is recalled of others.
func claims(r engine.Request, asker string) []claim {
	var all []claim
	seen := map[string]bool{}
	add := func(text, speaker string, at time.Time, rank float64) {
		for _, s := range sentences(text) {
			for _, clause := range clauses(plain(s)) {
				clause = strings.TrimSpace(plain(clause))
				key := lower(strings.TrimRight(clause, ".!, "))
				if kindOf(clause) == statement && !seen[key] {
					seen[key] = true
					c := newClaim(clause, speaker, at, rank)
					c.place = len(all)
					all = append(all, c)
				}
			}
		}
	}
	said := append(append([]engine.Message{}, r.History...), r.Messages...)
	for i := len(said) - 1; i >= 0; i-- {
		if said[i].Role == engine.User {
			add(said[i].Content, other(said[i].Name, asker, r.User), said[i].At, 1)
		}
	}
	for _, m := range r.Recalled {
		if m.Role == engine.Assistant {
			continue
		}
		speaker := other(m.Speaker, asker, r.User)
		add(m.Fact, speaker, m.At, m.Score)
		add(m.Text, speaker, m.At, m.Score)
	}
	return all
}

// other gives the speaker's name unless it is the user's own.
func other(speaker, asker, user string) string {
	if strings.EqualFold(speaker, asker) || strings.EqualFold(speaker, user) || strings.EqualFold(speaker, engine.User) {
		return ""
	}
	return speaker
}

// aliases tells names from what they are called: "my sister Lucía" makes "lucia" a name of "sister".
type aliases map[string]map[string]bool

var aliasREs = []*regexp.Regexp{
	regexp.MustCompile(`(?:\b[Mm]y|\b[Oo]ur|\btwo|\bthree|\bfour|\b\d) (?:\p{Ll}+ ){0,2}?(\p{Ll}+),? (\p{Lu}[\p{L}\p{M}'-]+)(?:,? and (\p{Lu}[\p{L}\p{M}'-]+))?`),
	regexp.MustCompile(`(?:\b[Mm]y|\b[Oo]ur) (?:\p{Ll}+ ){0,2}?(\p{Ll}+)(?:['’]s name)?(?:['’]s| is| was| are)(?: called| named)? (\p{Lu}[\p{L}\p{M}'-]+)`),
	regexp.MustCompile(`\b(?:an?|the|my|our) (\p{Ll}+),? (?:called|named|whose name is) (\p{Lu}[\p{L}\p{M}'-]+)`),
}

var aliasBackRE = regexp.MustCompile(`(\p{Lu}[\p{L}\p{M}'-]+)(?:,| is) (?:my|our) (?:\p{Ll}+ ){0,2}?(\p{Ll}+)\b`)

func aliasesOf(all []claim, recalled []engine.Recalled) aliases {
	a := aliases{}
	for _, c := range all {
		if c.speaker != "" {
			continue
		}
		for _, re := range aliasREs {
			for _, m := range re.FindAllStringSubmatch(c.text, -1) {
				for _, name := range m[2:] {
					a.add(m[1], name)
				}
			}
		}
		for _, m := range aliasBackRE.FindAllStringSubmatch(c.text, -1) {
			a.add(m[2], m[1])
		}
	}
	for _, r := range recalled {
		if t := r.Triple; t != nil && t.Subject == selfSubject && isName(t.Object) {
			a.add(t.Relation, t.Object)
		}
	}
	return a
}

const selfSubject = "self" // graph.Self, as a Triple has it

func (a aliases) add(noun, name string) {
	n, p := termOf(noun), termOf(name)
	if n == "" || p == "" || n == p {
		return
	}
	if a[n] == nil {
		a[n] = map[string]bool{}
	}
	a[n][p] = true
}

// meets tells whether c is about term: it is in it, or a name of it is, or it is what the name term is called, if
// there is one such only.
func (a aliases) meets(c claim, term string) bool {
	if c.has(term) || c.speaker != "" && termOf(c.speaker) == term {
		return true
	}
	for name := range a[term] {
		if c.terms[name] {
			return true
		}
	}
	for noun, names := range a {
		if len(names) == 1 && names[term] && c.terms[noun] {
			return true
		}
	}
	return false
}

// knows tells whether any of all is about one of terms.
func (a aliases) knows(terms []string, all []claim) bool {
	return slices.ContainsFunc(all, func(c claim) bool {
		return slices.ContainsFunc(terms, func(term string) bool { return a.meets(c, term) })
	})
}

// has tells whether term is in c, or a word that differs in its last letters only: "baker" and "bakery".
func (c claim) has(term string) bool {
	if c.terms[term] {
		return true
	}
	for t := range c.terms {
		short, long := min(len(t), len(term)), max(len(t), len(term))
		if short >= 5 && long-short <= 2 && t[:short] == term[:short] {
			return true
		}
	}
	return false
}

// named tells whether c says a name of one of terms.
func (a aliases) named(c claim, terms []string) bool {
	for _, t := range terms {
		for name := range a[t] {
			if c.terms[name] {
				return true
			}
		}
	}
	return false
}
