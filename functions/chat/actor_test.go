package chat_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// attempt is what an engine sees of one: when it came, and whether a stream is asked for.
type attempt struct {
	at     time.Time
	stream bool
	body   string
}

// scene does what an engine does at its nth attempt.
type scene func(w http.ResponseWriter, r *http.Request, a attempt)

// actor is an engine that plays its scenes, one an attempt, the last of them over and over.
type actor struct {
	*httptest.Server
	mu   sync.Mutex
	seen []attempt
}

func play(t *testing.T, scenes ...scene) *actor {
	s := &actor{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var body struct{ Stream bool }
		_ = json.Unmarshal(text, &body)
		a := attempt{time.Now(), body.Stream, string(text)}
		s.mu.Lock()
		n := len(s.seen)
		s.seen = append(s.seen, a)
		s.mu.Unlock()
		scenes[min(n, len(scenes)-1)](w, r, a)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *actor) attempts() []attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

const (
	line     = "Señora <b>“Ñandú”</b> & co:\n\t日本 🙂 \\ \"end\"." // what must arrive byte for byte
	half     = len("Señora <b>“Ñandú")                           // at the edge of a rune
	lastUse  = `{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}`
	lastLine = `data: {"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	useLine  = `data: {"choices":[],"usage":` + lastUse + "}\n\n"
	doneLine = "data: [DONE]\n\n"
)

func quoted(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}

func delta(text string) string {
	return `data: {"model":"m-1","choices":[{"index":0,"delta":{"content":` + quoted(text) + "}}]}\n\n"
}

// begin opens a stream with parts, each sent on its own.
func begin(w http.ResponseWriter, parts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, p := range parts {
		_, _ = io.WriteString(w, p)
		_ = http.NewResponseController(w).Flush()
	}
	_ = http.NewResponseController(w).Flush()
}

// says answers with text, streamed or not as it is asked.
func says(text string) scene {
	return func(w http.ResponseWriter, _ *http.Request, a attempt) {
		if a.stream {
			word, rest, _ := strings.Cut(text, " ")
			begin(w, delta(word), delta(" "+rest), lastLine, useLine, doneLine)
			return
		}
		_, _ = fmt.Fprintf(w, `{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],"usage":%s}`, quoted(text), lastUse)
	}
}

func answers(status int, header ...string) scene {
	return func(w http.ResponseWriter, _ *http.Request, _ attempt) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"message":"no"}}`)
	}
}

func refuses(status int, code string) scene {
	return func(w http.ResponseWriter, _ *http.Request, _ attempt) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"the engine says no","code":%q}}`, code)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request, _ attempt) { <-r.Context().Done() }

func resets(http.ResponseWriter, *http.Request, attempt) { panic(http.ErrAbortHandler) }

// streams plays s for a stream, and says the answer otherwise: the fault is one of streams.
func streams(s scene) scene {
	return func(w http.ResponseWriter, r *http.Request, a attempt) {
		if a.stream {
			s(w, r, a)
			return
		}
		says(line)(w, r, a)
	}
}

// sends is a stream of these parts, and then whatever comes after.
func sends(then scene, parts ...string) scene {
	return streams(func(w http.ResponseWriter, r *http.Request, a attempt) {
		begin(w, parts...)
		if then != nil {
			then(w, r, a)
		}
	})
}

// chopped cuts text into bytes, and so its runes and its field names.
func chopped(text string) (parts []string) {
	for i := range len(text) {
		parts = append(parts, text[i:i+1])
	}
	return parts
}

func zipped(w http.ResponseWriter, r *http.Request, a attempt) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	defer func() { _ = z.Close() }()
	if a.stream {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	says(line)(zipWriter{w, z}, r, a)
}

// zipWriter zips what is written through it.
type zipWriter struct {
	http.ResponseWriter
	zip *gzip.Writer
}

func (z zipWriter) Write(p []byte) (int, error) { return z.zip.Write(p) }

// FlushError flushes both.
func (z zipWriter) FlushError() error {
	_ = z.zip.Flush()
	return http.NewResponseController(z.ResponseWriter).Flush()
}
