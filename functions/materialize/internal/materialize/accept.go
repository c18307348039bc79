// Package materialize turns finished turns into memory: accept → extract → write → tell. It answers an event only when
// what came of it is durable.
package materialize

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Bounds on a turn. Its body is bounded by limits.MaxBody already.
const maxMessages = 256

// earliest and ahead bound the times that a turn may claim: before and beyond lies a broken clock, not a memory.
var earliest = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

const ahead = 48 * time.Hour

// accept reads a turn from its event. What it refuses is refused for good: event.Never with a reason for the sender.
func accept(e event.Event, now time.Time) (graph.Write, error) {
	var t event.Completed
	if err := decode(e, &t); err != nil {
		return graph.Write{}, err
	}
	if t.SessionID == "" {
		t.SessionID = e.Subject()
	}
	sent := e.Time()
	if sent.IsZero() || sent.After(now) {
		sent = now
	}
	if err := checkMessages(t.Messages, sent, now); err != nil {
		return graph.Write{}, never(err)
	}
	w := graph.Write{Turn: t, SentAt: sent}
	if _, err := graph.NewEntry(w); err != nil {
		return graph.Write{}, never(err)
	}
	return w, nil
}

// acceptForgotten reads whose data to erase, and until when: never what will be said after now.
func acceptForgotten(e event.Event, now time.Time) (event.Forgotten, error) {
	var f event.Forgotten
	if err := decode(e, &f); err != nil {
		return f, err
	}
	if f.User == "" || len(f.User) > limits.MaxID {
		return f, never(errors.New("user is missing or too long"))
	}
	if f.At.IsZero() {
		f.At = e.Time()
	}
	if f.At.IsZero() || f.At.After(now) {
		f.At = now
	}
	return f, nil
}

func decode(e event.Event, into any) error {
	if !utf8.Valid(e.Data()) {
		return &event.Never{Status: http.StatusBadRequest, Err: errors.New("data is not UTF-8")}
	}
	if err := json.Unmarshal(e.Data(), into); err != nil {
		return &event.Never{Status: http.StatusBadRequest, Err: fmt.Errorf("data: %w", err)}
	}
	return nil
}

// checkMessages also fills times in: a message without one was said when the event was made.
func checkMessages(messages []graph.Message, sent, now time.Time) error {
	if len(messages) == 0 || len(messages) > maxMessages {
		return fmt.Errorf("a turn has 1 to %d messages, not %d", maxMessages, len(messages))
	}
	words := false
	for i := range messages {
		m := &messages[i]
		if m.At.IsZero() {
			m.At = sent
		}
		switch {
		case m.Role == "":
			return fmt.Errorf("messages[%d].role is empty", i)
		case len(m.Role) > limits.MaxID || len(m.Name) > limits.MaxID:
			return fmt.Errorf("messages[%d]: role or name is longer than %d bytes", i, limits.MaxID)
		case m.At.Before(earliest) || m.At.After(now.Add(ahead)):
			return fmt.Errorf("messages[%d].at is %s: no such turn was held", i, m.At.Format(time.RFC3339))
		}
		words = words || m.Content != ""
	}
	if !words {
		return errors.New("nothing was said: every content is empty")
	}
	return nil
}

func never(err error) error {
	return &event.Never{Status: http.StatusUnprocessableEntity, Err: err}
}
