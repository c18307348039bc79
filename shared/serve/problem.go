package serve

import (
	"encoding/json"
	"maps"
	"net/http"
)

// Problem answers with application/problem+json (RFC 9457). The detail is for the caller: it never holds a stack trace
// or an address inside. Members of more are added beside type, title, status, detail and instance.
func Problem(w http.ResponseWriter, r *http.Request, status int, title, detail string, more map[string]any) {
	body := map[string]any{"type": "about:blank", "title": title, "status": status}
	if detail != "" {
		body["detail"] = detail
	}
	if r != nil {
		body["instance"] = r.URL.Path
	}
	maps.Copy(body, more)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
