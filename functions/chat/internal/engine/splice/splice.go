// Package splice joins the rest of an answer, as another engine gives it, to what was already sent of it: nothing twice,
// nothing lost, and no seam where there need be none.
package splice

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	least = 12  // bytes of what was sent that must come again before it counts as said again, and not as chance
	reach = 240 // bytes from the end in which an engine may begin to say it again
)

// Joiner takes an answer as it comes and lets through what the caller does not have yet. An engine that is asked to go on
// may do so at once, repeat the last words first, start the answer over, or say something else altogether: which of them,
// is known only after a while, and until then the Joiner holds what it was given.
type Joiner struct {
	sent     string
	starts   []int // where in sent the engine may have begun to repeat it, first to last
	held     strings.Builder
	settled  bool
	diverged bool
}

// New returns a Joiner after sent. With nothing sent all is let through.
func New(sent string) *Joiner {
	return &Joiner{sent: sent, starts: starts(sent), settled: sent == ""}
}

// starts are the places in sent that an engine may go back to: its beginning, and any near its end.
func starts(sent string) []int {
	all := []int{0}
	for i := max(1, len(sent)-reach); i <= len(sent)-least; i++ {
		if utf8.RuneStart(sent[i]) {
			all = append(all, i)
		}
	}
	return all
}

// Take takes the next text of the answer and gives what is to be sent now.
func (j *Joiner) Take(text string) string {
	if j.settled {
		return text
	}
	j.held.WriteString(text)
	return j.settle(false)
}

// End gives what is still held when the answer is complete.
func (j *Joiner) End() string {
	if j.settled {
		return ""
	}
	return j.settle(true)
}

// Diverged tells whether the answer went another way than what was sent: what follows begins at a sentence.
func (j *Joiner) Diverged() bool { return j.diverged }

// settle decides how the answer goes on, if that is plain by now.
func (j *Joiner) settle(complete bool) string {
	held := strings.TrimLeftFunc(j.held.String(), unicode.IsSpace)
	if startsWithSpace(j.sent) {
		held = j.held.String()
	}
	for _, start := range j.starts {
		again := j.sent[start:]
		if strings.HasPrefix(held, again) {
			return j.release(held[len(again):])
		}
		if !complete && strings.HasPrefix(again, held) {
			return "" // it may be that, and it may be another
		}
	}
	j.settled = true
	return j.other(held)
}

func (j *Joiner) release(rest string) string {
	j.settled = true
	return rest
}

// other is what is sent of an answer that does not repeat what was sent: it goes on from there, or it is another one.
func (j *Joiner) other(held string) string {
	whole := j.held.String()
	for _, start := range j.starts {
		alike := common(j.sent[start:], held)
		if alike < least {
			continue
		}
		j.diverged = true
		if alike == len(held) {
			return "" // the other answer ends sooner
		}
		return seam(j.sent) + held[sentence(held[:alike]):]
	}
	switch {
	case goesOn(j.sent, whole):
		return whole
	case endsSentence(j.sent):
		return " " + whole
	}
	j.diverged = true
	return seam(j.sent) + held
}

// common is how many bytes two texts share at their beginning, in whole runes.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(b) && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// sentence is where the last sentence of text begins.
func sentence(text string) int {
	for i := len(text); i > 0; i-- {
		if before := strings.TrimRight(text[:i], " "); text[i-1] == '\n' || len(before) < i && endsSentence(before) {
			return i
		}
	}
	return 0
}

// goesOn tells whether next reads on from sent with nothing between them. A capital right behind a word or a sentence
// begins something new, except in code, where it may be in the middle of a name.
func goesOn(sent, next string) bool {
	first, _ := utf8.DecodeRuneInString(next)
	last, _ := utf8.DecodeLastRuneInString(sent)
	if !unicode.IsUpper(first) || strings.Count(sent, "```")%2 == 1 {
		return true
	}
	return !unicode.IsLetter(last) && !unicode.IsDigit(last) && !endsSentence(sent)
}

func endsSentence(text string) bool {
	last, _ := utf8.DecodeLastRuneInString(text)
	return strings.ContainsRune(".!?…", last)
}

func startsWithSpace(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return unicode.IsSpace(first)
}

// seam is what stands between what was sent and a sentence that begins anew.
func seam(sent string) string {
	last, _ := utf8.DecodeLastRuneInString(sent)
	switch {
	case unicode.IsSpace(last):
		return ""
	case endsSentence(sent):
		return " "
	}
	return "… "
}
