package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// turn is what became of one.
type turn struct {
	ID       string `json:"turn_id"`
	Degraded []struct {
		Dependency string `json:"dependency"`
	} `json:"degraded"`

	user   string
	status int // 0: no answer
	took   time.Duration
}

// talk takes a turn of user with chat.
func talk(ctx context.Context, chat, user string, n int) (t turn) {
	t.user = user
	began := time.Now()
	defer func() { t.took = time.Since(began) }()
	body := fmt.Sprintf(`{"user": %q, "session_id": "s", "message": "My friend Ana%d lives in Cuenca. Where does she live?"}`, user, n)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, chat+"/chat", strings.NewReader(body))
	if err != nil {
		return t
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := client.Do(request)
	if err != nil {
		return t
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil && json.Unmarshal(content, &t) == nil {
		t.status = answer.StatusCode
	}
	return t
}

// pace takes turns at a rate until ctx ends, each when it is due, however long those before it take.
func pace(ctx context.Context, rate int, take func(n int) turn) []turn {
	var mu sync.Mutex
	var turns []turn
	var sent sync.WaitGroup
	began := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		sent.Go(func() {
			late := time.Since(due)
			t := take(n)
			t.took += late
			mu.Lock()
			defer mu.Unlock()
			turns = append(turns, t)
		})
	}
	sent.Wait()
	return turns
}

// quantile is how long that share of the turns took at most.
func quantile(turns []turn, share float64) time.Duration {
	if len(turns) == 0 {
		return 0
	}
	took := make([]time.Duration, len(turns))
	for i, t := range turns {
		took[i] = t.took
	}
	slices.Sort(took)
	return took[int(share*float64(len(took)-1))]
}

// answered are those that were.
func answered(turns []turn) (good []turn) {
	for _, t := range turns {
		if t.status == http.StatusOK {
			good = append(good, t)
		}
	}
	return good
}

// percent is a share as tables have it.
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(whole))
}
