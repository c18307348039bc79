// Package gate holds the gates of a turn: what a key may use in a day, what messages may hold, and what looks like an
// attempt to turn the engine against its instructions.
package gate

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// words gives the words of a text as they are compared: lower-case, without accents, and without the characters that
// have no width, which would hide a word from this and not from an engine. Each is valid until the next.
func words(text string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var word []byte
		for _, r := range norm.NFKD.String(text) {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r):
				word = utf8.AppendRune(word, unicode.ToLower(r))
			case r == '\'', r == '’', r >= utf8.RuneSelf && unicode.In(r, unicode.Mn, unicode.Cf):
			case len(word) > 0:
				if !yield(word) {
					return
				}
				word = word[:0]
			}
		}
		if len(word) > 0 {
			yield(word)
		}
	}
}

// spaced is a text as its words, each between two spaces, so that a phrase is found as a whole.
func spaced(text string) string {
	var b strings.Builder
	b.WriteByte(' ')
	for w := range words(text) {
		b.Write(w)
		b.WriteByte(' ')
	}
	return b.String()
}
