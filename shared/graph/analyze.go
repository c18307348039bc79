package graph

import (
	"strings"
	"unicode"

	"github.com/kljensen/snowball/english"
	"golang.org/x/text/unicode/norm"
)

// Analyze gives the index terms of a text: words and numbers, lower case, without diacritics, stemmed, stop words left
// out. It is the same when a turn is written and when a question is asked.
func Analyze(text string) []string {
	words := tokens(text)
	terms := words[:0]
	for _, w := range words {
		if !stopWords[w] {
			terms = append(terms, stem(w))
		}
	}
	return terms
}

// IndexTerms is what a turn is found by: who spoke and what was said, as terms with single spaces between.
func IndexTerms(t Turn) string {
	var terms []string
	for _, m := range t.Messages {
		terms = append(terms, Analyze(m.Name)...)
		terms = append(terms, Analyze(m.Content)...)
	}
	return strings.Join(terms, " ")
}

// maxTerm is the most bytes of one term: what is longer is no word.
const maxTerm = 64

// tokens are a text's words in lower case, without diacritics. An apostrophe ends a word ("Lucía's" is "lucia"); what it
// leaves behind ("s", "ll", "t") is no word either.
func tokens(text string) []string {
	folded := fold(text)
	var words []string
	start := -1
	for i, r := range folded + " " {
		switch letter := unicode.IsLetter(r) || unicode.IsDigit(r); {
		case letter && start < 0:
			start = i
		case !letter && start >= 0:
			if i-start <= maxTerm {
				words = append(words, folded[start:i])
			}
			start = -1
		}
	}
	return words
}

func fold(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < 0x80
	}
	if ascii {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(strings.ReplaceAll(text, "’", "'")))
}

// stem folds the forms of a word into one: irregular English verbs and plurals by table, the others by Snowball.
func stem(word string) string {
	if root, ok := irregular[word]; ok {
		word = root
	}
	if len(word) > 4 {
		word = strings.Replace(word, "our", "or", 1) // colour and color
	}
	return english.Stem(word, false)
}
