package httpapi

import (
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

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

// bodyTime is how long a caller may take to send a body that it has announced.
const bodyTime = 10 * time.Second

// readJSON reads the request's body into v. It must be one JSON value in UTF-8, and no object in it may have a member
// twice: two readers could read two things.
func readJSON(w http.ResponseWriter, r *http.Request, v any, options ...jsonv2.Options) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return errMediaType
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	return parseJSON(body, v, options...)
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

func parseJSON(body []byte, v any, options ...jsonv2.Options) error {
	if !utf8.Valid(body) {
		return invalid("", "is not valid UTF-8")
	}
	// What escapes spell, half an emoji say, need not be.
	err := jsonv2.Unmarshal(body, v, append(options, jsontext.AllowInvalidUTF8(true))...)
	var syntax *jsontext.SyntacticError
	var meaning *jsonv2.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return invalid(fieldOf(syntax.JSONPointer), "is there twice")
	case errors.Is(err, jsonv2.ErrUnknownName) && errors.As(err, &meaning):
		return invalid(fieldOf(meaning.JSONPointer), "is not known here")
	case errors.As(err, &meaning) && meaning.JSONPointer == "":
		return invalid("", "is not a JSON object")
	case errors.As(err, &meaning):
		return invalid(fieldOf(meaning.JSONPointer), "has the wrong type")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return invalid("", "is not whole JSON")
	case errors.As(err, &syntax):
		return invalid("", fmt.Sprintf("is not JSON from byte %d on", syntax.ByteOffset))
	}
	return invalid("", "is not JSON")
}

// fieldOf names the member that a pointer leads to as people write it: messages[3].content.
func fieldOf(p jsontext.Pointer) string {
	var name strings.Builder
	for token := range p.Tokens() {
		switch _, err := strconv.Atoi(token); {
		case err == nil && name.Len() > 0:
			name.WriteString("[" + token + "]")
		case name.Len() > 0:
			name.WriteString("." + token)
		default:
			name.WriteString(token)
		}
	}
	return name.String()
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

// checkOptionalID is checkID for an id that may be missing.
func checkOptionalID(field, id string) error {
	if id == "" {
		return nil
	}
	return checkID(field, id)
}

func notInID(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\%?#`, r) }

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

// deadlineOf is until when the caller waits, by a timeout that began with the request. What is no number of milliseconds
// is no timeout: a proxy may have set it, and the caller could not help it.
func deadlineOf(r *http.Request, began time.Time) time.Time {
	ms, err := strconv.ParseUint(r.Header.Get(timeoutHeader), 10, 31)
	if err != nil {
		return time.Time{}
	}
	return began.Add(time.Duration(ms) * time.Millisecond)
}

func invalid(field, reason string) error { return &turn.Invalid{Field: field, Reason: reason} }
