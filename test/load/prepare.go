package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aguante-chat/aguante/test/stack"
)

// key is an API key without limits to speak of: the load is the point, not the rate limit.
const key = "load"

func keysFile() []byte {
	return fmt.Appendf(nil, `keys:
  - name: load
    sha256: %x
    routes: [chat, internal]
    limits:
      chat: {per_minute: 1000000, burst: 1000000}
      internal: {per_minute: 1000000, burst: 1000000}
`, sha256.Sum256([]byte(key)))
}

// remember gives the user elephant a long memory, through the broker, and waits until all of it is in the graph.
func remember(ctx context.Context, up *stack.Up) error {
	began := time.Now()
	posts, posting := errgroup.WithContext(ctx)
	posts.SetLimit(16)
	for n := range memory {
		posts.Go(func() error { return post(posting, up, n) })
	}
	if err := posts.Wait(); err != nil {
		return err
	}
	last := fmt.Sprintf(up.Chat+"/recall?user=elephant&limit=1&q=box+number+%d", memory-1)
	for ctx.Err() == nil {
		answer, err := authorized(ctx, last)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err == nil && strings.Contains(string(body), fmt.Sprintf("number %d ", memory-1)) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Printf("\n%d events through the broker into the graph: %.0f turns/s\n", memory, memory/time.Since(began).Seconds())
	return ctx.Err()
}

func post(ctx context.Context, up *stack.Up, n int) error {
	event := fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"/load","type":"dev.aguante.turn.completed.v1","subject":"s%d",
		"datacontenttype":"application/json","data":{"turn_id":"t%d","user":"elephant","session_id":"s%d",
		"messages":[{"role":"user","content":"Box number %d is in the %s hall, beside the %s shelf.","at":"2025-05-03T10:00:00Z"}]}}`,
		n, n/20, n, n/20, n, []string{"north", "south", "east", "west"}[n%4], []string{"red", "blue", "tall", "old", "broken"}[n%5])
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, up.Broker, bytes.NewReader([]byte(event)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/cloudevents+json")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the broker answers %s", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func authorized(ctx context.Context, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	return client.Do(request)
}
