package serve

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/telemetry"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health is what /health answers: each zone and dependency, its breaker, and since when.
type Health struct {
	Status string          `json:"status"` // ok or degraded
	Zones  map[string]Zone `json:"zones"`
	Load   float64         `json:"load,omitempty"` // of a worker: the share of its time that it is busy, lately
}

// Zone is one containment zone of Health.
type Zone struct {
	State        string         `json:"state"` // ok or degraded
	Dependencies []guard.Status `json:"dependencies"`
}

// NewHealth sorts what guards say of themselves into the four zones.
func NewHealth(statuses ...guard.Status) Health {
	h := Health{Status: "ok", Zones: map[string]Zone{}}
	for _, zone := range []string{limits.ZoneFrontend, limits.ZoneSync, limits.ZoneAsync, limits.ZoneGraph} {
		h.Zones[zone] = Zone{State: "ok", Dependencies: []guard.Status{}}
	}
	for _, s := range statuses {
		z := h.Zones[s.Zone]
		z.Dependencies = append(z.Dependencies, s)
		if s.State != "closed" {
			z.State, h.Status = "degraded", "degraded"
		} else if z.State == "" {
			z.State = "ok"
		}
		h.Zones[s.Zone] = z
	}
	return h
}

// Probes adds /healthz, /readyz and /health to mux. Readiness never depends on an optional dependency: a function that
// can answer is ready.
func Probes(mux *http.ServeMux, health func() Health) {
	for _, path := range []string{"GET /healthz", "GET /readyz"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]string{"status": "ok"}) })
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, health()) })
}

// Ops is the handler of the ops port: /metrics, /debug/pprof/, /healthz, and /health of every function.
func Ops(t *telemetry.Telemetry, functions ...*Function) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{Registry: t.Registry, EnableOpenMetrics: true}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		all := map[string]Health{}
		for _, f := range functions {
			all[f.Name] = f.Health()
		}
		writeJSON(w, all)
	})
	return mux
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(body)
}
