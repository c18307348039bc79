package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// What is done about a turn that looks like a prompt injection.
const (
	Refuse = "refuse" // two signs refuse it, one marks it
	Mark   = "mark"   // signs are written into its decision trace, and nothing else
	Off    = "off"
)

// Injection is a heuristic. It knows the phrases by which people, in English and Spanish, have talked engines out of their
// instructions, and nothing of what is meant: whoever asks about such phrases may be taken for one who uses them, and
// whoever finds new words comes through. So one sign alone never refuses, what it says calls itself a heuristic, and the
// policy file turns it off.
type Injection struct{ Policy *Policy }

// refuseAt is how many different signs refuse a turn.
const refuseAt = 2

// Check looks at what the user says in this turn; instructions, earlier turns and tools are the caller's own.
func (i Injection) Check(t turn.Turn, _ turn.Opened) *turn.Ruling {
	mode := i.Policy.current().Injection
	if mode == Off {
		return nil
	}
	found := signs(t.Asked())
	if len(found) == 0 {
		return nil
	}
	r := &turn.Ruling{
		Gate: "prompt_injection", Policy: fmt.Sprintf("heuristic: %d signs of a prompt injection refuse (%s)", refuseAt, mode),
		Inputs: map[string]any{"signs": found}, Mark: "marked: it may be a prompt injection",
	}
	if mode == Refuse && len(found) >= refuseAt {
		r.Reason = "It reads like an attempt to change this service's instructions. That is a heuristic's guess, by these signs: " +
			strings.Join(found, ", ") + ". If it is wrong, please put it in other words."
	}
	return r
}

// pattern is words that stand for a sign: one of first and then, within so many words, one of each of the other lists, in
// any order.
type pattern struct {
	sign   string
	within int
	parts  []string // first, and the other lists
}

var patterns = []pattern{
	{"override", 8, []string{
		"ignore ignoring disregard forget override bypass overrule neglect ignora ignore ignorad ignoren olvida olvide olviden descarta omite anula",
		"previous prior above preceding earlier former all any every your these those anteriores anterior previas previos todas todos tus sus", //nolint:misspell // Spanish
		"instruction instructions prompt prompts rule rules guideline guidelines direction directions directive directives programming training restrictions instrucciones reglas normas directrices indicaciones restricciones"}},
	{"reveal", 8, []string{
		"reveal show print repeat output display tell give leak dump expose recite quote disclose revela revele muestra muestrame imprime repite dime dame",
		"system hidden initial secret internal original developer your sistema ocultas ocultos iniciales inicial secretas tu tus", //nolint:misspell // Spanish
		"prompt prompts instructions preprompt instrucciones"}},
	{"persona", 2, []string{"developer god dan sudo jailbreak root", "mode"}},
	{"persona", 2, []string{"modo", "desarrollador dios dan jailbreak"}},
	{"persona", 2, []string{"anything", "now"}},
	{"persona", 4, []string{"no without any sin ninguna", "restrictions restriction filters limitations restricciones filtros limites", "now respond answer act ahora responde actua"}},
	{"persona", 0, []string{"jailbroken uncensored unfiltered unrestricted unaligned"}},
	{"new orders", 3, []string{"new real actual updated nuevas verdaderas", "instructions orders directives instrucciones ordenes directivas"}},
}

// role is a part that a word plays in a pattern, by their numbers.
type role struct{ pattern, part int }

var roles = castRoles()

func castRoles() map[string][]role {
	all := map[string][]role{}
	for i, p := range patterns {
		for part, list := range slices.Backward(p.parts) { // a first word begins anew after it has ended something
			for _, w := range strings.Fields(list) {
				all[w] = append(all[w], role{i, part})
			}
		}
	}
	return all
}

// markup forges turns in the forms in which chat models are given them.
var markup = []string{"<|im_start|>", "<|im_end|>", "<|system|>", "<|endoftext|>", "<|start_header_id|>", "<|eot_id|>", "[inst]",
	"<<sys>>", "### system:", "### instruction:", "</system>", "[system]("}

// signs are the different signs in a text, sorted.
func signs(text string) (found []string) {
	seen, n := make([][3]int, len(patterns)), 0 // by pattern and part: which word it was, counted from 1
	for w := range words(text) {
		n++
		for _, r := range roles[string(w)] {
			p, at := patterns[r.pattern], &seen[r.pattern]
			if r.part == 0 {
				at[0] = n
			} else if at[0] > 0 && n-at[0] <= p.within {
				at[r.part] = n
			}
			if p.whole(at) && !slices.Contains(found, p.sign) {
				found = append(found, p.sign)
			}
		}
	}
	if forged(text) {
		found = append(found, "forged turns")
	}
	slices.Sort(found)
	return found
}

func forged(text string) bool {
	if !strings.ContainsAny(text, "<[#") {
		return false
	}
	lower := strings.ToLower(text)
	return slices.ContainsFunc(markup, func(m string) bool { return strings.Contains(lower, m) })
}

// whole tells whether all other parts came after the first one.
func (p *pattern) whole(at *[3]int) bool {
	for part := 1; part < len(p.parts); part++ {
		if at[part] <= at[0] {
			return false
		}
	}
	return true
}
