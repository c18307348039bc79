package openai

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxEvent bounds one server-sent event, and a whole JSON answer: 8 MiB, far above what any model can say in a turn.
const maxEvent = 8 << 20

var errEventTooLarge = errors.New("an event of the stream is too large")

// eventReader reads server-sent events (WHATWG HTML, section 9.2) as they come in: lines end in CR, LF or both, lines
// that begin with a colon are comments, and an event is complete at the empty line after it.
type eventReader struct {
	in     *bufio.Reader
	line   []byte
	data   []byte
	skipLF bool // the last line ended in CR; an LF right after it belongs to it
	begun  bool
}

func newEventReader(r io.Reader) *eventReader {
	return &eventReader{in: bufio.NewReaderSize(r, 16<<10)}
}

// next returns the data of the next event, valid until the call after. io.EOF: the stream ended between two events;
// io.ErrUnexpectedEOF: within one, which is dropped.
func (r *eventReader) next() ([]byte, error) {
	r.data = r.data[:0]
	begun := false
	for {
		if err := r.readLine(); err != nil {
			if errors.Is(err, io.EOF) && (begun || len(r.line) > 0) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if len(r.line) == 0 {
			if begun {
				return r.data[:len(r.data)-1], nil // every line of data added an LF
			}
			continue
		}
		if value, ok := dataField(r.line); ok {
			if len(r.data)+len(value) > maxEvent {
				return nil, errEventTooLarge
			}
			begun = true
			r.data = append(append(r.data, value...), '\n')
		}
	}
}

// dataField gives the value of a line "data: value".
func dataField(line []byte) ([]byte, bool) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	if string(name) != "data" {
		return nil, false
	}
	return bytes.TrimPrefix(value, []byte(" ")), true
}

// readLine reads the next line into r.line, without its end. A line that ends in CR is given at once: the LF that may
// follow is not waited for.
func (r *eventReader) readLine() error {
	r.line = r.line[:0]
	for {
		if _, err := r.in.Peek(1); err != nil {
			return err
		}
		chunk, _ := r.in.Peek(r.in.Buffered())
		if r.skipLF {
			r.skipLF = false
			if chunk[0] == '\n' {
				r.discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			r.line = append(r.line, chunk...)
			r.discard(len(chunk))
			if len(r.line) > maxEvent {
				return errEventTooLarge
			}
			continue
		}
		r.line = append(r.line, chunk[:end]...)
		r.skipLF = chunk[end] == '\r'
		r.discard(end + 1)
		r.dropMark()
		return nil
	}
}

// dropMark drops the byte order mark that a stream may begin with.
func (r *eventReader) dropMark() {
	if !r.begun {
		r.begun = true
		r.line = bytes.TrimPrefix(r.line, []byte("\uFEFF"))
	}
}

func (r *eventReader) discard(n int) { _, _ = r.in.Discard(n) } // n bytes are buffered
