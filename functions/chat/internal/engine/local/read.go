package local

import (
	"regexp"
	"strings"
	"unicode"
)

// kind is what a sentence does.
type kind int

const (
	statement kind = iota
	question
	request // to do something that takes a model
	greeting
	thanks
	farewell
	assent // "ok", "wow"
	self   // a question about this engine
)

var (
	greetingRE = regexp.MustCompile(`(?i)^(hi+|hello|hey+|hiya|good (morning|afternoon|evening)|greetings|hola|buenas|what's up|whats up)\b[^.?]{0,20}$`)
	thanksRE   = regexp.MustCompile(`(?i)^(thanks|thank you|thx|cheers|much appreciated)\b`)
	farewellRE = regexp.MustCompile(`(?i)^(bye|goodbye|good night|see you|see ya|talk to you|until later|take care)\b.{0,30}$`)
	assentRE   = regexp.MustCompile(`(?i)^(ok|okay|k|yes|yep|yeah|no|nope|sure|right|fine|great|nice|cool|wow|lol|haha|good|perfect|awesome|i see|got it|alright|all right|hm+|oh)\W*$`)
	selfRE     = regexp.MustCompile(`(?i)^(who|what) are you\b|^what can you do|^what do you do\b|^(what is|what's) your name|^are you (a|an|real|human)\b|^how do you work`)
	howAreRE   = regexp.MustCompile(`(?i)^(how are you|how do you do|how is it going|how's it going|how are things)\b`)
	requestRE  = regexp.MustCompile(`(?i)^(please |can you |could you |would you |will you )*(write|make|give|explain|translate|summari[sz]e|list|create|generate|help|show|find|suggest|recommend|draw|compute|calculate|solve|describe|draft|rewrite|sing|compose|play|book|order|send|search|tell me (a|an|another)|tell us)\b`)
	recallRE   = regexp.MustCompile(`(?i)^(please |can you |could you )*(tell me (about|what|where|who|whom|when|how|which|whose|if|whether)|remind me|do you (remember|know|recall)|what do you (know|remember))\b|^i (forgot|forget|wonder|can't remember|cannot remember|don't remember|do not remember) (what|where|who|when|how|which|if|my)\b`)
	invertedRE = regexp.MustCompile(`(?i)^(do|does|did|is|are|was|were|am|can|could|will|would|have|has|should) (i|my|our|we|he|she|it|they|you|the|there|his|her|their)\b`)
	askingRE   = regexp.MustCompile(`(?i)^(what|where|who|whom|whose|which|when|why|how)('s|'re)?\b`)
)

// kindOf tells what a sentence does.
func kindOf(s string) kind {
	bare := strings.TrimRight(s, ".!? ")
	switch {
	case selfRE.MatchString(s) || howAreRE.MatchString(s):
		return self
	case recallRE.MatchString(s):
		return question
	case greetingRE.MatchString(bare):
		return greeting
	case thanksRE.MatchString(s):
		return thanks
	case farewellRE.MatchString(bare):
		return farewell
	case assentRE.MatchString(bare) || !strings.ContainsFunc(bare, unicode.IsLetter):
		return assent
	case requestRE.MatchString(s):
		return request
	case strings.HasSuffix(s, "?") || invertedRE.MatchString(s) || asks(s):
		return question
	}
	return statement
}

// asks tells a question without its mark ("where does my sister live") from a statement that begins like one ("When I
// was a child …", "What I like is …"): in a question a verb comes before its subject.
func asks(s string) bool {
	if !askingRE.MatchString(s) || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") {
		return false
	}
	words := wordsOf(tokenRE.FindAllString(s, -1))
	if strings.Contains(words[0].text, "'") {
		return true
	}
	for _, w := range words[1:min(len(words), 4)] {
		if auxiliaries[w.text] {
			return true
		}
		if subjects[w.text] {
			return false
		}
	}
	return false
}

var subjects = set("i we my our he she it they you the a an")

// sentences splits a text into its sentences, with their marks.
func sentences(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		start := 0
		for _, end := range sentenceEndRE.FindAllStringIndex(line, -1) {
			if abbreviationRE.MatchString(line[start : end[0]+1]) {
				continue
			}
			all = appendText(all, line[start:end[1]])
			start = end[1]
		}
		all = appendText(all, line[start:])
	}
	return all
}

var (
	sentenceEndRE  = regexp.MustCompile(`[.!?…]+["')\]]*\s+`)
	abbreviationRE = regexp.MustCompile(`(?i)\b(mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|a\.m|p\.m|no|[a-z])\.$`)
)

func appendText(all []string, text string) []string {
	if text = strings.TrimSpace(text); text != "" {
		all = append(all, text)
	}
	return all
}

// clauses splits a sentence where a new subject begins, so that each says one thing.
func clauses(sentence string) []string {
	var all []string
	start := 0
	for _, at := range clauseRE.FindAllStringSubmatchIndex(sentence, -1) {
		if !wholeRE.MatchString(sentence[start:at[2]]) {
			continue
		}
		all = appendText(all, sentence[start:at[2]])
		start = at[3]
	}
	return appendText(all, sentence[start:])
}

// clauseRE finds what joins two clauses: the group is left out of both.
var clauseRE = regexp.MustCompile(`(?i)\w(;\s+|,?\s+(?:and|but)\s+|,\s+)(?:i|i'm|i've|my|our|we|he|she|they)\b`)

// wholeRE finds that a part of a sentence stands alone: "I sing" does, "My husband" does not.
var wholeRE = regexp.MustCompile(`(?i)^(i|we|he|she|they|it|i['’]\w+)\b|^(\S+\s+){3,}\S+`)

// plain takes what only opens a statement off it: "By the way, remember that my dog is called Toby".
func plain(s string) string {
	for {
		shorter := fillerRE.ReplaceAllString(s, "")
		if shorter == s || shorter == "" {
			return s
		}
		s = capital(shorter)
	}
}

var fillerRE = regexp.MustCompile(`(?i)^((hi|hello|hey|hiya)( there| all| everyone| [A-Z]\w+)?[,!]+|well,|so,|oh,?|ah,?|ok(ay)?,|yes,|yeah,|no,|actually,|also,|and|but|by the way,?|btw,?|fyi,?|look,|listen,|just so you know,?|for your information,?|you should know( that)?|please (remember|note|know)( that)?|(remember|note) that|(don't|do not) forget( that)?|i (just )?(want|wanted|would like|'d like) (you )?to (know|remember|tell you|say)( that)?|(let me|i'll|i will) tell you( that)?|i told you( that)?|did you know( that)?)\s+`)

// isEnglish tells whether a text is likely to be English, the language whose pronouns can be turned round here.
func isEnglish(text string) bool {
	own, other := 0, 0
	for _, w := range wordsOf(tokenRE.FindAllString(text, -1)) {
		if english[w.text] {
			own++
		}
		if alien[w.text] {
			other++
		}
	}
	return own > 0 && own >= other
}

// turnable tells whether a sentence can be said from the other side, rather than quoted.
func turnable(s string) bool {
	return len(s) <= maxTurned && isEnglish(s) && !strings.ContainsAny(s, "\"“”\n{}<>|`")
}

const maxTurned = 240 // bytes; a longer sentence is quoted
