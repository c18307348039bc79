// Package page is the operator console: what turns decided, and the dead letters. It is rendered on the server from
// embedded templates; the one script only keeps the list fresh.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"path"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
)

//go:embed templates assets
var files embed.FS

// policy is the Content-Security-Policy of every page: nothing inline, nothing from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Console shows what the stores hold.
type Console struct {
	decisions *decisions.Store
	letters   *deadletters.Store
	log       *slog.Logger
	pages     map[string]*template.Template
}

// New returns the console over both stores.
func New(d *decisions.Store, l *deadletters.Store, log *slog.Logger) (*Console, error) {
	c := &Console{decisions: d, letters: l, log: log, pages: map[string]*template.Template{}}
	for _, name := range []string{"turns", "turn", "letters", "sorry"} {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		c.pages[name] = t
	}
	return c, nil
}

// Register adds the pages and their assets to mux.
func (c *Console) Register(mux *http.ServeMux) error {
	mux.HandleFunc("GET /{$}", c.turns)
	mux.HandleFunc("GET /turns/{turn_id}", c.turn)
	mux.HandleFunc("GET /letters", c.list)
	mux.HandleFunc("POST /letters/replay", c.replayAll)
	mux.HandleFunc("POST /letters/{id}/replay", c.replay)
	entries, err := files.ReadDir("assets")
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	for _, entry := range entries {
		body, err := files.ReadFile(path.Join("assets", entry.Name()))
		if err != nil {
			return fmt.Errorf("page: %w", err)
		}
		mux.Handle("GET /assets/"+entry.Name(), asset(entry.Name(), body))
	}
	return nil
}

// view is what every page shows around its own Body.
type view struct {
	Title   string
	Here    string // the page's entry in the navigation
	Waiting int    // dead letters
	Now     time.Time
	Body    any
}

func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Now = time.Now().UTC()
	if name != "sorry" {
		v.Waiting, _ = c.letters.Waiting(r.Context()) // the navigation can do without
	}
	var out bytes.Buffer
	if err := c.pages[name].Execute(&out, v); err != nil {
		c.log.Error("a console page could not be rendered", "page", name, "error", err)
		http.Error(w, "This page could not be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// sorry is a page of two sentences: what is wrong, and what to do.
func (c *Console) sorry(w http.ResponseWriter, r *http.Request, status int, title, what, then string) {
	c.render(w, r, status, "sorry", view{Title: title, Body: struct{ What, Then string }{what, then}})
}

func (c *Console) unavailable(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "10")
	c.sorry(w, r, http.StatusServiceUnavailable, "The trace store does not answer",
		"Nothing is lost: what is sent here meanwhile waits in the broker, and the chat does not notice.",
		"The log and /health say what is wrong. Reload this page when it is mended.")
}

// asset is served whole, and revalidated each time: two revisions may answer one page during a rollout.
func asset(name string, body []byte) http.Handler {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	kind := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
	})
}
