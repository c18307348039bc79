package turn

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

func TestAKeptEndingIsToldAgainAsItWas(t *testing.T) {
	reply := Reply{TurnID: "t1", SessionID: "s1", Limit: &Verdict{Limit: 7}, Recalled: []Recalled{{TurnID: "t0", Text: "hello"}}}
	reply.Text, reply.Engine = "hi", "local"
	told := reply
	told.Limit = nil // it was the first caller's
	rejected := &engine.Rejected{Engine: "e", Status: 400, Code: "content_filter", Message: "no"}
	for name, c := range map[string]struct {
		err   error
		reply Reply
		is    error
	}{
		"reply":    {nil, told, nil},
		"deadline": {fmt.Errorf("answer: %w", ErrDeadline), Reply{}, ErrDeadline},
		"cut":      {fmt.Errorf("answer: %w", engine.ErrCut), Reply{}, engine.ErrCut},
		"rejected": {fmt.Errorf("answer: %w", rejected), Reply{}, rejected},
		"any":      {errors.New("no disk"), Reply{}, errFailed},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(endingOf(reply, c.err))
			if err != nil {
				t.Fatal(err)
			}
			var e Ending
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(err)
			}
			got, err := e.outcome()
			if want := (*engine.Rejected)(nil); errors.As(c.is, &want) {
				if again := (*engine.Rejected)(nil); !errors.As(err, &again) || *again != *want {
					t.Errorf("got %v from %s", err, text)
				}
			} else if !errors.Is(err, c.is) || (err == nil) != (c.is == nil) {
				t.Errorf("got %v from %s", err, text)
			}
			if !reflect.DeepEqual(got, c.reply) {
				t.Errorf("got %+v from %s", got, text)
			}
		})
	}
}
