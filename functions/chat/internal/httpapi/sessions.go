package httpapi

import (
	"net/http"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// admit counts a request that is no turn.
func (a *api) admit(w http.ResponseWriter, r *http.Request, c *call) error {
	verdict, err := a.Teller.Allow(r.Context(), c.caller)
	rateLimit(w.Header(), c.caller.Class, &verdict)
	return err
}

// session serves GET /sessions/{id}.
func (a *api) session(w http.ResponseWriter, r *http.Request, c *call) error {
	id := r.PathValue("id")
	if err := checkID("session_id", id); err != nil {
		return err
	}
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	messages, err := a.Teller.History(r.Context(), "", id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct {
		SessionID string      `json:"session_id"`
		Messages  []turn.Said `json:"messages"`
	}{id, list(messages)})
	return nil
}

// deleteSession serves DELETE /sessions/{id}.
func (a *api) deleteSession(w http.ResponseWriter, r *http.Request, c *call) error {
	id := r.PathValue("id")
	if err := checkID("session_id", id); err != nil {
		return err
	}
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	if err := a.Teller.DeleteSession(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forget serves DELETE /users/{user}. It is accepted rather than done: other functions forget by event.
func (a *api) forget(w http.ResponseWriter, r *http.Request, c *call) error {
	user := r.PathValue("user")
	if err := checkID("user", user); err != nil {
		return err
	}
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	if err := a.Teller.Forget(r.Context(), user); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
