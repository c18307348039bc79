// Command load measures what a system holds. Without an argument: `aguante up` on embedded stores with the local engine, how
// soon it is ready, what POST /chat takes at a steady rate, what GET /recall takes over a long memory, and how much memory the
// process holds. gameday: what callers notice while everything that a turn can do without fails at once. flood: what is left
// of chat's capacity under ten times as much. Requests are sent when they are due, not when the last one was answered, so
// that a slow answer does not hide the ones behind it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

// The load that the issue of speed names: medium profile and far above (figures, WS1).
const (
	rate     = 200 // requests per second
	duration = 20 * time.Second
	memory   = 5000 // turns of the user who recalls
	recalls  = 500
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work, err := os.MkdirTemp("", "aguante-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	switch {
	case len(arguments) == 0:
		return alone(ctx, work)
	case arguments[0] == "gameday":
		return gameDay(ctx, work)
	case arguments[0] == "flood":
		return flood(ctx, work)
	}
	return fmt.Errorf("there is no load %q", arguments[0])
}

// alone measures `aguante up` by itself.
func alone(ctx context.Context, work string) error {
	binary, err := stack.Build(ctx, work, "-trimpath", "-ldflags=-s -w")
	if err != nil {
		return err
	}
	keys := filepath.Join(work, "keys.yaml")
	if err := os.WriteFile(keys, keysFile(), 0o600); err != nil {
		return err
	}
	began := time.Now()
	up, err := stack.StartUp(ctx, binary, filepath.Join(work, "data"), []string{"--keys", keys}, nil)
	if err != nil {
		return err
	}
	defer up.Stop()
	fmt.Printf("ready in %d ms, then idle with %d MB resident\n\n", time.Since(began).Milliseconds(), up.Resident()>>20)
	fmt.Printf("| %d requests/s for %v | p50 | p95 | p99 | not 200 |\n| --- | --- | --- | --- | --- |\n", rate, duration)
	steady(ctx, "GET /healthz", func(int) (int, error) { return get(ctx, up.Chat+"/healthz") })
	steady(ctx, "POST /chat, a new user each time", func(n int) (int, error) { return say(ctx, up, fmt.Sprintf("user%d", n), n) })
	steady(ctx, "POST /chat, a hundred users in turn", func(n int) (int, error) { return say(ctx, up, fmt.Sprintf("regular%d", n%100), n) })
	if err := remember(ctx, up); err != nil {
		return err
	}
	took := make([]time.Duration, 0, recalls)
	for n := range recalls {
		asked := time.Now()
		query := url.Values{"user": {"elephant"}, "q": {fmt.Sprintf("Where is box number %d in the hall?", n)}, "limit": {"10"}}
		if status, err := get(ctx, up.Chat+"/recall?"+query.Encode()); err != nil || status != http.StatusOK {
			return fmt.Errorf("recall: %d, %w", status, err)
		}
		took = append(took, time.Since(asked))
	}
	fmt.Printf("\nGET /recall over %d turns: p50 %s, p95 %s\n", memory, at(took, 0.5), at(took, 0.95))
	fmt.Printf("in the end %d MB resident\n", up.Resident()>>20)
	return nil
}

// steady sends rate requests a second, each when it is due, and prints how long they took from then on.
func steady(ctx context.Context, name string, request func(n int) (int, error)) {
	var mu sync.Mutex
	var took []time.Duration
	failed := 0
	var sent sync.WaitGroup
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for n := range int(duration.Seconds()) * rate {
		if ctx.Err() != nil {
			return
		}
		due := <-tick.C
		sent.Go(func() {
			status, err := request(n)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			if err != nil || status != http.StatusOK {
				failed++
			}
		})
	}
	sent.Wait()
	fmt.Printf("| %s | %s | %s | %s | %d |\n", name, at(took, 0.5), at(took, 0.95), at(took, 0.99), failed)
}

// at is a percentile.
func at(took []time.Duration, share float64) string {
	slices.Sort(took)
	return fmt.Sprintf("%.1f ms", float64(took[int(share*float64(len(took)-1))].Microseconds())/1000)
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

func say(ctx context.Context, up *stack.Up, user string, n int) (int, error) {
	body, _ := json.Marshal(map[string]string{"user": user, "message": fmt.Sprintf("My friend Ana%d lives in Cuenca. Where does she live?", n)})
	return send(ctx, http.MethodPost, up.Chat+"/chat", body)
}

func get(ctx context.Context, address string) (int, error) {
	return send(ctx, http.MethodGet, address, nil)
}

func send(ctx context.Context, method, address string, body []byte) (int, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}
