package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/test/stack"
)

// senders post events at once, as many systems would.
const senders = 8

// replay posts every turn to the broker as the user run+name, and waits until all are in the graph.
func replay(ctx context.Context, up *stack.Up, run string, conversations []conversation) (turns int, err error) {
	posts, posting := errgroup.WithContext(ctx)
	posts.SetLimit(senders)
	for _, c := range conversations {
		for _, t := range c.turns {
			t.User, t.SessionID = run+c.name, run+t.SessionID
			turns++
			posts.Go(func() error { return post(posting, up.Broker, t) })
		}
	}
	if err := posts.Wait(); err != nil {
		return 0, err
	}
	for waited := time.Now(); time.Since(waited) < 5*time.Minute; time.Sleep(20 * time.Millisecond) {
		written, err := materialized(ctx, up)
		if err != nil || written >= turns {
			return turns, err
		}
	}
	return 0, fmt.Errorf("not all %d turns were materialized within five minutes", turns)
}

func post(ctx context.Context, broker string, t event.Completed) error {
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, broker, bytes.NewReader(data))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": event.TurnCompleted, "Ce-Source": "/recall",
		"Ce-Id": t.User + "/" + t.ID, "Ce-Subject": t.SessionID, "Ce-Time": time.Now().UTC().Format(time.RFC3339Nano),
	} {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); answer.StatusCode >= 300 {
		return fmt.Errorf("the broker answers %s: %s", answer.Status, body)
	}
	return nil
}

var written = regexp.MustCompile(`aguante_materialized_total\{outcome="written"\} ([0-9.e+]+)`)

// materialized is how many turns are in the graph, by the metric.
func materialized(ctx context.Context, up *stack.Up) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, up.Ops+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	metrics, err := io.ReadAll(answer.Body)
	if m := written.FindSubmatch(metrics); err == nil && m != nil {
		count, err := strconv.ParseFloat(string(m[1]), 64)
		return int(count), err
	}
	return 0, err
}
