package deadletters

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

// Register adds the broker's dead-letter sink and the dead-letter API to mux.
func (s *Store) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /dead-letters", s.receive)
	mux.HandleFunc("GET /dead-letters", s.list)
	mux.HandleFunc("GET /dead-letters/audit", s.audit)
	mux.HandleFunc("POST /dead-letters/replay", s.replayAll)
	mux.HandleFunc("POST /dead-letters/{id}/replay", s.replay)
}

// receive takes any event, whatever its type and however many hops it made: a dead letter has nowhere else to go.
func (s *Store) receive(w http.ResponseWriter, r *http.Request) {
	e, err := event.Read(w, r)
	if never := (*event.Never)(nil); errors.As(err, &never) {
		serve.Problem(w, r, never.Status, "Not an event", never.Err.Error(), nil)
		return
	}
	if err := s.Keep(r.Context(), e, time.Now()); err != nil {
		store.Unavailable(w, r)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *Store) list(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(w, r)
	if !ok {
		return
	}
	letters, waiting, err := s.List(r.Context(), limit)
	if err != nil {
		store.Unavailable(w, r)
		return
	}
	writeJSON(w, struct {
		DeadLetters []Letter `json:"dead_letters"`
		Waiting     int      `json:"waiting"`
	}{letters, waiting})
}

func (s *Store) audit(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(w, r)
	if !ok {
		return
	}
	entries, err := s.Audit(r.Context(), limit)
	if err != nil {
		store.Unavailable(w, r)
		return
	}
	writeJSON(w, struct {
		Audit []Entry `json:"audit"`
	}{entries})
}

// limitOf reads how many are asked for, or answers that it cannot.
func limitOf(w http.ResponseWriter, r *http.Request) (limit int, ok bool) {
	limit, err := decisions.ParseLimit(r.URL.Query().Get("limit"))
	if err != nil {
		serve.Problem(w, r, http.StatusBadRequest, "Bad limit", err.Error(), nil)
	}
	return limit, err == nil
}

// replayAll answers how many were sent again and how many wait still, also when it had to stop.
func (s *Store) replayAll(w http.ResponseWriter, r *http.Request) {
	replayed, err := s.ReplayAll(r.Context(), Operator(r))
	if err != nil && replayed == 0 {
		refuse(w, r, err)
		return
	}
	result := struct {
		Replayed int    `json:"replayed"`
		Waiting  int    `json:"waiting"`
		Stopped  string `json:"stopped,omitempty"` // why, when some were not sent
	}{Replayed: replayed}
	if err != nil {
		_, result.Stopped, _ = Explain(err)
	}
	if result.Waiting, err = s.Waiting(r.Context()); err != nil {
		store.Unavailable(w, r)
		return
	}
	writeJSON(w, result)
}

func (s *Store) replay(w http.ResponseWriter, r *http.Request) {
	again := false
	if text := r.URL.Query().Get("again"); text != "" {
		var err error
		if again, err = strconv.ParseBool(text); err != nil {
			serve.Problem(w, r, http.StatusBadRequest, "Bad parameter", "again must be true or false.", nil)
			return
		}
	}
	letter, err := s.Replay(r.Context(), r.PathValue("id"), again, Operator(r))
	if err != nil {
		refuse(w, r, err)
		return
	}
	writeJSON(w, letter)
}

// refuse answers why nothing was sent again.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, title, detail := Explain(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", store.RetryAfter)
	}
	serve.Problem(w, r, status, title, detail, nil)
}

// Explain says in words, and as an HTTP status, why a letter was not replayed.
func Explain(err error) (status int, title, detail string) {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound, "No such dead letter", "It may have been erased with its user's data."
	case errors.Is(err, ErrReplayed):
		return http.StatusConflict, "Replayed already", "It was sent again and did not come back. To send it once more all the same, add ?again=true."
	case errors.Is(err, ErrCircles):
		return http.StatusLoopDetected, "Loop detected", fmt.Sprintf("It was sent again %d times and came back each time: see why first. To send it once more all the same, add ?again=true.", limits.MaxHops)
	case errors.Is(err, ErrUnderWay):
		return http.StatusConflict, "Being replayed", "Another replay of it is under way."
	case errors.Is(err, ErrNoBroker):
		return http.StatusServiceUnavailable, "No broker", "There is nobody to send it to: set K_SINK or DEAD_LETTER_REPLAY."
	case !errors.Is(err, ErrNotTaken):
		return http.StatusServiceUnavailable, "The trace store does not answer", "What was not sent is kept; try again later."
	case errors.Is(err, guard.ErrOpen):
		return http.StatusServiceUnavailable, "The broker is down", "It failed often enough to be left alone for a while. What was not sent is kept; try again later."
	case errors.Is(err, guard.ErrTimeout), errors.Is(err, guard.ErrRejected):
		return http.StatusServiceUnavailable, "The broker is too slow", "It did not answer in time. What was not sent is kept; try again later."
	}
	return http.StatusBadGateway, "The broker did not take it", "It refused, failed, or could not be reached. What was not sent is kept."
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
}
