package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// Why an answer was given up. The first two are timeouts.
var (
	errNoFirstToken = fmt.Errorf("no first token in time: %w", context.DeadlineExceeded)
	errStalled      = fmt.Errorf("the stream stalled: %w", context.DeadlineExceeded)
	errMalformed    = errors.New("answered with no JSON of a completion")
	errNoChoice     = errors.New("answered without a choice")
	errInStream     = errors.New("reported an error in the stream")
	errUnfinished   = errors.New("the stream ended before the answer did")
)

// lastWords is how long a stream may go on after its answer is finished, to tell the usage.
const lastWords = 500 * time.Millisecond

// stream reads an answer piece by piece. It is whole with a finish_reason or [DONE], and only then no error.
func (c *client) stream(body io.Reader, emit Emit, silence *watchdog) (Answer, error) {
	a := Answer{Engine: c.spec.Name}
	var text strings.Builder
	events, done := newEventReader(body), false
	for !done {
		data, err := events.next()
		if err != nil {
			if a.Finish != "" {
				break // the answer is whole; only its usage may be missing
			}
			return a, c.failed(cut(err))
		}
		if done = string(data) == "[DONE]"; done {
			break
		}
		piece, err := a.take(data)
		if err != nil {
			return a, c.failed(err)
		}
		silence.heard(c.spec, a.Finish != "")
		if piece.Text == "" && piece.ToolCalls == nil {
			continue
		}
		text.WriteString(piece.Text)
		if emit(piece) != nil {
			return a, ErrLeft
		}
	}
	a.Text = text.String()
	if a.Finish == "" {
		a.Finish = "stop"
	}
	return a, nil
}

// take reads one chunk into a, and gives the piece of the answer that is in it.
func (a *Answer) take(data []byte) (Piece, error) {
	var w completion
	if err := json.Unmarshal(data, &w); err != nil {
		return Piece{}, errMalformed
	}
	if w.Error != nil {
		return Piece{}, errInStream
	}
	if w.Model != "" {
		a.Model = w.Model
	}
	if w.Usage != nil {
		a.Usage = *w.Usage
	}
	if len(w.Choices) == 0 || w.Choices[0].Index != 0 {
		return Piece{}, nil
	}
	choice := w.Choices[0]
	if choice.FinishReason != "" {
		a.Finish = choice.FinishReason
	}
	if choice.Delta == nil {
		return Piece{}, nil
	}
	return Piece{Text: choice.Delta.Content, ToolCalls: choice.Delta.ToolCalls}, nil
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
	begun atomic.Bool
}

func watch(giveUp context.CancelCauseFunc, first time.Duration) *watchdog {
	w := &watchdog{}
	w.timer = time.AfterFunc(first, func() {
		if w.begun.Load() {
			giveUp(errStalled)
		} else {
			giveUp(errNoFirstToken)
		}
	})
	return w
}

// heard starts the wait for the next chunk.
func (w *watchdog) heard(s Spec, finished bool) {
	w.begun.Store(true)
	if finished {
		w.timer.Reset(lastWords)
		return
	}
	w.timer.Reset(time.Duration(s.Stall))
}

func (w *watchdog) stop() { w.timer.Stop() }
