package trace

import (
	"net/http"

	"github.com/aguante-chat/aguante/shared/serve"
)

// edge is what every request passes: browsers are told what they may do with the answer and kept from sending here for
// another site's page, since a replay is an operator's to ask for; what mux has no route for is answered as a problem.
func edge(mux *http.ServeMux) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve.Problem(w, r, http.StatusForbidden, "Another site's request", "Send it from the console's own pages.", nil)
	}))
	guarded := protection.Handler(routed(mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		guarded.ServeHTTP(w, r)
	})
}

func routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refused := refusal{header: http.Header{}}
		refuse.ServeHTTP(&refused, r)
		if refused.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = refused.header["Allow"]
			serve.Problem(w, r, refused.status, "Not by this method", "", nil)
			return
		}
		serve.Problem(w, r, http.StatusNotFound, "Nothing here", "There is no such path.", nil)
	})
}

// refusal takes what mux says of a request that it has no route for.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) WriteHeader(status int)      { r.status = status }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
