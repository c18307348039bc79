package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	heartbeat = 15 * time.Second // of silence, after which a comment keeps the connection alive
	writeTime = 20 * time.Second // that one event may take to be written: a reader who stopped reading is let go
)

var errClosed = errors.New("the stream is closed")

// stream sends server-sent events. It begins with the first of them, so that what goes wrong before is told by status.
// Safe for concurrent use.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu      sync.Mutex
	buffer  bytes.Buffer
	encoder *json.Encoder
	beat    *time.Timer
	begun   bool
	closed  bool
}

func newStream(w http.ResponseWriter) *stream {
	s := &stream{w: w, control: http.NewResponseController(w)}
	s.encoder = json.NewEncoder(&s.buffer)
	s.encoder.SetEscapeHTML(false)
	s.beat = time.AfterFunc(heartbeat, s.comment)
	return s
}

// send writes one event with v as its JSON data; a stream of OpenAI's has no event names.
func (s *stream) send(event string, v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if event != "" {
		s.buffer.WriteString("event: ")
		s.buffer.WriteString(event)
		s.buffer.WriteByte('\n')
	}
	s.buffer.WriteString("data: ")
	if err := s.encoder.Encode(v); err != nil { // ends the line
		s.buffer.Reset()
		return err
	}
	s.buffer.WriteByte('\n')
	return s.flush()
}

// raw writes text as it is.
func (s *stream) raw(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer.WriteString(text)
	return s.flush()
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
