package extract

import (
	"regexp"
	"strings"
)

// sentence is one sentence as it was written, without its end.
type sentence struct {
	text string
	asks bool
}

// abbreviation ends with a full stop that ends no sentence.
var abbreviation = regexp.MustCompile(`(?i)\b(?:mr|mrs|ms|dr|st|prof|sr|jr|e\.g|i\.e|vs)\.$`)

// sentences splits at full stops, question and exclamation marks, line ends and semicolons. In "Wait, what?!" both count.
func sentences(text string) []sentence {
	var all []sentence
	start := 0
	add := func(end int, asks bool) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			all = append(all, sentence{text: s, asks: asks})
		}
		start = end
	}
	for i, r := range text {
		switch r {
		case '?', '!', '\n', ';':
			add(i, r == '?')
			start = i + 1
		case '.':
			next := text[i+1:]
			if (next == "" || strings.HasPrefix(next, " ") || strings.HasPrefix(next, "\n")) && !abbreviation.MatchString(text[max(start, i-6):i+1]) {
				add(i, false)
				start = i + 1
			}
		}
	}
	add(len(text), false)
	return all
}

// supposing starts what is not said to be so.
var (
	supposing  = regexp.MustCompile(`(?i)^(?:if|unless|whether|imagine|suppose|what if|maybe|perhaps|should|would|could|do|does|did|is|are|was|were|can|have you|has|where|who|what|when|why|how)\b`)
	unreal     = regexp.MustCompile(`(?i)\b(?:i wish|wish(?:es)? (?:i|he|she|we|they)|(?:would|'d) (?:like|love|prefer|rather)|(?:want|hope|plan|need|going|thinking of|thinking about|dream(?:ing)?)(?:s|ed|ing)? (?:to|of|about)|might|may be|pretend|joking|kidding|once i|one day|if (?:i|he|she|we|they|my))\b`)
	reported   = regexp.MustCompile(`(?i)^(?:(?:he|she|they|you|someone|people|everybody|everyone) (?:says?|said|thinks?|thought|claims?|asked|told))\b`)
	openers    = regexp.MustCompile(`(?i)^(?:(?:well|so|and|but|also|oh|ah|hey|hi|hello|yes|yeah|yep|no|btw|by the way|actually|honestly|look|ok|okay|sure|anyway|plus|you know|i mean|guess what|fyi|because|since|now|today|currently|these days|finally|remember|remember that|note that|did you know that|i told you that|as you know|for the record|just so you know|thanks|thank you)[,:]?\s+)+`)
	conjoining = regexp.MustCompile(`(?:,\s*(?:and|but|so|because|while|who|which)\s+|,\s+|\s+(?:and|but|because|so|while)\s+|\s+[-–—]+\s+|:\s+)`)
)

func (s sentence) supposes() bool { return supposes(s.text) }

func supposes(text string) bool {
	text = openers.ReplaceAllString(text, "")
	return supposing.MatchString(text) || unreal.MatchString(text) || reported.MatchString(text)
}

// startsClause tells whether what follows a comma or "and" is a clause of its own: it starts with a subject or a verb that
// rules know. "bread and butter" is none.
var startsClause = regexp.MustCompile(`^(?:I\b|I'|(?:[Mm]y|[Oo]ur|[Hh]is|[Hh]er|[Tt]heir)\s|(?:[Hh]e|[Ss]he|[Tt]hey|[Ww]e|[Ii]t)\b|(?:\p{Lu}[\p{L}'’-]*\s+){1,3}(?:is|was|has|had|lives?|lived|works?|worked|likes?|loves?|hates?|moved|studie[sd]|owns?|bought|adopted)\b|(?:also |now |still |really |just |no longer |used to )?(?:am|is|was|live|lives|lived|work|works|worked|like|likes|love|loves|enjoy|enjoys|hate|hates|dislikes?|have|has|own|owns|bought|sold|adopted|got|moved|study|studies|grew up|come from|comes from|quit|retired|speak|speaks|play|plays|drive|drives|don't|doesn't|can't)\b)`)

// apposed is a name between commas: "my brother, Tom, is a teacher".
var apposed = regexp.MustCompile(`((?:[Mm]y|[Oo]ur) (?:[\p{L}-]+ ){0,2}(?:` + relationWords + `)), ` + names + `, `)

// clauses splits a sentence where a new clause starts, and takes openers such as "Well," off.
func (s sentence) clauses() []string {
	var all []string
	text := apposed.ReplaceAllString(openers.ReplaceAllString(s.text, ""), "$1 $2 ")
	start := 0
	for _, at := range conjoining.FindAllStringIndex(text, 64) {
		if at[0] >= start && startsClause.MatchString(openers.ReplaceAllString(text[at[1]:min(len(text), at[1]+200)], "")) {
			all = append(all, text[start:at[0]])
			start = at[1]
		}
	}
	all = append(all, text[start:])
	for i := range all {
		all[i] = strings.TrimSpace(openers.ReplaceAllString(strings.TrimSpace(all[i]), ""))
	}
	return all
}

// What a clause says of its predicate.
type state int

const (
	says   state = iota
	denies       // "don't live in Loja"
	ends         // "no longer live in Loja"
)

var (
	ending  = regexp.MustCompile(`^(?:(?:do|does|did|have|has|am|is|are)(?:n't|n’t| not)\s+(.*?)\s+(?:any ?more|any longer)\b|(?:am |is |are |'m )?no longer\s+|(?:used to|stopped|quit|gave up)\s+)(.*)$`)
	denying = regexp.MustCompile(`^(?:(?:do|does|did|have|has|had|am|is|are|was|were|ca|wo|would|could|should)(?:n't|n’t| not)|never|cannot|not|'m not|'ve never|hardly|barely)\b\s*(.*)$`)
	adverbs = regexp.MustCompile(`^(?:(?:really|also|absolutely|just|still|now|currently|always|already|recently|finally|actually|truly|totally|simply|both|all|kind of|so|very much|have just|has just|'ve just|'ve|'d)\s+)+`)
)

// modality takes what is not the predicate itself off its front: denials, endings, adverbs.
func modality(rest string) (string, state) {
	if m := ending.FindStringSubmatch(rest); m != nil {
		return bare(strings.TrimSpace(m[1] + m[2])), ends
	}
	if m := denying.FindStringSubmatch(rest); m != nil {
		return m[1], denies
	}
	return bare(rest), says
}

func bare(rest string) string { return adverbs.ReplaceAllString(rest, "") }
