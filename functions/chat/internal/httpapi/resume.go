package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// How a stream is written that is not /chat's own, kept with its turn so that whoever resumes it goes on in the same way.
const (
	formOpenAI      = "openai"
	formOpenAIUsage = "openai with usage"
)

// tell tells a turn, from its first piece or from where it broke off.
type tell func(turn.Emit) (turn.Reply, error)

// newTurnID is a UUIDv7, which nobody guesses: 62 of its bits are random.
func newTurnID() string { return uuid.Must(uuid.NewV7()).String() }

// comeBack is when a caller whose stream broke off may come back for the rest.
const comeBack = time.Second

var (
	errNoStream = fault{status: 404, title: "No such stream", detail: "There is no stream of this turn, or no longer.", kind: kindRequest, code: "stream_not_found"}
	errAhead    = fault{status: 409, title: "Not all was kept", detail: "You have more of the stream than was kept of it. Read it from its beginning.", kind: kindRequest, code: "stream_ahead"}
)

// resume serves GET /chat/{turn_id}/stream: the events after Last-Event-ID. The stream is told again from its beginning,
// so that its events are counted as they were; those that the caller has are not sent.
func (a *api) resume(w http.ResponseWriter, r *http.Request, c *call) error {
	after, err := lastEventID(r)
	if err != nil {
		return err
	}
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	id := r.PathValue("turn_id")
	if uuid.Validate(id) != nil {
		return errNoStream
	}
	begun, err := a.Teller.Find(r.Context(), c.caller, id)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	begun.Turn.Hop = c.hops
	s := newStream(w, id)
	s.after = after
	defer s.close()
	tell := func(emit turn.Emit) (turn.Reply, error) {
		return a.Teller.Resume(r.Context(), begun, emit, func() error {
			if s.behind() {
				return errAhead
			}
			return nil
		})
	}
	if begun.Turn.Form == "" {
		err = a.chatStream(w, c, s, tell)
	} else {
		err = a.completionStream(w, c, s, begun.Turn, tell)
	}
	if err != nil {
		return err
	}
	return s.nothingLeft()
}

// lastEventID is how many events the caller has.
func lastEventID(r *http.Request) (int, error) {
	value := r.Header.Get("Last-Event-ID")
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, invalid("Last-Event-ID", "is not the id of an event")
	}
	return int(n), nil
}

// nothingLeft answers a caller who has the whole stream already: 204, which tells a browser not to come back.
func (s *stream) nothingLeft() error {
	s.close()
	switch {
	case s.behind():
		return invalid("Last-Event-ID", "is not the id of an event of this stream")
	case !s.begun:
		s.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// moved is the data of the event that says where the rest of a stream is, or will be.
type moved struct {
	TurnID     string `json:"turn_id"`
	RetryAfter int    `json:"retry_after"` // seconds
}
