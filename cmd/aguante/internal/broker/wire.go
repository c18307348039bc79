package broker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"knative.dev/eventing/pkg/kncloudevents/attributes"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

// maxReply bounds what is read of a subscriber's answer.
const maxReply = limits.MaxBody + 64<<10

var errNoEvent = errors.New("an answer must be empty or a CloudEvent")

// marshal gives e in structured mode. Data that claims to be JSON and is not travels as bytes.
func marshal(e event.Event) ([]byte, error) {
	if !json.Valid(e.Data()) {
		e.DataBase64 = true
	}
	return e.MarshalJSON()
}

func unmarshal(body []byte) (event.Event, error) {
	var e event.Event
	err := e.UnmarshalJSON(body)
	return e, err
}

// readReply reads an answer whole, leaving its body to be read again, and gives the event in it, if it has one. It closes
// what it read: the dispatcher does not close the body of a reply, which holds a goroutine until the attempt's time ends.
func readReply(answer *http.Response) (*event.Event, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	setBody(answer, body)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, nil
	}
	return parseReply(answer.Header, body)
}

func setBody(answer *http.Response, body []byte) { answer.Body = io.NopCloser(bytes.NewReader(body)) }

func parseReply(header http.Header, body []byte) (*event.Event, error) {
	message := cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body)))
	if message.ReadEncoding() == binding.EncodingUnknown {
		if len(body) > 0 {
			return nil, errNoEvent
		}
		return nil, nil
	}
	e, err := binding.ToEvent(context.Background(), message)
	if err == nil {
		err = event.Validate(*e)
	}
	if err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	return e, nil
}

// encodeData is what Knative puts into knativeerrordata: base64 of the answer's body, within the attribute's bound.
func encodeData(body []byte) string {
	body = body[:min(len(body), base64.StdEncoding.DecodedLen(attributes.KnativeErrorDataExtensionMaxLength))]
	return base64.StdEncoding.EncodeToString(body)
}
