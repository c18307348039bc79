package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// What the scripted engine says: words or, in a stream, a piece each millisecond with the time at which it is sent.
const (
	word       = "aguante "
	betweenTwo = time.Millisecond
)

// serve answers on an address until ctx ends.
func serve(ctx context.Context, address string, h http.Handler) error {
	server := &http.Server{Addr: address, Handler: h}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

// engine is an OpenAI-compatible server that answers with max_tokens words. It also takes events, as a broker does.
func engine() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /events", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Stream bool `json:"stream"`
			Words  int  `json:"max_tokens"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if asked.Stream {
			streamed(w, asked.Words)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"scripted-1","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":%d,"total_tokens":%d}}`,
			strings.Repeat(word, asked.Words), asked.Words, 200+asked.Words)
	})
	return mux
}

func streamed(w http.ResponseWriter, pieces int) {
	const chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"scripted-1","choices":[{"index":0,"delta":{%s},"finish_reason":%s}]}` + "\n\n"
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	fmt.Fprintf(w, chunk, `"role":"assistant","content":""`, "null")
	for range pieces {
		fmt.Fprintf(w, chunk, fmt.Sprintf(`"content":"%d "`, time.Now().UnixNano()), "null")
		_ = control.Flush()
		time.Sleep(betweenTwo)
	}
	fmt.Fprintf(w, chunk, "", `"stop"`)
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// proxy is what Go's library has, with as many connections kept as are used.
func proxy(to string) http.Handler {
	target, err := url.Parse(to)
	if err != nil {
		panic(err) // it is our own argument
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = 2*workers, 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintf(w, "%s %d\n", allocations, m.Mallocs)
	})
	reverse := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// An engine that answers at once may do so before the transport has seen the end of the request's body, which
		// the server then closes under it: the answer would be cut off.
		_ = http.NewResponseController(w).EnableFullDuplex()
		reverse.ServeHTTP(w, r)
	})
	return mux
}
