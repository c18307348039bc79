// Package httpapi is chat's edge: it decodes requests, lets turn tell the turn, and encodes what came of it.
package httpapi

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aguante-chat/aguante/functions/chat/internal/quota"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/functions/chat/page"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// Headers of our own.
const (
	hopHeader     = "Aguante-Hop"     // how often the call went round already
	sessionHeader = "Aguante-Session" // the session, on the OpenAI routes

	timeoutHeader = "X-Envoy-Expected-Rq-Timeout-Ms" // Envoy's: for how long the caller waits
	turnHeader    = "Aguante-Turn"                   // the turn of a stream
)

// Parts are what the edge needs. Keys may be nil: every caller is anonymous; Quota too: the usual limits hold.
type Parts struct {
	Teller    *turn.Teller
	Models    func() []string // that the engines may be asked for by name
	Keys      *Keys
	Quota     *quota.File
	Proxies   Proxies
	Health    func() serve.Health
	Sweep     func(context.Context) error // empties the outbox; nil: there is none
	Page      page.Options
	Telemetry *telemetry.Telemetry
}

type api struct{ Parts }

// route is one address and method. A handler either writes its answer or returns an error, which tell writes.
type route struct {
	method, path string
	class        string // of the API keys that are good for it, and of its rate limit
	serve        func(http.ResponseWriter, *http.Request, *call) error
	tell         func(http.ResponseWriter, *http.Request, fault)
}

func (a *api) routes() []route {
	return []route{
		{http.MethodPost, "/chat", classChat, a.chat, writeProblem},
		{http.MethodGet, "/chat/{turn_id}/stream", classChat, a.resume, writeProblem},
		{http.MethodPost, "/v1/chat/completions", classChat, a.completions, writeOpenAIError},
		{http.MethodGet, "/v1/models", classChat, a.models, writeOpenAIError},
		{http.MethodGet, "/v1/models/{model...}", classChat, a.model, writeOpenAIError},
		{http.MethodGet, "/sessions/{id}", classChat, a.session, writeProblem},
		{http.MethodDelete, "/sessions/{id}", classChat, a.deleteSession, writeProblem},
		{http.MethodDelete, "/users/{user}", classChat, a.forget, writeProblem},
		{http.MethodGet, "/recall", classInternal, a.recall, writeProblem},
		{http.MethodPost, "/outbox/sweep", "", a.sweep, writeProblem},
	}
}

// New returns everything that chat serves on its port: API, page and probes.
func New(p Parts) (http.Handler, error) {
	a := &api{Parts: p}
	mux := http.NewServeMux()
	allow := map[string][]string{"/{$}": {"GET", "HEAD"}, "/healthz": {"GET", "HEAD"}, "/readyz": {"GET", "HEAD"}, "/health": {"GET", "HEAD"}}
	for _, rt := range a.routes() {
		mux.Handle(rt.method+" "+rt.path, a.edge(rt))
		allow[rt.path] = append(allow[rt.path], rt.method)
		if rt.method == http.MethodGet {
			allow[rt.path] = append(allow[rt.path], http.MethodHead)
		}
	}
	for path, methods := range allow {
		mux.Handle(path, a.edge(notAllowed(path, methods)))
	}
	mux.Handle("/", a.edge(route{path: "none", serve: notFound, tell: tellAs}))
	serve.Probes(mux, p.Health)
	if err := page.Register(mux, p.Page); err != nil {
		return nil, err
	}
	return secure(mux), nil
}

func notAllowed(path string, methods []string) route {
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	return route{path: path, tell: tellAs, serve: func(w http.ResponseWriter, _ *http.Request, _ *call) error {
		w.Header().Set("Allow", allow)
		return errMethod
	}}
}

func notFound(http.ResponseWriter, *http.Request, *call) error { return errNoRoute }

// tellAs tells a fault in the dialect that clients of the address expect.
func tellAs(w http.ResponseWriter, r *http.Request, f fault) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		writeOpenAIError(w, r, f)
		return
	}
	writeProblem(w, r, f)
}

// security is what a browser may do with any answer; the page says more for itself. Its values are shared by all
// answers: a header is set anew, never changed.
var security = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Cache-Control":                {"no-store"},
}

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), security)
		next.ServeHTTP(w, r)
	})
}
