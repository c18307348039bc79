package page

import (
	"strings"

	"github.com/aguante-chat/aguante/shared/decision"
)

// sentence tells a turn in plain words: "Answered by the local engine in 12 ms; the graph was skipped because its
// breaker is open."
func sentence(t decision.Trace) string {
	var b strings.Builder
	took := span(t.DurationMS)
	switch {
	case t.Outcome == decision.Refused:
		b.WriteString("Refused after " + took + because(t.Decisions, decision.Refused))
	case t.Outcome == decision.Failure && t.Engine == "":
		b.WriteString("Failed after " + took + because(t.Decisions, decision.Failure))
	case t.Engine == "":
		b.WriteString("Done in " + took)
	default:
		b.WriteString("Answered by " + thing(t.Engine) + " in " + took)
	}
	if t.Engine == "" && t.Outcome != decision.Success && t.Outcome != decision.Fallback {
		return b.String() + "."
	}
	told := map[string]bool{}
	for _, d := range t.Decisions {
		what, lacking := without(d)
		if lacking == "" || told[what] || len(told) == 3 {
			continue
		}
		told[what] = true
		b.WriteString("; " + what + " " + lacking)
	}
	return b.String() + "."
}

// because gives the reason of the decision with that outcome.
func because(decisions []decision.Decision, outcome string) string {
	for _, d := range decisions {
		if d.Outcome != outcome {
			continue
		}
		for _, reason := range []string{d.Error, d.Selected, d.Policy} {
			if reason != "" {
				reason = strings.TrimPrefix(reason, d.Stage+": ")
				return ": " + strings.TrimSuffix(plain(reason, shortText), ".")
			}
		}
	}
	return ""
}

// without tells what a decision had to do without and why, or what failed; empty when neither.
func without(d decision.Decision) (what, lacking string) {
	switch d.Outcome {
	case decision.Failure:
		return plain(d.Stage, shortText), "failed"
	case decision.Fallback:
	default:
		return "", ""
	}
	name, why := missing(d)
	if name == "" {
		return "", ""
	}
	lacking = "was left out"
	switch d.Stage {
	case decision.Recall:
		lacking = "was skipped"
	case decision.Answer:
		lacking = "was passed over"
	case decision.Record:
		lacking = "was not reached"
	}
	if why != "" {
		lacking += " because " + reason(why)
	}
	return thing(name), lacking
}

// missing is the first way that a decision could not take, and why: the dependency it names, if it names one.
func missing(d decision.Decision) (name, why string) {
	for _, tried := range d.FallbackChain {
		who, reason, _ := strings.Cut(tried, ": ")
		if d.Dependency == "" || who == d.Dependency {
			return who, reason
		}
	}
	if d.Error != "" {
		why = "error"
	}
	return d.Dependency, why
}

// thing is how a dependency is called in a sentence.
func thing(name string) string {
	switch name {
	case "neo4j", "graph":
		return "the graph"
	case "redis":
		return "Redis"
	case "broker":
		return "the broker"
	case "materialize":
		return "materialize"
	case "local":
		return "the local engine"
	}
	return plain(name, shortText)
}

// reason turns the words that guards use into ones that follow "because".
func reason(why string) string {
	switch why {
	case "open":
		return "its breaker is open"
	case "timeout":
		return "it did not answer in time"
	case "rejected":
		return "it had as many calls as it may take"
	case "error":
		return "it failed"
	case "not configured":
		return "there is none"
	case "busy":
		return "too many turns were under way"
	case "legacy mode":
		return "legacy mode is on"
	case "left":
		return "the caller went away"
	}
	return "of this: " + plain(why, shortText)
}
