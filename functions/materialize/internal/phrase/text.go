// Package phrase reads English as words and sentences, and matches patterns over words: the language that the rules of
// extract are written in. Its cost grows with the length of a text and with nothing else in it.
package phrase

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds that keep a hostile text as cheap as any other of its length.
const (
	maxWord     = 64  // bytes; what is longer is no word
	maxSentence = 256 // words and marks; the next one starts a sentence
)

// Word is a word of a text, or one of its marks.
type Word struct {
	Low        string // lower case, with contractions spelt out: "I'm" is "i" and "am", "don't" is "do" and "not"
	Start, End int    // bytes in the text
	Mark       bool   // punctuation, symbols
	Capital    bool   // starts with an upper-case letter
	Quoted     bool   // inside quotation marks: someone else's words
}

// Sentence is a run of words up to a full stop, question or exclamation mark, semicolon or the end of a line.
type Sentence struct {
	Text   string // the whole text, which Start and End of the words point into
	Words  []Word
	Asks   bool // it ends with a question mark
	Casual bool // it has no capital anywhere: names cannot be told by theirs
}

// Span is the text from the first word to the one before the last, as it was written, on one line.
func (s *Sentence) Span(first, last int) string {
	if first >= last {
		return ""
	}
	return strings.Join(strings.Fields(s.Text[s.Words[first].Start:s.Words[last-1].End]), " ")
}

// Low is the word at i as patterns compare it, or nothing past the end.
func (s *Sentence) Low(i int) string {
	if i < 0 || i >= len(s.Words) {
		return ""
	}
	return s.Words[i].Low
}

// Sentences gives a text's sentences one after the other. A Sentence is good until the next one is asked for. Lines that
// quote another text ("> …") and fenced code are left out.
func Sentences(text string) iter.Seq[*Sentence] {
	return func(yield func(*Sentence) bool) {
		sc := scanner{Sentence: Sentence{Text: text, Words: make([]Word, 0, 48)}, newLine: true}
		for sc.scan() {
			if len(sc.Words) > 0 && !yield(&sc.Sentence) {
				return
			}
		}
	}
}

type scanner struct {
	Sentence
	at      int
	quoted  bool
	newLine bool
}

// scan reads the next sentence; it may be empty. It tells whether there was anything left to read.
func (sc *scanner) scan() bool {
	sc.Words, sc.Asks, sc.Casual = sc.Words[:0], false, true
	if sc.at >= len(sc.Text) {
		return false
	}
	for sc.at < len(sc.Text) && len(sc.Words) < maxSentence {
		if sc.newLine {
			sc.newLine = false
			sc.skipForeign()
			continue
		}
		r, size := utf8.DecodeRuneInString(sc.Text[sc.at:])
		switch {
		case r == '\n':
			sc.at++
			sc.newLine = true
			if !sc.wraps() {
				sc.quoted = false
				return true
			}
		case wordRune(r):
			sc.word()
		case unicode.IsSpace(r):
			sc.at += size
		default:
			if sc.mark(r, size) {
				return true
			}
		}
	}
	return true
}

// skipForeign leaves out lines and blocks that are not the speaker's own words.
func (sc *scanner) skipForeign() {
	for {
		line := strings.TrimLeft(sc.Text[sc.at:], " \t")
		switch {
		case strings.HasPrefix(line, ">"):
			sc.at = past(sc.Text, sc.at, "\n")
		case strings.HasPrefix(line, "```"):
			sc.at = past(sc.Text, past(sc.Text, sc.at, "```"), "```")
			sc.at = past(sc.Text, sc.at, "\n")
		default:
			return
		}
	}
}

func past(text string, at int, mark string) int {
	if i := strings.Index(text[at:], mark); i >= 0 {
		return at + i + len(mark)
	}
	return len(text)
}

// wraps tells whether the line that starts goes on with the sentence of the one before.
func (sc *scanner) wraps() bool {
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(sc.Text[sc.at:min(len(sc.Text), sc.at+8)], " \t"))
	return unicode.IsLower(r)
}

// mark takes one mark and tells whether it ends the sentence.
func (sc *scanner) mark(r rune, size int) (ends bool) {
	start := sc.at
	sc.at += size
	switch r {
	case '"':
		if start > 0 && sc.Text[start-1] >= '0' && sc.Text[start-1] <= '9' && !sc.quoted {
			return false // inches
		}
		sc.quoted = !sc.quoted
	case '“', '«':
		sc.quoted = true
	case '”', '»':
		sc.quoted = false
	case '?', '!', ';', '…':
		sc.Asks = r == '?'
		return true
	case '.':
		return !sc.abbreviates()
	}
	sc.Words = append(sc.Words, Word{Low: plainMark(r), Start: start, End: sc.at, Mark: true, Quoted: sc.quoted})
	return false
}

func plainMark(r rune) string {
	switch r {
	case ',', ':', '-', '(', ')':
		return string(r)
	case '–', '—':
		return "-"
	case '"', '“', '”', '«', '»':
		return `"`
	}
	return "•"
}

var abbreviations = Set("mr mrs ms dr st prof sr jr vs mt ft e.g i.e")

// abbreviates tells whether the full stop just read belongs to the word before it: "Dr.", "J."
func (sc *scanner) abbreviates() bool {
	if len(sc.Words) == 0 || sc.at >= len(sc.Text) {
		return false
	}
	w := sc.Words[len(sc.Words)-1]
	return w.End == sc.at-1 && (abbreviations[w.Low] || w.Capital && w.End-w.Start == 1 && w.Low != "i")
}

func wordRune(r rune) bool {
	return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') ||
		r >= 0x80 && r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r))
}

// word takes one word, and what is contracted with it.
func (sc *scanner) word() {
	start := sc.at
	sc.at = start + wordEnd(sc.Text[start:])
	text := sc.Text[start:sc.at]
	if len(text) > maxWord {
		sc.Words = append(sc.Words, Word{Low: "•", Start: start, End: sc.at, Mark: true, Quoted: sc.quoted})
		return
	}
	first, _ := utf8.DecodeRuneInString(text)
	low := strings.ToLower(text)
	head, tail := contraction(low)
	w := Word{Low: low, Start: start, End: sc.at, Capital: unicode.IsUpper(first), Quoted: sc.quoted}
	sc.Casual = sc.Casual && !w.Capital
	if tail == "" || len(low) != len(text) {
		sc.Words = append(sc.Words, w)
		return
	}
	cut := start + len(text) - tailLength(low)
	w.Low, w.End = head, cut
	sc.Words = append(sc.Words, w, Word{Low: tail, Start: cut, End: sc.at, Quoted: sc.quoted})
}

// wordEnd is the length of the word that text starts with. Apostrophes, hyphens and ampersands join letters; full stops,
// commas, slashes and colons join digits; full stops join initials and what looks like an address.
func wordEnd(text string) int {
	run := 0 // runes since the last full stop
	for i, r := range text {
		if wordRune(r) {
			run++
			continue
		}
		size := utf8.RuneLen(r)
		if size < 0 || i+size >= len(text) {
			return i
		}
		next, _ := utf8.DecodeRuneInString(text[i+size:])
		digits := text[i-1] >= '0' && text[i-1] <= '9' && next >= '0' && next <= '9'
		switch {
		case !wordRune(next):
			return i
		case r == '\'' || r == '’' || r == '-' || r == '&' || r == '_':
		case r == '.' && (digits || run == 1 || unicode.IsLower(next)):
			run = 0
		case (r == ',' || r == '/' || r == ':') && digits:
		default:
			return i
		}
	}
	return len(text)
}
