package store

import (
	"net/http"

	"github.com/aguante-chat/aguante/shared/serve"
)

// RetryAfter is when it is worth asking a file that failed again, in seconds.
const RetryAfter = "10"

// Unavailable answers a request that the file could not serve, unless the caller has left.
func Unavailable(w http.ResponseWriter, r *http.Request) {
	if r.Context().Err() != nil {
		return
	}
	w.Header().Set("Retry-After", RetryAfter)
	serve.Problem(w, r, http.StatusServiceUnavailable, "The trace store does not answer",
		"Nothing is lost: what is sent here meanwhile waits in the broker. /health says what is wrong.", nil)
}
