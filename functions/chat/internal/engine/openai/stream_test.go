package openai

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

func TestHowLongAnEngineAsksToWait(t *testing.T) {
	now := time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"2":                             2 * time.Second,
		"0.5":                           500 * time.Millisecond,
		"-3":                            0,
		"soon":                          0,
		"NaN":                           0,
		"1e300":                         maxRetryAfter,
		"Inf":                           maxRetryAfter,
		"Sun, 03 May 2026 10:00:07 GMT": 7 * time.Second,
		"Sun, 03 May 2026 09:00:00 GMT": 0,
		"Sun, 03 May 2099 09:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After: %s: %s, want %s", value, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {"9"}, "Retry-After-Ms": {"1500"}}, now); got != 1500*time.Millisecond {
		t.Errorf("in milliseconds: %s", got)
	}
}

func TestNoSecondChoiceIsCutShort(t *testing.T) {
	const one = `data: {"choices":[{"index":%d,"delta":{"content":"a"}}]}` + "\n\n"
	const end = `data: {"choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	both := fmt.Sprintf(one, 0) + fmt.Sprintf(one, 1) + fmt.Sprintf(end, 0)
	if _, err := read(both); err == nil {
		t.Error("the second choice did not end, and the answer counts as whole")
	}
	if a, err := read(both + fmt.Sprintf(end, 1)); err != nil || a.Text != "a" {
		t.Errorf("got %+v, %v", a, err)
	}
}

// read reads a stream whose pieces nobody wants.
func read(stream string) (engine.Answer, error) {
	_, cancel := context.WithCancelCause(context.Background())
	silence := watch(cancel, time.Minute, time.Minute)
	defer silence.timer.Stop()
	return New(Config{Name: "e"}, nil).stream(strings.NewReader(stream), func(engine.Piece) error { return nil }, silence)
}

func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		`data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\n",
		`data: {"choices":[{"delta":{"tool_calls":[{}]}}]}` + "\n\ndata: [DONE]\n\n",
		`data: {"error":"x"}` + "\n\n", `data: {"choices":{}}` + "\n\n", `data: {"choices":[[1]],"usage":{"total_tokens":1e99}}` + "\n\n",
		`data: {"choices":[{"index":-1,"finish_reason":7,"delta":[]}]}` + "\n\ndata: [DONE]\n\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		a, err := read(stream)
		if err == nil && a.Finish == "" {
			t.Errorf("whole without an end: %+v", a)
		}
	})
}

// BenchmarkChunk is what one chunk of a stream costs, read and passed on.
func BenchmarkChunk(b *testing.B) {
	const chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"m-1","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}` + "\n\n"
	_, cancel := context.WithCancelCause(context.Background())
	silence := watch(cancel, time.Minute, time.Minute)
	defer silence.timer.Stop()
	b.ReportAllocs()
	n := b.N
	_, _ = New(Config{Name: "e"}, nil).stream(&repeat{text: chunk, left: n}, func(engine.Piece) error { return nil }, silence)
}

// repeat reads as text, left times over.
type repeat struct {
	text string
	left int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for r.left > 0 && len(p)-n >= len(r.text) {
		n += copy(p[n:], r.text)
		r.left--
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
