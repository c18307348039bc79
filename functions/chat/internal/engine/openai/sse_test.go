package openai

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func readEvents(r io.Reader) (events []string, err error) {
	in := newEventReader(r)
	for {
		data, err := in.next()
		if err != nil {
			return events, err
		}
		events = append(events, string(data))
	}
}

func TestReadsEventsAsTheStandardHasThem(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		want   []string
		end    error
	}{
		"one":                           {"data: a\n\n", []string{"a"}, io.EOF},
		"without the space":             {"data:a\n\n", []string{"a"}, io.EOF},
		"two spaces keep one":           {"data:  a\n\n", []string{" a"}, io.EOF},
		"CRLF":                          {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"a", "b"}, io.EOF},
		"CR":                            {"data: a\r\rdata: b\r\r", []string{"a", "b"}, io.EOF},
		"mixed":                         {"data: a\r\n\ndata: b\r\r\n", []string{"a", "b"}, io.EOF},
		"several lines":                 {"data: a\ndata: b\ndata\n\n", []string{"a\nb\n"}, io.EOF},
		"comments and other fields":     {": hi\n\nevent: x\nid: 1\nretry: 5\ndata: a\n: ho\n\n", []string{"a"}, io.EOF},
		"empty data":                    {"data:\n\n", []string{""}, io.EOF},
		"byte order mark":               {"\uFEFFdata: a\n\n", []string{"a"}, io.EOF},
		"nothing":                       {"", nil, io.EOF},
		"empty lines":                   {"\n\n\r\n", nil, io.EOF},
		"cut in a line":                 {"data: a\n\ndata: b", []string{"a"}, io.ErrUnexpectedEOF},
		"cut before the empty line":     {"data: a\n", nil, io.ErrUnexpectedEOF},
		"a field that begins like data": {"database: a\n\n", nil, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.stream), iotest.OneByteReader(strings.NewReader(c.stream))} {
				got, err := readEvents(r)
				if !slices.Equal(got, c.want) || !errors.Is(err, c.end) {
					t.Errorf("got %q, %v; want %q, %v", got, err, c.want, c.end)
				}
			}
		})
	}
}

func TestBoundsAnEvent(t *testing.T) {
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	for name, stream := range map[string]string{
		"one line":   "data: " + strings.Repeat("x", maxEvent+1),
		"many lines": strings.Repeat(line, maxEvent>>20+1),
	} {
		if _, err := readEvents(strings.NewReader(stream)); !errors.Is(err, errEventTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestGivesAnEventBeforeTheNextByteComes(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	go w.Write([]byte("data: a\r\r"))
	if data, err := newEventReader(r).next(); string(data) != "a" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
}

// However a stream is cut into chunks, its events are the same; and data that is written is what is read.
func FuzzEventReader(f *testing.F) {
	f.Add([]byte("data: {\"a\":1}\r\n\r\n: c\ndata: é\n\ndata: [DONE]\n\n"), 3)
	f.Add([]byte("\uFEFFdata\rdata:\r\n\r"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		want, wantErr := readEvents(bytes.NewReader(stream))
		got, err := readEvents(&chunks{stream, max(1, size&15)})
		if !slices.Equal(got, want) || !errors.Is(err, wantErr) {
			t.Fatalf("in chunks of %d: %q, %v; at once: %q, %v", size, got, err, want, wantErr)
		}
		var again strings.Builder
		for _, data := range want {
			again.WriteString("data: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n")
		}
		if got, _ := readEvents(strings.NewReader(again.String())); !slices.Equal(got, want) {
			t.Fatalf("written again: %q, want %q", got, want)
		}
	})
}

// chunks gives at most size bytes at a time.
type chunks struct {
	data []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}
