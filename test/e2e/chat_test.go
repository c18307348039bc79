package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// caller talks to chat through the ingress.
type caller struct {
	client *http.Client
	chat   string
}

func newCaller(t testing.TB) *caller {
	t.Helper()
	c := &caller{client: outside(), chat: serviceURL(t, "chat")}
	t.Cleanup(c.client.CloseIdleConnections)
	return c
}

// reply is what POST /chat answers.
type reply struct {
	Reply     string
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
	Engine    string
	Degraded  []struct{ Zone, Dependency, Reason string }
	user      string
}

// lacks says whether a reply names a dependency as missing.
func (r reply) lacks(dependency string) bool {
	return slices.ContainsFunc(r.Degraded, func(d struct{ Zone, Dependency, Reason string }) bool { return d.Dependency == dependency })
}

func (c *caller) request(ctx context.Context, method, path string, body any) (int, []byte, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.chat+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer e2e")
	return do(c.client, request)
}

// ask takes one turn.
func (c *caller) ask(ctx context.Context, user, message string) (reply, int, error) {
	status, content, err := c.request(ctx, http.MethodPost, "/chat", map[string]string{"user": user, "message": message})
	r := reply{user: user}
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(content, &r)
	} else if err == nil {
		err = fmt.Errorf("%d: %s", status, content)
	}
	return r, status, err
}

func (c *caller) say(t testing.TB, user, message string) reply {
	t.Helper()
	r, _, err := c.ask(t.Context(), user, message)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// remembered says whether what a user said is in the graph.
func (c *caller) remembered(t testing.TB, user, question, words string) bool {
	t.Helper()
	return c.remembers(t.Context(), user, question, words)
}

func (c *caller) remembers(ctx context.Context, user, question, words string) bool {
	query := url.Values{"user": {user}, "q": {question}, "limit": {"10"}}
	status, content, err := c.request(ctx, http.MethodGet, "/recall?"+query.Encode(), nil)
	return err == nil && status == http.StatusOK && strings.Contains(string(content), words)
}

// trace asks trace's API, which only the cluster reaches, by way of Knative's activator, which wakes it if need be.
func trace(t testing.TB, method, path string) (int, []byte) {
	t.Helper()
	revision := serviceOf(t, "trace").Status.LatestReadyRevisionName
	whom := http.Header{"Knative-Serving-Namespace": {namespace}, "Knative-Serving-Revision": {revision}}
	status, content, err := inside(t.Context(), method, "knative-serving", "services/http:activator-service:80", path, whom, nil)
	if err != nil {
		t.Fatal(err)
	}
	return status, content
}

// traced says whether the decisions of a turn are known.
func traced(t testing.TB, turn string) bool {
	t.Helper()
	status, content := trace(t, http.MethodGet, "/decisions/"+turn)
	return status == http.StatusOK && strings.Contains(string(content), `"stage":"answer"`)
}

// result is what load was answered.
type result struct {
	mu       sync.Mutex
	statuses map[int]int // 0: no answer
	took     []time.Duration
	replies  []reply
	faults   []string
}

func (r *result) add(reply reply, status int, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses[status]++
	if err != nil {
		r.faults = append(r.faults, err.Error())
		return
	}
	r.took = append(r.took, took)
	r.replies = append(r.replies, reply)
}

func (r *result) String() string {
	return fmt.Sprintf("%v; p50 %v, p99 %v", r.statuses, at(r.took, 0.5), at(r.took, 0.99))
}

func at(took []time.Duration, part float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(part*float64(len(took))))].Round(time.Millisecond)
}

// median of a few.
func median(took []time.Duration) time.Duration { return at(took, 0.5) }

// load takes turns, so many at once, until ctx ends; each has a user of its own. Those under way in the end are finished.
func (c *caller) load(ctx context.Context, atOnce int, user, message string) *result {
	return c.take(ctx, atOnce, math.MaxInt, user, message)
}

// take is load that ends after so many turns. Without a user they are nobody's, and nobody's memory.
func (c *caller) take(ctx context.Context, atOnce, turns int, user, message string) *result {
	r := &result{statuses: map[int]int{}}
	var taken atomic.Int64
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() {
			for ctx.Err() == nil {
				turn := taken.Add(1)
				if turn > int64(turns) {
					return
				}
				who := user
				if who != "" {
					who = fmt.Sprintf("%s-%d", user, turn)
				}
				began := time.Now()
				reply, status, err := c.ask(context.WithoutCancel(ctx), who, message)
				r.add(reply, status, err, time.Since(began))
			}
		})
	}
	group.Wait()
	return r
}
