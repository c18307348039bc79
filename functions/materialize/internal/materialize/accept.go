// Package materialize turns finished turns into memory: accept → extract → write → tell. It answers an event only when
// what came of it is durable.
package materialize

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// maxMessages is more than chat takes in one turn.
const maxMessages = 2000

// earliest and ahead bound the times that a turn may claim: before and beyond lies a broken clock, not a memory.
var earliest = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

const ahead = 48 * time.Hour

// accept reads a turn from its event. What it refuses is refused for good: event.Never with a reason for the sender,
// which names the field and repeats nothing of what was said.
func accept(e event.Event, now time.Time) (graph.Write, error) {
	var t event.Completed
	if err := decode(e, &t); err != nil {
		return graph.Write{}, err
	}
	t.SessionID = cmp.Or(t.SessionID, e.Subject())
	if err := checkMessages(t.Messages, now); err != nil {
		return graph.Write{}, never(http.StatusUnprocessableEntity, err)
	}
	date(t.Messages, e.Time(), now)
	return graph.Write{Turn: t, SentAt: past(e.Time(), now)}, nil
}

// acceptForgotten reads whose data to erase, and until when: never what will be said after now.
func acceptForgotten(e event.Event, now time.Time) (event.Forgotten, error) {
	var f event.Forgotten
	if err := decode(e, &f); err != nil {
		return f, err
	}
	if f.User == "" || len(f.User) > limits.MaxID {
		return f, never(http.StatusUnprocessableEntity, errors.New("user is missing or too long"))
	}
	if f.At.IsZero() {
		f.At = e.Time()
	}
	f.At = past(f.At, now)
	return f, nil
}

// past is t, unless t is no time or has not come yet: a turn sent in the future would outlive its user's wish to be forgotten.
func past(t, now time.Time) time.Time {
	if t.IsZero() || t.After(now) {
		return now
	}
	return t
}

func decode(e event.Event, into any) error {
	kind, _, _ := mime.ParseMediaType(cmp.Or(e.DataContentType(), "application/json"))
	switch {
	case kind != "application/json" && kind != "text/json" && !strings.HasSuffix(kind, "+json"):
		return never(http.StatusUnsupportedMediaType, errors.New("data is not JSON"))
	case len(e.Data()) > limits.MaxBody:
		return never(http.StatusRequestEntityTooLarge, fmt.Errorf("data is larger than %d bytes", limits.MaxBody))
	case !utf8.Valid(e.Data()):
		return never(http.StatusBadRequest, errors.New("data is not UTF-8"))
	}
	if err := json.Unmarshal(e.Data(), into); err != nil {
		return never(http.StatusBadRequest, malformed(err))
	}
	return nil
}

// malformed says what is wrong with JSON in the sender's terms. The errors of the decoder would repeat values.
func malformed(err error) error {
	var wrong *json.UnmarshalTypeError
	var broken *json.SyntaxError
	var untimely *time.ParseError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("data: %s cannot be a %s", cmp.Or(wrong.Field, "the whole"), strings.Fields(wrong.Value)[0])
	case errors.As(err, &broken):
		return fmt.Errorf("data: no JSON from byte %d on", broken.Offset)
	case errors.As(err, &untimely):
		return errors.New("data: at is no time as in RFC 3339")
	}
	return errors.New("data: no turn")
}

func checkMessages(messages []graph.Message, now time.Time) error {
	if len(messages) == 0 || len(messages) > maxMessages {
		return fmt.Errorf("messages: a turn has 1 to %d, not %d", maxMessages, len(messages))
	}
	words := false
	for i, m := range messages {
		switch {
		case m.Role == "":
			return fmt.Errorf("messages[%d].role is missing", i)
		case len(m.Role) > limits.MaxID:
			return fmt.Errorf("messages[%d].role is longer than %d bytes", i, limits.MaxID)
		case len(m.Name) > limits.MaxID:
			return fmt.Errorf("messages[%d].name is longer than %d bytes", i, limits.MaxID)
		case !m.At.IsZero() && !plausible(m.At, now):
			return fmt.Errorf("messages[%d].at is before 1900 or in the future", i)
		}
		words = words || strings.TrimSpace(m.Content) != ""
	}
	if !words {
		return errors.New("messages: nothing was said, every content is empty")
	}
	return nil
}

func plausible(t, now time.Time) bool { return t.After(earliest) && t.Before(now.Add(ahead)) }

// date fills in times that are missing: a message was said when the one before was, else when the first that has a time
// was, else when the event was made. An event without any time is dated on arrival, anew at each delivery.
func date(messages []graph.Message, made, now time.Time) {
	at := now
	if plausible(made, now) {
		at = made
	}
	for _, m := range messages {
		if !m.At.IsZero() {
			at = m.At
			break
		}
	}
	for i := range messages {
		if messages[i].At.IsZero() {
			messages[i].At = at
		}
		at = messages[i].At
	}
}

func never(status int, err error) error { return &event.Never{Status: status, Err: err} }
