package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// asked is the body of POST /chat.
type asked struct {
	Message   string `json:"message"`
	User      string `json:"user"`
	SessionID string `json:"session_id"`
	Stream    *bool  `json:"stream"`
}

// strictly takes no member that is not known: a mistyped session_id would be a memory lost in silence.
var strictly = jsonv2.RejectUnknownMembers(true)

func (a asked) check() error {
	switch {
	case strings.TrimSpace(a.Message) == "":
		return invalid("message", "is missing or empty")
	case len(a.Message) > limits.MaxMessage:
		return errLong
	}
	return cmp.Or(checkOptionalID("user", a.User), checkOptionalID("session_id", a.SessionID))
}

// replied is the answer of POST /chat, and the data of a stream's last event.
type replied struct {
	Reply     string           `json:"reply"`
	SessionID string           `json:"session_id"`
	TurnID    string           `json:"turn_id"`
	TraceID   string           `json:"trace_id"`
	Engine    string           `json:"engine"`
	Degraded  []guard.Degraded `json:"degraded"`
	Recalled  []recalled       `json:"recalled"`
	Usage     engine.Usage     `json:"usage"`
}

type recalled struct {
	TurnID string  `json:"turn_id,omitempty"`
	Fact   string  `json:"fact,omitempty"`
	Score  float64 `json:"score"`
}

func repliedOf(r turn.Reply) replied {
	return replied{
		Reply: r.Text, SessionID: r.SessionID, TurnID: r.TurnID, TraceID: r.TraceID, Engine: r.Engine,
		Degraded: list(r.Degraded), Recalled: recalledOf(r.Recalled), Usage: r.Usage,
	}
}

func recalledOf(items []turn.Recalled) []recalled {
	out := make([]recalled, 0, len(items))
	for _, i := range items {
		out = append(out, recalled{TurnID: i.TurnID, Fact: i.Fact, Score: i.Score})
	}
	return out
}

// list is never null in JSON.
func list[T any](s []T) []T { return append(make([]T, 0, len(s)), s...) }

// chat serves POST /chat.
func (a *api) chat(w http.ResponseWriter, r *http.Request, c *call) error {
	var body asked
	if err := readJSON(w, r, &body, strictly); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	t := c.turn(r)
	t.User, t.SessionID = body.User, body.SessionID
	t.Messages = []engine.Message{{Role: engine.User, Content: body.Message}}
	if body.Stream != nil && *body.Stream || body.Stream == nil && acceptsEvents(r) {
		t.ID = newTurnID()
		s := newStream(w, t.ID)
		defer s.close()
		return a.chatStream(w, c, s, func(emit turn.Emit) (turn.Reply, error) { return a.Teller.Stream(r.Context(), t, emit) })
	}
	reply, err := a.Teller.Take(r.Context(), t, nil)
	c.note(w, reply)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, repliedOf(reply))
	return nil
}

func acceptsEvents(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Accept"), func(line string) bool {
		for kind := range strings.SplitSeq(line, ",") {
			if kind, _, err := mime.ParseMediaType(kind); err == nil && kind == "text/event-stream" {
				return true
			}
		}
		return false
	})
}

// delta is the data of an event of that name.
type delta struct {
	Text      string          `json:"text"`
	ToolCalls json.RawMessage `json:"tool_calls,omitempty"`
}

// chatStream writes as events what tell emits and how it ends.
func (a *api) chatStream(w http.ResponseWriter, c *call, s *stream, tell tell) error {
	piece := &delta{}
	reply, err := tell(func(p turn.Piece) error {
		if p.Degraded != nil {
			return s.send("degraded", p.Degraded)
		}
		piece.Text, piece.ToolCalls = p.Text, p.ToolCalls
		return s.send("delta", piece)
	})
	c.note(w, reply)
	switch {
	case err == nil:
		_ = s.send("done", repliedOf(reply)) // a caller who left now has had the answer
		return nil
	case errors.Is(err, turn.ErrResume):
		return s.fail("resume", err, func(fault) any { return moved{s.turnID, seconds(comeBack)} })
	}
	return s.fail("error", err, func(f fault) any { return f.problem() })
}

// fail tells the error in the stream if that has begun. In any case the error is the caller's of fail to return.
func (s *stream) fail(event string, err error, encode func(fault) any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := faultOf(err); s.begun && f.status != statusLeft {
		_ = s.write(event, encode(f))
	}
	return err
}
