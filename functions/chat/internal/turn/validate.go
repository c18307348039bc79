package turn

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/shared/limits"
)

// maxMessages bounds the messages of one turn.
const maxMessages = 1000

// validate tells what is wrong with the turn, as *Invalid.
func (t Turn) validate() error {
	if err := ValidateSession(t.SessionID); err != nil {
		return err
	}
	if err := ValidateUser(t.User); err != nil {
		return err
	}
	switch n := len(t.Messages); {
	case n == 0:
		return &Invalid{"messages", "must not be empty"}
	case n > maxMessages:
		return &Invalid{"messages", fmt.Sprintf("must be at most %d", maxMessages)}
	}
	for i, m := range t.Messages {
		if err := validateMessage(m); err != nil {
			return &Invalid{fmt.Sprintf("messages[%d]", i), err.Error()}
		}
	}
	return t.validateChoices()
}

// ValidateSession accepts what may name a session: letters, digits and ".", "_", "~", ":", "@", "-", at most
// limits.MaxID bytes, so that it can stand in a path and in a key. Empty is fine: a new one.
func ValidateSession(id string) error {
	if len(id) > limits.MaxID {
		return &Invalid{"session_id", fmt.Sprintf("must be at most %d bytes", limits.MaxID)}
	}
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._~:@-", r)
	}
	if id == "." || id == ".." || strings.ContainsFunc(id, other) {
		return &Invalid{"session_id", `must consist of letters, digits and . _ ~ : @ -`}
	}
	return nil
}

// ValidateUser accepts what may name a user: text without control characters, at most limits.MaxID bytes.
func ValidateUser(user string) error {
	switch {
	case len(user) > limits.MaxID:
		return &Invalid{"user", fmt.Sprintf("must be at most %d bytes", limits.MaxID)}
	case !utf8.ValidString(user) || strings.ContainsFunc(user, unicode.IsControl):
		return &Invalid{"user", "must be text without control characters"}
	}
	return nil
}

func validateMessage(m engine.Message) error {
	switch {
	case m.Role == "":
		return fmt.Errorf("must have a role")
	case m.Raw == nil && strings.TrimSpace(m.Content) == "":
		return fmt.Errorf("must have content")
	case len(m.Content) > limits.MaxBody || len(m.Raw) > limits.MaxBody:
		return fmt.Errorf("must be at most %d bytes", limits.MaxBody)
	case !utf8.ValidString(m.Content) || strings.ContainsRune(m.Content, 0):
		return fmt.Errorf("must be valid UTF-8 without NUL")
	case len(m.Name) > limits.MaxID:
		return fmt.Errorf("must have a name of at most %d bytes", limits.MaxID)
	}
	return nil
}

// maxChoices is OpenAI's own bound.
const maxChoices = 128

// validateChoices takes as many choices as OpenAI's API does. The first of them is what memory keeps.
func (t Turn) validateChoices() error {
	raw, asked := t.Params["n"]
	var n int
	if !asked || string(raw) == "null" || (json.Unmarshal(raw, &n) == nil && n >= 1 && n <= maxChoices) {
		return nil
	}
	return &Invalid{"n", fmt.Sprintf("must be 1 to %d", maxChoices)}
}
