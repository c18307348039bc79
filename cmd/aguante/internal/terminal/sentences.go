package terminal

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// problem is what is read of application/problem+json.
type problem struct {
	Status     int    `json:"status"`
	Detail     string `json:"detail"`
	RetryAfter int    `json:"retry_after"` // seconds
}

// sentence is an error as people read it.
type sentence string

func (s sentence) Error() string { return string(s) }

// degradedSentence says what is on the chat page too.
func degradedSentence(d guard.Degraded) string {
	missing := d.Reason == "not configured"
	choose := func(one, other string) string {
		if missing {
			return one
		}
		return other
	}
	switch {
	case d.Zone == limits.ZoneGraph:
		return choose("I have no long-term memory here.", "Memory is resting: I answer without it.")
	case d.Zone == limits.ZoneAsync:
		return choose("I do not keep this turn.", "Long-term memory is slow to listen: I hand this turn over later.")
	case d.Dependency == limits.Redis.Name:
		return choose("I keep no history here.", "My short-term memory is resting: I may miss what was said a moment ago.")
	case d.Zone == limits.ZoneSync:
		return "The usual engine is away: another one answers."
	}
	return fmt.Sprintf("Something of mine is resting (%s); I answer without it.", d.Dependency)
}

// sentence says what is on the chat page too.
func (p problem) sentence() sentence {
	wait := ""
	if p.RetryAfter > 0 {
		wait = fmt.Sprintf(" Try again in %d s.", p.RetryAfter)
	}
	switch p.Status {
	case http.StatusRequestTimeout:
		return sentence("That took too long, so I stopped." + wait)
	case http.StatusRequestEntityTooLarge:
		return "That message is too long for me."
	case http.StatusTooManyRequests:
		return sentence("You are faster than I am allowed to be." + wait)
	case http.StatusServiceUnavailable:
		return sentence("I am too busy right now." + wait)
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return sentence(cmp.Or(p.Detail, "I may not answer that."))
	}
	return sentence("Something went wrong on my side." + wait)
}
