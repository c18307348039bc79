// Package deadletters keeps the events that nobody took, as they came, until an operator sends them again.
package deadletters

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/aguante-chat/aguante/shared/event"
)

// Extensions that Knative adds to an event it gives up on.
const (
	extDestination = "knativeerrordest"
	extCode        = "knativeerrorcode"
	extReason      = "knativeerrordata"
)

// States of a letter.
const (
	Waiting  = "waiting"  // for an operator
	Replayed = "replayed" // sent again, and not back since
)

// Letter is a dead letter in a list: everything of it but the event's data, which may hold what people said.
type Letter struct {
	ID          string    `json:"id"`
	Type        string    `json:"type"`
	Source      string    `json:"source"`
	EventID     string    `json:"event_id"`
	Subject     string    `json:"subject,omitempty"`
	Time        time.Time `json:"time,omitzero"`
	Hops        int       `json:"hops"`
	Destination string    `json:"destination,omitempty"` // who would not take it
	Code        int       `json:"code,omitempty"`        // the HTTP status they gave; 0: none
	Reason      string    `json:"reason,omitempty"`      // what they said
	Size        int       `json:"size"`                  // bytes of data
	Arrivals    int       `json:"arrivals"`              // how often it came
	FirstAt     time.Time `json:"first_at"`
	LastAt      time.Time `json:"last_at"`
	State       string    `json:"state"`
	Replays     int       `json:"replays"`
	ReplayedAt  time.Time `json:"replayed_at,omitzero"` // the last time
}

// identity of a letter: the event and who would not take it.
func identity(e event.Event) string {
	hash := sha256.New()
	for _, part := range []string{e.Source(), e.ID(), extension(e, extDestination)} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil)[:12])
}

// attributes of e as the headers of a binary event spell them: enough to make e again.
func attributes(e event.Event) (map[string]string, error) {
	all := map[string]string{
		"specversion": e.SpecVersion(), "type": e.Type(), "source": e.Source(), "id": e.ID(),
		"subject": e.Subject(), "dataschema": e.DataSchema(), "datacontenttype": e.DataContentType(),
	}
	if !e.Time().IsZero() {
		all["time"] = types.FormatTime(e.Time())
	}
	for name, value := range e.Extensions() {
		text, err := types.Format(value)
		if err != nil {
			return nil, fmt.Errorf("extension %s: %w", name, err)
		}
		all[name] = text
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all, nil
}

// revive makes the event again, to be sent as if for the first time: no hops behind it, no failure on it.
func revive(attributes map[string]string, data []byte) (event.Event, error) {
	e := event.Event{}
	e.SetSpecVersion(attributes["specversion"])
	e.SetType(attributes["type"])
	e.SetSource(attributes["source"])
	e.SetID(attributes["id"])
	for name, value := range attributes {
		switch name {
		case "specversion", "type", "source", "id", extDestination, extCode, extReason, event.ExtHops:
		case "subject":
			e.SetSubject(value)
		case "dataschema":
			e.SetDataSchema(value)
		case "datacontenttype":
			e.SetDataContentType(value)
		case "time":
			at, err := types.ParseTime(value)
			if err != nil {
				return e, fmt.Errorf("time: %w", err)
			}
			e.SetTime(at)
		default:
			e.SetExtension(name, value)
		}
	}
	e.SetExtension(event.ExtHops, 0)
	e.DataEncoded = data
	return e, e.Validate()
}

// describe fills in what the attributes tell.
func (l *Letter) describe(attributes map[string]string) {
	l.Type, l.Source, l.EventID = attributes["type"], attributes["source"], attributes["id"]
	l.Subject, l.Destination = attributes["subject"], attributes[extDestination]
	l.Time, _ = types.ParseTime(attributes["time"])
	l.Hops, _ = strconv.Atoi(attributes[event.ExtHops])
	l.Code, _ = strconv.Atoi(attributes[extCode])
	l.Reason = reason(attributes[extReason])
}

// reason is the receiver's own sentence: Knative gives the start of its answer, in base64 or as it was, and ours are
// problem documents.
func reason(raw string) string {
	if decoded, err := base64.StdEncoding.DecodeString(raw); err == nil && utf8.Valid(decoded) {
		raw = string(decoded)
	}
	var problem struct{ Title, Detail string }
	if json.Unmarshal([]byte(raw), &problem) == nil && problem.Title != "" {
		return strings.TrimSuffix(problem.Title+": "+problem.Detail, ": ")
	}
	return strings.TrimSpace(strings.ToValidUTF8(raw, "\uFFFD"))
}

// owner is the user whose data e holds; unreadable is true when the data does not say in a way we can read. The request to
// forget someone is nobody's: it has work to do.
func owner(e event.Event) (user string, unreadable bool) {
	if e.Type() == event.UserForgotten || len(bytes.TrimSpace(e.Data())) == 0 {
		return "", false
	}
	var holder struct {
		User string `json:"user"`
	}
	if err := json.Unmarshal(e.Data(), &holder); err != nil {
		return "", true
	}
	return holder.User, false
}

// Spellings are how unreadable data may name a user. A letter that has one of them goes when that user is forgotten.
func Spellings(user string) [][]byte {
	all := [][]byte{[]byte(`"` + user + `"`)}
	if escaped, err := json.Marshal(user); err == nil {
		all = append(all, escaped)
	}
	return all
}

func extension(e event.Event, name string) string {
	text, _ := types.Format(e.Extensions()[name])
	return text
}
