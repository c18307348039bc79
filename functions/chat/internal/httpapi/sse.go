package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	heartbeat = 15 * time.Second // of silence, after which a comment keeps the connection alive
	writeTime = 20 * time.Second // that one event may take to be written: a reader who stopped reading is let go
)

var errClosed = errors.New("the stream is closed")

// stream sends server-sent events, whose ids count them. It begins with the first that it sends, so that what goes wrong
// before is told by status. Safe for concurrent use.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	turnID  string
	after   int // events that the caller has already, which are counted and not sent

	mu      sync.Mutex
	buffer  bytes.Buffer
	encoder *json.Encoder
	beat    *time.Timer
	events  int
	begun   bool
	closed  bool
}

func newStream(w http.ResponseWriter, turnID string) *stream {
	s := &stream{w: w, control: http.NewResponseController(w), turnID: turnID}
	s.encoder = json.NewEncoder(&s.buffer)
	s.encoder.SetEscapeHTML(false)
	s.beat = time.AfterFunc(heartbeat, s.comment)
	return s
}

// send writes the next event with v as its JSON data; a stream of OpenAI's has no event names.
func (s *stream) send(event string, v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events++; s.events <= s.after {
		return nil
	}
	return s.write(event, v)
}

// write writes an event with the id of the one counted last; s.mu is held.
func (s *stream) write(event string, v any) error {
	s.open(event)
	if err := s.encoder.Encode(v); err != nil { // ends the line
		s.buffer.Reset()
		return err
	}
	s.buffer.WriteByte('\n')
	return s.flush()
}

// sendText is send for data that is text already, on one line, given in parts.
func (s *stream) sendText(parts ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events++; s.events <= s.after {
		return nil
	}
	s.open("")
	for _, text := range parts {
		s.buffer.WriteString(text)
	}
	s.buffer.WriteString("\n\n")
	return s.flush()
}

// open begins an event; s.mu is held.
func (s *stream) open(event string) {
	if event != "" {
		s.buffer.WriteString("event: ")
		s.buffer.WriteString(event)
		s.buffer.WriteByte('\n')
	}
	s.buffer.WriteString("id: ")
	s.buffer.Write(strconv.AppendInt(s.buffer.AvailableBuffer(), int64(max(s.events, s.after)), 10))
	s.buffer.WriteString("\ndata: ")
}

// raw writes text as it is.
func (s *stream) raw(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer.WriteString(text)
	return s.flush()
}

// behind tells whether the caller has more than the stream has sent or counted.
func (s *stream) behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events < s.after
}

func (s *stream) comment() { _ = s.raw(": still here\n\n") }

// flush writes the buffer; s.mu is held.
func (s *stream) flush() error {
	defer s.buffer.Reset()
	if s.closed {
		return errClosed
	}
	s.begin()
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTime))
	if _, err := s.w.Write(s.buffer.Bytes()); err != nil {
		return err
	}
	s.beat.Reset(heartbeat)
	return s.control.Flush()
}

func (s *stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Header().Set(turnHeader, s.turnID)
	s.w.Header().Set("X-Accel-Buffering", "no") // nginx passes events on at once
	s.w.WriteHeader(http.StatusOK)
}

// close ends the heartbeat; nothing is written after it.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.beat.Stop()
	if s.begun {
		_ = s.control.SetWriteDeadline(time.Time{}) // the connection may serve another request
	}
}
