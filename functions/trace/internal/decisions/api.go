package decisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/serve"
)

// Register adds the decision API to mux.
func (s *Store) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /decisions", s.list)
	mux.HandleFunc("GET /decisions/{turn_id}", s.get)
}

func (s *Store) list(w http.ResponseWriter, r *http.Request) {
	f, err := query(r, time.Now())
	if err != nil {
		serve.Problem(w, r, http.StatusBadRequest, "Bad filter", err.Error(), nil)
		return
	}
	page, err := s.List(r.Context(), f)
	if err != nil {
		store.Unavailable(w, r)
		return
	}
	answer := struct {
		Decisions []Summary `json:"decisions"`
		Next      string    `json:"next,omitempty"`
	}{Decisions: page.Decisions}
	if page.Next != nil {
		f.Before = page.Next
		answer.Next = "/decisions?" + f.Values().Encode()
	}
	writeJSON(w, answer)
}

// query reads the filter of r; a query string that cannot be read is an error, not a shorter filter.
func query(r *http.Request, now time.Time) (Filter, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Filter{}, fmt.Errorf("query: %w", err)
	}
	return ParseFilter(q, now)
}

func (s *Store) get(w http.ResponseWriter, r *http.Request) {
	traces, err := s.Get(r.Context(), r.PathValue("turn_id"), Owner(r))
	switch {
	case errors.Is(err, store.ErrNotFound):
		serve.Problem(w, r, http.StatusNotFound, "No such trace",
			"No trace of that turn is kept: it may be older than the retention, erased, or not here yet.", nil)
	case err != nil:
		store.Unavailable(w, r)
	case len(traces) > 1:
		users := make([]string, len(traces))
		for i, t := range traces {
			users[i] = t.User
		}
		serve.Problem(w, r, http.StatusConflict, "More than one turn",
			"That turn_id is unique for a user only; say whose with ?user=.", map[string]any{"users": users})
	default:
		writeJSON(w, traces[0])
	}
}

// Owner is the user whose turn a request asks for; nil: it does not say.
func Owner(r *http.Request) *string {
	if q := r.URL.Query(); q.Has("user") {
		user := q.Get("user")
		return &user
	}
	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
}
