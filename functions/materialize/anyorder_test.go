package materialize_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// story is what one user says, a turn a minute; at the fifth minute they ask to be forgotten.
var story = []string{"I live in Quito.", "I moved to Lima.", "I no longer live in Quito", "My sister Lucía lives in Cuenca.", "I love jazz",
	"", "I work at Initech", "I quit my job at Initech", "I hate jazz", "My sister Lucía moved to Loja"}

func TestAnyOrderAndRepetitionLeaveTheSameGraph(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			h := open(t, store)
			rapid.Check(t, func(r *rapid.T) {
				said := rapid.SliceOfNDistinct(rapid.IntRange(0, len(story)-1), 1, len(story), rapid.ID).Draw(r, "said")
				again := rapid.Permutation(append(said, rapid.SliceOfN(rapid.SampledFrom(said), 0, 10).Draw(r, "again")...)).Draw(r, "again, in another order")
				one, other := "one-"+rand.Text(), "two-"+rand.Text()
				for _, n := range said {
					mustTake(r, h, one, n)
				}
				var group sync.WaitGroup
				for _, n := range again {
					group.Go(func() { mustTake(r, h, other, n) })
				}
				group.Wait()
				if x, y := show(t, store, one), show(t, store, other); x != y {
					r.Fatalf("in order:\n%s\nin any order:\n%s", x, y)
				}
			})
		})
	}
}

// mustTake sends the n-th event of a user's story, again if it is asked to, as a broker would.
func mustTake(r *rapid.T, h http.Handler, user string, n int) {
	at := time.Date(2025, 5, 3, 10, n, 0, 0, time.UTC).Format(time.RFC3339)
	body := fmt.Sprintf(`{"specversion":"1.0","id":"%s-%d","source":"/chat","type":%q,"subject":"s-%s","time":%q,"data":{"user":%q,"at":%q}}`,
		user, n, event.UserForgotten, user, at, user, at)
	if story[n] != "" {
		body = fmt.Sprintf(`{"specversion":"1.0","id":"%s-%d","source":"/chat","type":%q,"subject":"s-%s","time":%q,"data":
			{"user":%q,"turn_id":"%d","messages":[{"role":"user","content":%q}]}}`, user, n, event.TurnCompleted, user, at, user, n, story[n])
	}
	answer := post(h, body)
	for attempt := 1; answer.StatusCode == http.StatusServiceUnavailable && attempt < limits.MaxDeliveries; attempt++ {
		answer = post(h, body)
	}
	if answer.StatusCode/100 != 2 {
		r.Errorf("event %d was answered %d", n, answer.StatusCode)
	}
}

// show is all that a store tells of a user.
func show(t *testing.T, s graph.Store, user string) string {
	t.Helper()
	facts, err := s.Facts(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	turns, err := s.Session(t.Context(), user, "s-"+user, 100)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent([]any{facts, turns}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), user, "ana")
}
