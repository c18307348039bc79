package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

// bodyTime is how long a caller may take to send a body that it has announced.
const bodyTime = 10 * time.Second

// fields are the members of a JSON object.
type fields map[string]json.RawMessage

// readObject reads the request's body, which must be one JSON object in UTF-8 without repeated members.
func readObject(w http.ResponseWriter, r *http.Request) (fields, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, errMediaType
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	return parseObject(body)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // recorders in tests have none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limits.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSlowBody
	case err != nil:
		return nil, invalid("", "has a body that ends too early")
	}
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

func parseObject(body []byte) (fields, error) {
	if !utf8.Valid(body) {
		return nil, invalid("", "is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, invalid("", "is not a JSON object")
	}
	members := fields{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, malformed(err)
		}
		key, _ := name.(string) // the decoder lets nothing else be a name
		if _, twice := members[key]; twice {
			return nil, invalid(key, "is there twice")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed(err)
		}
		members[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("", "goes on after its JSON object")
	}
	return members, nil
}

func malformed(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return invalid("", fmt.Sprintf("is not JSON from byte %d on", syntax.Offset))
	}
	return invalid("", "is not whole JSON")
}

// take removes the member name and decodes it into v. A member that is missing or null leaves v as it is.
func (f fields) take(name string, v any) error {
	raw, ok := f[name]
	delete(f, name)
	if !ok || string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return invalid(name, "has the wrong type")
	}
	return nil
}

// checkID says whether id can name a user, a session or a turn: it is part of store keys and of paths.
func checkID(field, id string) error {
	switch {
	case id == "":
		return invalid(field, "is empty")
	case len(id) > limits.MaxID:
		return invalid(field, fmt.Sprintf("is longer than %d bytes", limits.MaxID))
	case id == "." || id == "..":
		return invalid(field, "is a path")
	case !utf8.ValidString(id):
		return invalid(field, "is not valid UTF-8")
	case strings.ContainsFunc(id, notInID):
		return invalid(field, `may not hold control characters, nor any of / \ % ? #`)
	}
	return nil
}

func notInID(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\%?#`, r) }

// takeID takes the member name, which may be missing or empty, as an id.
func (f fields) takeID(name string, id *string) error {
	if err := f.take(name, id); err != nil || *id == "" {
		return err
	}
	return checkID(name, *id)
}

// hops reads the header Aguante-Hop: how often this call went round already.
func hops(r *http.Request) (int, error) {
	value := r.Header.Get(hopHeader)
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return 0, invalid(hopHeader, "is not a count")
	}
	return int(n), nil
}

func invalid(field, reason string) error { return &turn.Invalid{Field: field, Reason: reason} }
