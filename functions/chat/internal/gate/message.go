package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// Messages is the operator's policy of what messages may hold: see rules.
type Messages struct{ Policy *Policy }

// rules are a part of the policy file. What is left out is not limited here.
type rules struct {
	MaxMessages int      `yaml:"max_messages"` // of one turn
	MaxBytes    int      `yaml:"max_bytes"`    // of one message
	Roles       []string `yaml:"roles"`        // that messages may have
	Deny        []string `yaml:"deny"`         // words and phrases, compared without case, accents and punctuation

	denied []string // as spaced gives them
}

// Check says which rule the turn breaks; nothing when it breaks none.
func (m Messages) Check(t turn.Turn, _ turn.Opened) *turn.Ruling {
	rule, reason := m.Policy.current().Messages.broken(t)
	if reason == "" {
		return nil
	}
	return &turn.Ruling{Gate: "message_policy", Policy: "what messages may hold: " + rule, Reason: reason}
}

func (r *rules) broken(t turn.Turn) (rule, reason string) {
	if r.MaxMessages > 0 && len(t.Messages) > r.MaxMessages {
		return "max_messages", fmt.Sprintf("A turn may have at most %d messages here.", r.MaxMessages)
	}
	for _, m := range t.Messages {
		switch size := max(len(m.Content), len(m.Raw)); {
		case r.MaxBytes > 0 && size > r.MaxBytes:
			return "max_bytes", fmt.Sprintf("A message may have at most %d bytes here.", r.MaxBytes)
		case len(r.Roles) > 0 && !slices.Contains(r.Roles, m.Role):
			return "roles", "Messages here have one of the roles " + strings.Join(r.Roles, ", ") + "."
		}
	}
	if len(r.denied) == 0 {
		return "", ""
	}
	for _, m := range t.Messages {
		text := spaced(m.Content)
		if i := slices.IndexFunc(r.denied, func(d string) bool { return strings.Contains(text, d) }); i >= 0 {
			return fmt.Sprintf("deny %d", i+1), "It holds words that are not taken here."
		}
	}
	return "", ""
}

// check prepares rules and says what is wrong with them.
func (r *rules) check() error {
	if r.MaxMessages < 0 || r.MaxBytes < 0 {
		return fmt.Errorf("messages: a limit is below 0")
	}
	for i, phrase := range r.Deny {
		words := spaced(phrase)
		if words == " " {
			return fmt.Errorf("messages: deny %d has no words", i+1)
		}
		r.denied = append(r.denied, words)
	}
	return nil
}
