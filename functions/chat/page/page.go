// Package page is the chat page: one HTML document, one style sheet, one script, all embedded. It needs no build step
// and asks nothing of any other host.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
)

//go:embed index.html assets
var files embed.FS

// Policy is the Content-Security-Policy that the page is written for: nothing inline, nothing from elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Options is what the page is told.
type Options struct {
	TraceURL   string // base URL of the trace console; empty: turns have no link to their decisions
	MaxMessage int    // bytes of one message
}

// Register adds GET / and the files under GET /assets/ to mux.
func Register(mux *http.ServeMux, o Options) error {
	index, err := render(o)
	if err != nil {
		return err
	}
	mux.Handle("GET /{$}", index)
	entries, err := files.ReadDir("assets")
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	for _, entry := range entries {
		body, err := files.ReadFile(path.Join("assets", entry.Name()))
		if err != nil {
			return fmt.Errorf("page: %w", err)
		}
		mux.Handle("GET /assets/"+entry.Name(), newFile(body, contentTypes[path.Ext(entry.Name())]))
	}
	return nil
}

func render(o Options) (*file, error) {
	t, err := template.ParseFS(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, o); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return newFile(out.Bytes(), "text/html; charset=utf-8"), nil
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// file is served whole, and revalidated each time: two revisions may answer one page during a rollout.
type file struct {
	body        []byte
	contentType string
	tag         string
}

func newFile(body []byte, contentType string) *file {
	sum := sha256.Sum256(body)
	return &file{body: body, contentType: contentType, tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
}

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", Policy)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	_, _ = w.Write(f.body)
}
