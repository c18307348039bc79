package splice_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine/splice"
)

// join feeds pieces to a Joiner and gives what the caller has in the end.
func join(sent string, pieces ...string) (all string, diverged bool) {
	j := splice.New(sent)
	all = sent
	for _, p := range pieces {
		all += j.Take(p)
	}
	return all + j.End(), j.Diverged()
}

func TestGoesOnWhereTheAnswerStopped(t *testing.T) {
	const sent = "Paris is the capital of France. It has two mil"
	for name, c := range map[string]struct {
		sent, next, want string
		diverged         bool
	}{
		"at once":                        {sent, "lion people.", "Paris is the capital of France. It has two million people.", false},
		"with the last words again":      {sent, "It has two million people.", "Paris is the capital of France. It has two million people.", false},
		"with a space before them":       {sent, "\n It has two million people.", "Paris is the capital of France. It has two million people.", false},
		"from the beginning":             {sent, sent + "lion.", sent + "lion.", false},
		"with nothing more to say":       {"Yes.", "", "Yes.", false},
		"with the same again":            {"Yes.", "Yes.", "Yes.", false},
		"with the next sentence":         {"It rained all day.", "Then the sun came out.", "It rained all day. Then the sun came out.", false},
		"with the next sentence, spaced": {"It rained all day.", " Then it stopped.", "It rained all day. Then it stopped.", false},
		"in code":                        {"```go\nfunc get", "Name() {}\n```", "```go\nfunc getName() {}\n```", false},
		"after nothing":                  {"", "All of it.", "All of it.", false},
		"in another script":              {"東京は日本の首", "都です。", "東京は日本の首都です。", false},

		"another way from a sentence on": {sent, "Paris is the capital of France. It is home to millions.",
			sent + "… It is home to millions.", true},
		"another way at a sentence": {sent, "Paris is the capital of France. Millions live there.",
			sent + "… Millions live there.", true},
		"another way altogether":        {sent, "The capital is Paris.", sent + "… The capital is Paris.", true},
		"another way after a line":      {"It is\n- red\n", "It is blue, and has always been.", "It is\n- red\nIt is blue, and has always been.", false},
		"a shorter answer":              {sent, "Paris is the capital of France.", sent, true},
		"another way in the last words": {sent, "capital of France. It has lots of people.", sent + "… It has lots of people.", true},
	} {
		if got, diverged := join(c.sent, c.next); got != c.want || diverged != c.diverged {
			t.Errorf("%s: got %q, %v; want %q, %v", name, got, diverged, c.want, c.diverged)
		}
		if got, _ := join(c.sent, strings.SplitAfter(c.next, "")...); got != c.want {
			t.Errorf("%s, a rune at a time: got %q, want %q", name, got, c.want)
		}
	}
}

// prose draws a text whose words are all different, so that only one way of joining is right.
func prose(t *rapid.T) string {
	var b strings.Builder
	for i := range rapid.IntRange(3, 60).Draw(t, "words") {
		word := fmt.Sprintf("%s%d", rapid.StringMatching(`[a-zñéü東]{1,7}`).Draw(t, "word"), i)
		if rapid.IntRange(0, 5).Draw(t, "end") == 0 {
			word += rapid.SampledFrom([]string{".", "!", ",\n", ":", " 🙂"}).Draw(t, "mark")
		}
		b.WriteString(word + " ")
	}
	return b.String()
}

// pieces cuts a text at random, also within runes.
func pieces(t *rapid.T, text string) (all []string) {
	for len(text) > 0 {
		n := rapid.IntRange(1, min(len(text), 30)).Draw(t, "piece")
		all, text = append(all, text[:n]), text[n:]
	}
	return all
}

func TestTheWholeAnswerComesOnceWhereverItWasCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := prose(t)
		cut := rapid.IntRange(0, len(whole)).Draw(t, "cut")
		sent := whole[:cut]
		nexts := []string{whole} // the answer anew, the rest, the last words and the rest
		if !strings.HasPrefix(whole[cut:], sent) {
			nexts = append(nexts, whole[cut:])
		}
		for back := cut - 20; back > 0 && back > cut-100; back-- {
			if whole[back-1] == ' ' {
				nexts = append(nexts, whole[back:])
			}
		}
		for _, next := range nexts {
			if got, diverged := join(sent, pieces(t, next)...); got != whole || diverged {
				t.Fatalf("%q and then %q gave %q, diverged: %v", sent, next, got, diverged)
			}
		}
	})
}

func TestAnotherAnswerIsJoinedAtASentence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, other := prose(t), "Well: "+prose(t)
		sent := strings.TrimRight(whole[:rapid.IntRange(1, len(whole)).Draw(t, "cut")], " \n")
		alike := rapid.IntRange(0, len(sent)).Draw(t, "alike")
		got, _ := join(sent, pieces(t, sent[:alike]+other)...)
		if !strings.HasPrefix(got, sent) || !strings.HasSuffix(got, other) {
			t.Fatalf("%q and then %q gave %q", sent, sent[:alike]+other, got)
		}
	})
}

func FuzzJoiner(f *testing.F) {
	f.Add("It has two mil", "lion", "It has two million")
	f.Add("\xff\xfe", "…", " ")
	f.Fuzz(func(t *testing.T, sent, a, b string) {
		all, _ := join(sent, a, b)
		if !strings.HasPrefix(all, sent) {
			t.Errorf("what was sent is gone: %q", all)
		}
		if len(all) > len(sent)+len(a)+len(b)+len("… ") {
			t.Errorf("%q is longer than %q and %q and %q", all, sent, a, b)
		}
	})
}
