package local

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/shared/graph"
)

// wanted is what a question asks for.
type wanted struct {
	about    []string // whom or what it is about: names, and what belongs to somebody. All of them must be met.
	content  []string // what else it says
	concepts []string // what it wants to know
	kind     string   // its question word: where, when, who, …
	ofUser   bool     // it is about the user
	many     bool     // it asks for all there is
	topic    string   // what it is about, as it is written there; empty when that is hard to tell
}

// read takes a question apart.
func read(q string) wanted {
	tokens := tokenRE.FindAllString(q, -1)
	words := wordsOf(tokens)
	w := wanted{many: manyRE.MatchString(q), topic: topicOf(q)}
	owned := false // within what belongs to somebody: "my sister's dog"
	for _, word := range words {
		bare := strings.TrimSuffix(word.text, "'s")
		if w.kind == "" && questionWords[bare] {
			w.kind = bare
		}
		w.ofUser = w.ofUser || first[word.text]
		term := termOf(bare)
		switch {
		case possessives[word.text]:
			owned = true
		case concepts[bare] != "" && !soft(words, word):
			w.concepts = append(w.concepts, concepts[bare])
			owned = false
		case term == "" || asking[bare] || adverbs[bare]:
			owned = false
		case owned || !word.first && isName(tokens[word.at]):
			w.about = append(w.about, term)
		default:
			w.content = append(w.content, term)
		}
	}
	if whoAmIRE.MatchString(q) {
		w.concepts = []string{concepts["name"]}
	}
	if doingRE.MatchString(q) {
		w.concepts = []string{concepts["work"]}
	}
	return w
}

// soft tells a word that is a concept only by accident: "what is it like?".
func soft(words []word, w word) bool { return w.text == "like" && w.last && words[0].text != "what" }

var (
	manyRE      = regexp.MustCompile(`(?i)\b(tell me about|know about|remember about|remind me (of|about)|what (do|does|did|have|has) |what else|which|everything|do you remember)`)
	whoAmIRE    = regexp.MustCompile(`(?i)^who am i\b`)
	doingRE     = regexp.MustCompile(`(?i)\bwhat (do|does) .*\bdo( for (a living|work))?\??$`)
	possessives = set("my our his her their")
	first       = set("i i'm i've i'd me we we're we've my mine our myself")
	// asking are words that belong to asking and say nothing about the answer.
	asking = set(`tell told say said mention mentioned know knew remember remind recall think forget forgot wonder something anything
		everything thing things much many living kind sort time`)
)

// topicOf gives the words that name what a question is about: "my sister", "Lucía".
func topicOf(q string) string {
	if own := ownRE.FindString(q); own != "" {
		return flip(strings.ToLower(own[:1]) + own[1:])
	}
	if m := namesRE.FindStringSubmatch(q); m != nil {
		return m[1]
	}
	if m := nounRE.FindStringSubmatch(q); m != nil {
		return m[1]
	}
	return ""
}

var (
	namesRE = regexp.MustCompile(`[\p{L},] (\p{Lu}[\p{L}\p{M}\p{N}]+(?: \p{Lu}[\p{L}\p{M}\p{N}]+)*)`)
	ownRE   = regexp.MustCompile(`(?i)\b(my|our) (?:favou?rite )?\p{L}+`)
	nounRE  = regexp.MustCompile(`(?i)\b((?:the|a|an) [\p{L} ]{2,40}?)(?:$|\?| (?:is|was|are|were|of|in|on|at|for|do|did|does|like|today|now)\b)`)
)

// termOf gives the index term of a word, as the graph has it; empty for a word without meaning of its own.
func termOf(word string) string {
	if len(word) > 4 {
		word = strings.Replace(word, "our", "or", 1) // colour and color
	}
	if terms := graph.Analyze(word); len(terms) > 0 {
		return terms[0]
	}
	return ""
}

// isName tells whether a word that opens no sentence is written as a name.
func isName(token string) bool {
	r, size := utf8.DecodeRuneInString(token)
	return unicode.IsUpper(r) && len(token) > size && !strings.HasPrefix(lower(token), "i'")
}
