package event

import (
	"errors"
	"fmt"
	"net/http"
	"unicode"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/aguante-chat/aguante/shared/limits"
)

// maxBody leaves room for a structured event's attributes around data as large as data may be.
const maxBody = limits.MaxBody + 64<<10

// Read decodes the one event that r carries, in binary or structured mode. Its error is a *Never with the status to
// refuse with: 415 no single event, 413 too large, 400 malformed.
func Read(w http.ResponseWriter, r *http.Request) (Event, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	message := cehttp.NewMessageFromHttpRequest(r)
	switch message.ReadEncoding() {
	case binding.EncodingBinary, binding.EncodingStructured:
	default:
		return Event{}, &Never{http.StatusUnsupportedMediaType, errors.New("not one CloudEvent, binary or structured")}
	}
	e, err := binding.ToEvent(r.Context(), message)
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return Event{}, &Never{http.StatusRequestEntityTooLarge, fmt.Errorf("an event has at most %d bytes", maxBody)}
	}
	if err == nil {
		err = Validate(*e)
	}
	if err != nil {
		return Event{}, &Never{http.StatusBadRequest, fmt.Errorf("malformed event: %w", err)}
	}
	return *e, nil
}

// Validate says what keeps e from being a CloudEvent that can travel in both modes. Beyond the SDK's own checks the
// attributes must be text without control characters (CloudEvents 1.0, "Type System"): binary mode puts them into headers.
func Validate(e Event) error {
	if err := e.Validate(); err != nil {
		return err
	}
	attributes := map[string]string{
		"id": e.ID(), "source": e.Source(), "type": e.Type(), "subject": e.Subject(),
		"dataschema": e.DataSchema(), "datacontenttype": e.DataContentType(),
	}
	for name, value := range e.Extensions() {
		if text, ok := value.(string); ok {
			attributes[name] = text
		}
	}
	for name, value := range attributes {
		if !printable(value) {
			return fmt.Errorf("%s: not text, or with control characters", name)
		}
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return false
		}
	}
	return true
}
