package local

import (
	"cmp"
	"regexp"
	"slices"
)

// most claims that one answer gives.
const most = 5

// find gives the claims that answer w, best first. If none does, it gives the best that is about the same at least,
// marked as partial.
func find(w wanted, all []claim, a aliases) []claim {
	var found []claim
	for _, c := range all {
		if w.judge(&c, a) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(x, y claim) int {
		return cmp.Or(less(x.partial, y.partial), cmp.Compare(y.tier(), x.tier()), y.later(x), cmp.Compare(y.score, x.score))
	})
	return w.best(found)
}

// tier is how well a claim answers, coarsely: among claims that answer about as well, the later one counts.
func (c claim) tier() int { return int(4 * c.score) }

// later compares when claims were made; those of this session may have no time, and are the latest.
func (c claim) later(o claim) int {
	at := c.at.Compare(o.at)
	if c.at.IsZero() || o.at.IsZero() {
		at = less(c.at.IsZero(), o.at.IsZero())
	}
	return cmp.Or(at, cmp.Compare(o.place, c.place))
}

func less(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// best cuts off what is much worse than the first, or not asked for, or said already.
func (w wanted) best(found []claim) []claim {
	var kept []claim
	for _, c := range found {
		switch {
		case len(kept) == 0:
		case c.partial || !w.many || len(kept) == most:
			return kept
		case c.score < kept[0].score-0.3 || slices.ContainsFunc(kept, c.repeats):
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

// repeats tells whether o says all that c says.
func (c claim) repeats(o claim) bool {
	for term := range c.terms {
		if !o.terms[term] {
			return false
		}
	}
	return true
}

// judge scores c as an answer to w, and says whether it is one at all.
func (w wanted) judge(c *claim, a aliases) bool {
	about, content, concepts := 0, 0, 0
	for _, term := range w.about {
		about += count(a.meets(*c, term))
	}
	for _, term := range w.content {
		content += count(a.meets(*c, term))
	}
	for _, concept := range w.concepts {
		concepts += count(w.says(*c, concept, a))
	}
	answers := about == len(w.about) && w.fits(*c, content, concepts)
	if !answers && (about == 0 || content == 0) {
		return false
	}
	c.partial = !answers || len(w.concepts) > 0 && concepts == 0
	asked := 2*len(w.about) + len(w.content) + 2*len(w.concepts)
	c.score = float64(2*about+content+2*concepts) / float64(max(1, asked))
	c.score += w.bonus(c.text) + c.rank/5 - float64(len(c.text))/2000
	return true
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// fits tells whether c, which is about the right things, says enough of what was asked.
func (w wanted) fits(c claim, content, concepts int) bool {
	switch {
	case len(w.about) > 0:
		return 2*content >= len(w.content)
	case len(w.content) > 0:
		return content > 0 && 2*(content+concepts) >= len(w.content)+len(w.concepts) && (!w.ofUser || c.mine)
	case len(w.concepts) > 0:
		return concepts > 0 && (!w.ofUser || c.me)
	}
	return w.ofUser && c.speaker == "" && c.mine // "what do you know about me?"
}

// says tells whether c says something of concept.
func (w wanted) says(c claim, concept string, a aliases) bool {
	if concept != "name" {
		return c.concepts[concept]
	}
	if len(w.about) == 0 {
		return c.concepts[concept] && c.me || ownNameRE.MatchString(c.text)
	}
	return a.named(c, w.about)
}

var ownNameRE = regexp.MustCompile(`(?i:\bmy name(?:['’]s| is)|\bcall me)|\b(?:I['’]m|I am) \p{Lu}\p{L}+\.?$`)

// bonus prefers a sentence that holds the sort of thing that was asked for.
func (w wanted) bonus(text string) float64 {
	if re := sorts[w.kind]; re != nil && re.MatchString(text) {
		return 0.3
	}
	return 0
}

var sorts = map[string]*regexp.Regexp{
	"where": regexp.MustCompile(`\b(?:in|at|to|from|near|into|on) (?:the |a )?\p{Lu}`),
	"when":  regexp.MustCompile(`(?i)\b(yesterday|today|tomorrow|tonight|ago|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|september|october|november|december|(?:last|next|this) (?:week|month|year|night|summer|winter|spring|autumn|fall|weekend)|\d{4}|\d{1,2}(?::\d\d| ?[ap]m))\b`),
	"how":   regexp.MustCompile(`\d|(?i)\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|by|years?|months?)\b`),
	"who":   regexp.MustCompile(`(?i:\bmy \p{L}+ )\p{Lu}|\p{Lu}\p{L}+ is\b|\bis \p{Lu}`),
}
