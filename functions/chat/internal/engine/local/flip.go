package local

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// flip turns what one of the two says into the other's view of it: "I lost my keys" becomes "You lost your keys", and
// "You told me" becomes "I told you". Capital letters and punctuation stay as they are.
func flip(text string) string {
	tokens := tokenRE.FindAllString(text, -1)
	words := wordsOf(tokens)
	out := make([]string, len(tokens))
	copy(out, tokens)
	for n, w := range words {
		flipped, ok := flipWord(words, n)
		if !ok {
			continue
		}
		if n == 0 || w.first {
			flipped = likeFirst(flipped, tokens[w.at])
		}
		out[w.at] = flipped
	}
	return strings.Join(out, "")
}

// tokenRE splits a text into words, with the apostrophes inside them, and what is between them.
var tokenRE = regexp.MustCompile(`[\p{L}\p{M}\p{N}]+(?:['’][\p{L}]+)*|[^\p{L}\p{M}\p{N}]+`)

// word is one word of a text: in lower case, with straight apostrophes.
type word struct {
	text  string
	at    int  // among the tokens
	first bool // of a sentence
	last  bool // before punctuation
}

func wordsOf(tokens []string) []word {
	var words []word
	first := true
	for i, token := range tokens {
		if r, _ := utf8.DecodeRuneInString(token); !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			first = first || strings.ContainsAny(token, ".!?\n")
			continue
		}
		last := i+1 == len(tokens) || strings.ContainsAny(tokens[i+1], ".!?,;:\n)")
		words = append(words, word{text: lower(token), at: i, first: first, last: last})
		first = false
	}
	return words
}

func lower(token string) string { return strings.ReplaceAll(strings.ToLower(token), "’", "'") }

// toYou and toMe are the words that mean the same person wherever they stand.
var (
	toYou = map[string]string{
		"i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself",
		"i'm": "you're", "im": "you're", "i've": "you've", "ive": "you've", "i'd": "you'd", "i'll": "you'll",
		"we": "you", "us": "you", "our": "your", "ours": "yours", "ourselves": "yourselves",
		"we're": "you're", "we've": "you've", "we'd": "you'd", "we'll": "you'll",
	}
	toMe = map[string]string{
		"your": "my", "yours": "mine", "yourself": "myself",
		"you're": "I'm", "you've": "I've", "you'd": "I'd", "you'll": "I'll",
	}
)

// flipWord gives the n-th word seen from the other side, if that is another word.
func flipWord(words []word, n int) (string, bool) {
	w := words[n].text
	if you, ok := toYou[w]; ok {
		return you, true
	}
	if me, ok := toMe[w]; ok {
		return me, true
	}
	switch w {
	case "you":
		return iOrMe(words, n), true
	case "am":
		return "are", !follows(words, n, isNumber)
	case "was":
		return "were", beside(words, n, "i")
	case "wasn't":
		return "weren't", beside(words, n, "i")
	case "are":
		return "am", beside(words, n, "you")
	case "aren't":
		return "am not", beside(words, n, "you")
	case "were":
		return "was", beside(words, n, "you")
	case "weren't":
		return "wasn't", beside(words, n, "you")
	}
	return "", false
}

// beside tells whether the verb at n has pronoun for its subject: right after it, or before it but for adverbs.
func beside(words []word, n int, pronoun string) bool {
	for before := n - 1; before >= 0 && !words[before].last; before-- {
		if words[before].text == pronoun {
			return pronoun == "i" || iOrMe(words, before) == "I"
		}
		if !adverbs[words[before].text] {
			break
		}
	}
	return n+1 < len(words) && !words[n].last && words[n+1].text == pronoun && !hasSubject(words, n)
}

// hasSubject tells whether a verb has its subject before it: "dogs are" in "my dogs are yours".
func hasSubject(words []word, n int) bool {
	return n > 0 && !words[n-1].last && !questionWords[words[n-1].text] && !conjunctions[words[n-1].text]
}

// iOrMe tells what "you" at n becomes: the one who does it, or the one it is done to.
func iOrMe(words []word, n int) string {
	start := words[n].first || n == 0 || words[n-1].last || conjunctions[words[n-1].text]
	switch {
	case words[n].last && !start:
		return afterAuxiliary(words, n)
	case start:
		return "I"
	case prepositions[words[n-1].text]:
		return "me"
	case n+1 < len(words) && (auxiliaries[words[n+1].text] || saying[words[n+1].text] || adverbs[words[n+1].text]):
		return "I"
	case auxiliaries[words[n-1].text] || questionWords[words[n-1].text] || subordinators[words[n-1].text]:
		return "I"
	}
	return "me"
}

// afterAuxiliary is the "you" that ends a question ("how are you?") or a statement ("I know you").
func afterAuxiliary(words []word, n int) string {
	if n > 0 && (auxiliaries[words[n-1].text]) {
		return "I"
	}
	return "me"
}

func follows(words []word, n int, is func(string) bool) bool { return n > 0 && is(words[n-1].text) }

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// likeFirst writes s with capitals as like, which it replaces, had them.
func likeFirst(s, like string) string {
	if utf8.RuneCountInString(like) > 1 && strings.ToUpper(like) == like {
		return strings.ToUpper(s)
	}
	if r, _ := utf8.DecodeRuneInString(like); unicode.IsUpper(r) {
		return capital(s)
	}
	return s
}

// capital writes s with a capital letter first.
func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// inside writes a sentence as a clause: without its capital, unless its first word is a name or "I".
func inside(s string) string {
	first := tokenRE.FindString(s)
	w := lower(first)
	if common := opens[w] || adverbs[w] || strings.HasSuffix(w, "ing") || strings.HasSuffix(w, "ly"); common && w != "i" {
		r, size := utf8.DecodeRuneInString(s)
		return string(unicode.ToLower(r)) + s[size:]
	}
	return s
}
