package capacity

import (
	"context"
	"log/slog"

	"github.com/aguante-chat/aguante/shared/guard"
)

func (c *Capacity) tell(r rule, begins bool, value float64) {
	if c.Log == nil {
		return
	}
	level := slog.LevelInfo
	if begins {
		level = slog.LevelWarn
	}
	c.Log.Log(context.Background(), level, "capacity", "of", c.named(r.of).name, "state", r.state, "begins", begins, "value", value,
		"above", r.at.Enter, "until", r.at.Leave, "level", r.level, "measures", r.measures.words())
}

// Statuses are the rules in force, for /health, but those whose own guards or chain say the same there.
func (c *Capacity) Statuses() (all []guard.Status) {
	for i, condition := range c.Now().rules {
		r := rules[i]
		if !condition.holds || r.of == spend || r.of == breakers {
			continue
		}
		of := c.named(r.of)
		all = append(all, guard.Status{Dependency: of.name, Zone: of.zone, State: r.state, Since: condition.since})
	}
	return all
}

// named is a rule's subject, the graph by its own name.
func (c *Capacity) named(of subject) subject {
	if of == graph && c.GraphName != "" {
		of.name = c.GraphName
	}
	return of
}

// measureWords are the measures' names in logs.
var measureWords = []string{"cache recalls", "skip decisions", "local limit", "defer work", "few recalls", "cheap first", "shed new", "shed all"}

func (m Measure) words() (words []string) {
	for i, word := range measureWords {
		if m&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return words
}
