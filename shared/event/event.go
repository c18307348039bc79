package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Event is one CloudEvent.
type Event = ce.Event

// New returns an event of type typ with data as JSON. Its subject and partition key are the session, if there is one;
// id is unique per source. It fails when data cannot be encoded or an attribute is not what CloudEvents allows.
func New(typ, source, id, session string, hops int, data any) (Event, error) {
	e := ce.New()
	e.SetType(typ)
	e.SetSource(source)
	e.SetID(id)
	e.SetTime(time.Now().UTC())
	e.SetExtension(ExtHops, hops)
	if session != "" {
		e.SetSubject(session)
		e.SetExtension(ExtPartitionKey, session)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // an event is never markup, and escapes grow it
	if err := encoder.Encode(data); err != nil {
		return Event{}, fmt.Errorf("event: encode %s: %w", typ, err)
	}
	e.SetDataContentType(ce.ApplicationJSON)
	e.DataEncoded = bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	if err := Validate(e); err != nil {
		return Event{}, fmt.Errorf("event: %s: %w", typ, err)
	}
	return e, nil
}

// Hops is how many events led to e. A count that cannot be read is more than limits.MaxHops, so that it is refused.
func Hops(e Event) int {
	if e.Context == nil {
		return 0
	}
	value, err := e.Context.GetExtension(ExtHops)
	if err != nil {
		return 0
	}
	if hops, err := types.ToInteger(value); err == nil && hops >= 0 {
		return int(hops)
	}
	return limits.MaxHops + 1
}

// Again says that an event should be sent again, After that long; zero leaves it to the sender.
type Again struct {
	After time.Duration
	Err   error
}

func (a *Again) Error() string { return fmt.Sprintf("send again: %v", a.Err) }

// Unwrap gives the cause.
func (a *Again) Unwrap() error { return a.Err }

// Never says that an event will not be taken however often it is sent. Status is one of those that brokers do not
// retry: 400, 401, 403, 410, 413, 415 or 422; zero is 400.
type Never struct {
	Status int
	Err    error
}

func (n *Never) Error() string { return fmt.Sprintf("never send again: %v", n.Err) }

// Unwrap gives the cause.
func (n *Never) Unwrap() error { return n.Err }
