package terminal

import (
	"bufio"
	"bytes"
	"io"
	"iter"
)

// maxLine bounds one line of a stream: the last event holds the whole reply.
const maxLine = 4 << 20

// message is one server-sent event.
type message struct {
	id    string
	event string
	data  []byte
}

// messages reads server-sent events (WHATWG HTML, 9.2) until the stream ends or fails; the last value has the error.
func messages(r io.Reader) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		var m message
		for lines.Scan() {
			line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
			if len(line) > 0 {
				m.add(line)
				continue
			}
			if m.data != nil && !yield(m, nil) {
				return
			}
			m = message{}
		}
		if err := lines.Err(); err != nil {
			yield(message{}, err)
		}
	}
}

func (m *message) add(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "id":
		m.id = string(value)
	case "event":
		m.event = string(value)
	case "data":
		if m.data != nil {
			m.data = append(m.data, '\n')
		}
		m.data = append(m.data, value...)
		if m.data == nil {
			m.data = []byte{}
		}
	}
}
