package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

// result is evidence recall by category, 0 standing for all of them, and how long each call took.
type result struct {
	at5, at10, asked [5]float64
	took             []time.Duration
}

func ask(ctx context.Context, up *stack.Up, run string, conversations []conversation) (r result, err error) {
	for _, c := range conversations {
		for _, q := range c.questions {
			recalled, took, err := recall(ctx, up, run+c.name, q.Text)
			if err != nil {
				return r, err
			}
			r.took = append(r.took, took)
			for _, category := range []int{0, q.Category} {
				r.asked[category]++
				r.at5[category] += share(q.Evidence, recalled[:min(5, len(recalled))])
				r.at10[category] += share(q.Evidence, recalled)
			}
		}
	}
	return r, nil
}

func share(evidence, recalled []string) float64 {
	found := 0.0
	for _, id := range evidence {
		if slices.Contains(recalled, id) {
			found++
		}
	}
	return found / float64(len(evidence))
}

// recall asks once, and again when the rate limit says when.
func recall(ctx context.Context, up *stack.Up, user, text string) ([]string, time.Duration, error) {
	query := url.Values{"user": {user}, "q": {text}, "limit": {"10"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, up.Chat+"/recall?"+query.Encode(), nil)
	if err != nil {
		return nil, 0, err
	}
	began := time.Now()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	took := time.Since(began)
	if err != nil {
		return nil, 0, err
	}
	if answer.StatusCode == http.StatusTooManyRequests {
		after, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if err != nil {
			return nil, 0, fmt.Errorf("429 without a Retry-After in seconds: %w", err)
		}
		time.Sleep(time.Duration(after) * time.Second)
		return recall(ctx, up, user, text)
	}
	var found struct {
		Items []struct {
			TurnID string `json:"turn_id"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &found); err != nil || answer.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("/recall answers %s: %s", answer.Status, body)
	}
	ids := make([]string, len(found.Items))
	for i, item := range found.Items {
		ids[i] = item.TurnID
	}
	return ids, took, nil
}

var categories = [5]string{"all", "1 multi-hop", "2 temporal", "3 open-ended", "4 single-hop"}

func (r result) print(w io.Writer) {
	fmt.Fprintln(w, "| category | questions | recall@5 | recall@10 |\n| --- | --- | --- | --- |")
	for _, c := range []int{1, 2, 3, 4, 0} {
		asked := max(r.asked[c], 1)
		fmt.Fprintf(w, "| %s | %.0f | %.3f | %.3f |\n", categories[c], r.asked[c], r.at5[c]/asked, r.at10[c]/asked)
	}
	slices.Sort(r.took)
	at := func(share float64) float64 {
		return float64(r.took[int(share*float64(len(r.took)-1))].Microseconds()) / 1000
	}
	fmt.Fprintf(w, "\nGET /recall: p50 %.1f ms, p95 %.1f ms\n", at(0.5), at(0.95))
}
