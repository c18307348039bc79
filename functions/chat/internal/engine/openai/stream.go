package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

// Why a stream was given up. The first two are timeouts.
var (
	errNoFirstToken = fmt.Errorf("no first token in time: %w", context.DeadlineExceeded)
	errStalled      = fmt.Errorf("the stream stalled: %w", context.DeadlineExceeded)
	errUnfinished   = errors.New("the stream ended before the answer did")
)

// afterwards is how long a stream may go on after its answer is finished, to tell the usage.
const afterwards = 500 * time.Millisecond

// stream reads an answer piece by piece. It is whole with its finish_reason or [DONE], and only then no error.
func (c *Client) stream(body io.Reader, emit engine.Emit, silence *watchdog) (engine.Answer, error) {
	r := &reading{Client: c, answer: engine.Answer{Engine: c.Name()}}
	for events := newEventReader(body); ; {
		data, err := events.next()
		if string(data) == "[DONE]" || err != nil && r.finished() {
			return r.whole(), nil // without [DONE] only the usage may be missing
		}
		if err != nil {
			return r.answer, c.failed(cut(err))
		}
		piece, err := r.take(data)
		if err != nil && !r.finished() {
			return r.answer, err
		}
		if err == nil && piece.Chunk != nil {
			silence.stop() // a caller who reads slowly is no stall
			if emit(piece) != nil {
				return r.answer, engine.ErrLeft
			}
			silence.heard()
		}
		if r.finished() {
			silence.finished()
		}
	}
}

// reading is a streamed answer as far as it is read.
type reading struct {
	*Client
	answer    engine.Answer
	text      strings.Builder
	chunk     engine.Chunk // of the piece at hand
	begun, ok uint64       // the choices, a bit each, that have begun and that are finished
}

// take reads one chunk, and gives the piece of the answer that is in it; without a Chunk there is none.
func (r *reading) take(data []byte) (engine.Piece, error) {
	w, err := r.parse(data, &r.answer)
	if err != nil {
		return engine.Piece{}, err
	}
	choices := w.Get("choices")
	first := choices.Get("0")
	if !first.Exists() {
		return engine.Piece{}, nil
	}
	delta, finish, index := first.Get("delta"), stringOf(first.Get("finish_reason")), first.Get("index").Uint()
	r.begun |= 1 << (index % 64)
	if finish != "" {
		r.ok |= 1 << (index % 64)
	}
	r.chunk = engine.Chunk{
		Model: r.answer.Model, Fingerprint: stringOf(w.Get("system_fingerprint")), ServiceTier: stringOf(w.Get("service_tier")),
		Choices: choices.Raw,
	}
	if index != 0 {
		return engine.Piece{Chunk: &r.chunk}, nil
	}
	if finish != "" {
		r.answer.Finish, r.chunk.Choices = finish, unfinished(choices.Raw)
	}
	if !says(delta) {
		return engine.Piece{}, nil
	}
	piece := engine.Piece{Text: stringOf(delta.Get("content")), ToolCalls: rawOf(delta.Get("tool_calls")), Chunk: &r.chunk}
	r.text.WriteString(piece.Text)
	return piece, nil
}

// finished tells whether every choice that began is complete.
func (r *reading) finished() bool { return r.begun != 0 && r.begun == r.ok }

func (r *reading) whole() engine.Answer {
	r.answer.Text = r.text.String()
	if r.answer.Finish == "" {
		r.answer.Finish = "stop"
	}
	return r.answer
}

// says tells whether a delta holds anything but its role.
func says(delta gjson.Result) (any bool) {
	delta.ForEach(func(key, value gjson.Result) bool {
		any = key.Str != "role" && value.Type != gjson.Null && value.Raw != `""`
		return !any
	})
	return any
}

// unfinished takes the finish_reason from the first choice: it is not told before the turn is recorded.
func unfinished(choices string) string {
	var all []map[string]json.RawMessage
	if json.Unmarshal([]byte(choices), &all) != nil {
		return choices
	}
	all[0]["finish_reason"] = json.RawMessage("null")
	stripped, _ := json.Marshal(all) // what was read can be written
	return string(stripped)
}

// cut names the end of a stream that came too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errUnfinished
	}
	return err
}

// watchdog gives an attempt up that is silent for too long: until the first token, and between two.
type watchdog struct {
	timer *time.Timer
	stall time.Duration
	begun atomic.Bool // the first token came
	ended bool        // the answer is whole; only its usage may follow
}

func watch(giveUp context.CancelCauseFunc, first, stall time.Duration) *watchdog {
	w := &watchdog{stall: stall}
	w.timer = time.AfterFunc(first, func() {
		if w.begun.Load() {
			giveUp(errStalled)
		} else {
			giveUp(errNoFirstToken)
		}
	})
	return w
}

// heard starts the wait for the next piece.
func (w *watchdog) heard() {
	w.begun.Store(true)
	if !w.ended {
		w.timer.Reset(w.stall)
	}
}

// finished starts the short wait for what follows the answer.
func (w *watchdog) finished() {
	if !w.ended {
		w.ended = true
		w.timer.Reset(afterwards)
	}
}

func (w *watchdog) stop() {
	if !w.ended {
		w.timer.Stop()
	}
}
