package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

// The flood: ten times what chat can take. Its engine takes a second for each answer, so that turns wait and the two cores
// are left for those who are refused, and for the load itself.
const (
	thinking = time.Second
	crowd    = 450             // callers at once who ask again when they are answered: below the hard limit of 500 (WS2)
	settling = 3 * time.Minute // the adaptive limit goes up by about one turn a second
	flooding = 20 * time.Second
	times    = 10
)

func flood(ctx context.Context, work string) error {
	chat, stop, err := startChat(ctx, work)
	if err != nil {
		return err
	}
	defer stop()
	capacity(ctx, chat, settling)
	most := capacity(ctx, chat, flooding)
	fmt.Printf("| | offered | answered 200 | p99 | refused 503 | p50 | p99 |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	fmt.Printf("| %d callers, one turn each at a time | %.0f/s | %.0f/s | %.0f ms | %d | | |\n", crowd, perSecond(most), perSecond(answered(most)),
		ms(quantile(answered(most), 0.99)), len(refused(most)))
	ending, cancel := context.WithTimeout(ctx, flooding)
	defer cancel()
	rate := int(times * perSecond(answered(most)))
	all := pace(ending, rate, func(n int) turn { return talk(ctx, chat, fmt.Sprint("user", n), n) })
	fmt.Printf("| %d times as much | %d/s | %.0f/s | %.0f ms | %d | %.1f ms | %.1f ms |\n", times, rate, perSecond(answered(all)),
		ms(quantile(answered(all), 0.99)), len(refused(all)), ms(quantile(refused(all), 0.5)), ms(quantile(refused(all), 0.99)))
	fmt.Printf("\nuseful answers: %.2f of the undisturbed; neither answered nor refused: %d\n",
		perSecond(answered(all))/perSecond(answered(most)), len(all)-len(answered(all))-len(refused(all)))
	return nil
}

// startChat starts chat with a Redis and an engine that takes its time.
func startChat(ctx context.Context, work string) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	engine := &http.Server{Handler: http.HandlerFunc(think)}
	go func() { _ = engine.Serve(l) }()
	redis, err := stack.StartRedis(ctx)
	if err != nil {
		return "", nil, err
	}
	engines, keys := filepath.Join(work, "engines.yaml"), filepath.Join(work, "keys.yaml")
	binary, built := stack.BuildFunction(ctx, work, "chat")
	err = errors.Join(built, os.WriteFile(keys, keysFile(), 0o600),
		os.WriteFile(engines, fmt.Appendf(nil, "engines: [{name: slow, url: 'http://%s/v1'}]", l.Addr()), 0o600))
	if err != nil {
		return "", nil, errors.Join(err, redis.Stop())
	}
	chat, err := stack.StartFunction(ctx, binary, "REDIS_URL="+redis.URL, "ENGINES_FILE="+engines, "KEYS_FILE="+keys)
	if err != nil {
		return "", nil, errors.Join(err, redis.Stop())
	}
	return chat.URL, func() { _, _, _ = chat.Stop(), redis.Stop(), engine.Close() }, nil
}

// think answers after a while, and to the end of the request at once.
func think(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-time.After(thinking):
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id": "c", "object": "chat.completion", "model": "slow", "choices": [{"index": 0, "finish_reason": "stop",
		"message": {"role": "assistant", "content": "In Cuenca."}}], "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}}`)
}

// capacity has a crowd take turns, each the next when the last is answered.
func capacity(ctx context.Context, chat string, lasting time.Duration) (all []turn) {
	ending, cancel := context.WithTimeout(ctx, lasting)
	defer cancel()
	turns := make(chan turn, crowd)
	left := make(chan struct{}, crowd)
	for caller := range crowd {
		go func() {
			for n := 0; ending.Err() == nil; n++ {
				t := talk(ctx, chat, fmt.Sprint("caller", caller), n)
				turns <- t
				if t.status != http.StatusOK {
					time.Sleep(thinking)
				}
			}
			left <- struct{}{}
		}()
	}
	for gone := 0; gone < crowd; {
		select {
		case t := <-turns:
			all = append(all, t)
		case <-left:
			gone++
		}
	}
	return all
}

func perSecond(turns []turn) float64 { return float64(len(turns)) / flooding.Seconds() }

func refused(turns []turn) (all []turn) {
	for _, t := range turns {
		if t.status == http.StatusServiceUnavailable {
			all = append(all, t)
		}
	}
	return all
}
