// Command engine is what the tests on a cluster need beside the functions: an OpenAI-compatible engine that answers when
// it is told to, counts what each caller asks of it at once, and a subscriber that sends every event round again.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

func main() {
	e := &engine{name: os.Getenv("NAME"), under: map[string]int{}, most: map[string]int{}, relented: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", e.complete)
	mux.HandleFunc("GET /most", e.tell)
	mux.HandleFunc("DELETE /most", e.forget)
	mux.HandleFunc("POST /{$}", again)
	mux.HandleFunc("POST /picky", e.refuse)
	mux.HandleFunc("DELETE /picky/{id}", e.relent)
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}

// engine counts its calls by the address of who asks: those under way, and the most that ever were.
type engine struct {
	name        string
	mu          sync.Mutex
	under, most map[string]int
	relented    map[string]bool // by event
}

// told is how long an answer takes: it is written in the question.
var told = regexp.MustCompile(`\(take (\w+)\)`)

// pieces of a stream, spread over the time that the answer takes.
const pieces = 20

func (e *engine) complete(w http.ResponseWriter, r *http.Request) {
	defer e.count(r)()
	var asked struct {
		Stream   bool
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
		http.Error(w, "not a question", http.StatusBadRequest)
		return
	}
	var takes time.Duration
	if found := told.FindStringSubmatch(asked.Messages[len(asked.Messages)-1].Content); found != nil {
		takes, _ = time.ParseDuration(found[1])
	}
	usage := map[string]int{"prompt_tokens": 10, "completion_tokens": pieces, "total_tokens": 10 + pieces}
	if !asked.Stream {
		time.Sleep(takes)
		choice := map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]string{"role": "assistant", "content": e.text()}}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"object": "chat.completion", "model": e.name, "choices": []any{choice}, "usage": usage})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, word := range strings.SplitAfter(e.text(), " ") {
		send(w, map[string]any{"choices": []any{map[string]any{"index": 0, "delta": map[string]string{"content": word}}}})
		time.Sleep(takes / pieces)
	}
	send(w, map[string]any{"choices": []any{map[string]any{"index": 0, "delta": struct{}{}, "finish_reason": "stop"}}, "usage": usage})
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// text names the engine, in as many words as a stream has pieces.
func (e *engine) text() string {
	return e.name + " says" + strings.Repeat(" word", pieces-2)
}

func send(w http.ResponseWriter, chunk map[string]any) {
	chunk["object"] = "chat.completion.chunk"
	content, _ := json.Marshal(chunk) // of strings and numbers
	fmt.Fprintf(w, "data: %s\n\n", content)
	_ = http.NewResponseController(w).Flush()
}

func (e *engine) count(r *http.Request) (done func()) {
	who, _, _ := net.SplitHostPort(r.RemoteAddr)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.under[who]++
	e.most[who] = max(e.most[who], e.under[who])
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.under[who]--
	}
}

func (e *engine) tell(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = json.NewEncoder(w).Encode(e.most)
}

func (e *engine) forget(http.ResponseWriter, *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.most = map[string]int{}
}

// refuse takes no event, for good, until it relents.
func (e *engine) refuse(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.relented[r.Header.Get("Ce-Id")] {
		http.Error(w, "not this one", http.StatusUnprocessableEntity)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (e *engine) relent(_ http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.relented[r.PathValue("id")] = true
}

// again answers an event with a finished turn that has just as many hops: whoever materializes it is in a loop.
func again(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Ce-Id") + "+"
	h := w.Header()
	for name, value := range map[string]string{"Ce-Specversion": "1.0", "Ce-Type": "dev.aguante.turn.completed.v1", "Ce-Source": "/loop",
		"Ce-Id": id, "Ce-Hops": r.Header.Get("Ce-Hops"), "Content-Type": "application/json"} {
		h.Set(name, value)
	}
	message := map[string]any{"role": "user", "content": "I live in Cuenca.", "at": time.Now()}
	_ = json.NewEncoder(w).Encode(map[string]any{"turn_id": id, "session_id": "loop", "user": "loop", "engine": "none", "messages": []any{message}})
}
