package accounting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ledger is what those who talked were told.
type ledger struct {
	mu       sync.Mutex
	answered map[string]talker // turn → who had it
	talkers  []talker
	failed   int // got no answer, as from an instance that is down
	refused  int // got a 5xx
	failures map[string]int
}

// talker is one conversation.
type talker struct{ user, session string }

// talk sends pace turns a second until ctx ends. Whoever gets no answer from one instance goes to the other with the
// next turn, as behind a load balancer.
func (w *world) talk(ctx context.Context, pace int) *ledger {
	l := &ledger{answered: map[string]talker{}, failures: map[string]int{}}
	client := &http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Second / time.Duration(pace))
	defer tick.Stop()
	var talking sync.WaitGroup
	for n := 0; ctx.Err() == nil; n++ {
		<-tick.C
		who := talker{fmt.Sprint("accounting-", n/100), fmt.Sprint("accounting-session-", n/100)}
		if n%100 == 0 {
			l.talkers = append(l.talkers, who)
		}
		address := w.chats[n%len(w.chats)].URL
		talking.Go(func() { l.say(client, address, who, n) })
	}
	talking.Wait()
	return l
}

func (l *ledger) say(client *http.Client, address string, who talker, n int) {
	body, _ := json.Marshal(map[string]string{"user": who.user, "session_id": who.session, "message": fmt.Sprintf("My note number %d says %d.", n, n*n)})
	q, _ := http.NewRequest(http.MethodPost, address+"/chat", bytes.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+key)
	a, err := client.Do(q)
	var reply struct {
		TurnID string `json:"turn_id"`
	}
	if err == nil {
		err = json.NewDecoder(a.Body).Decode(&reply)
		a.Body.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.failed++
		l.failures["no answer"]++
	case a.StatusCode != http.StatusOK:
		l.failed++
		l.failures[a.Status]++
		if a.StatusCode >= http.StatusInternalServerError {
			l.refused++
		}
	default:
		l.answered[reply.TurnID] = who
	}
}

// lateness is what else the count found.
type lateness struct {
	after  time.Duration // until the last turn was there
	beyond int           // turns that are there though their answer did not arrive
}

// count waits until all answered turns are in the graph, with the dead letters among them replayed, and tells which are
// not, and how many are there more than once.
func (w *world) count(ctx context.Context, l *ledger) (lost []string, twice int, late lateness) {
	began := time.Now()
	for {
		there := w.there(ctx, l)
		lost, twice, late.beyond = nil, 0, len(there)
		for id := range l.answered {
			switch there[id] {
			case 0:
				lost = append(lost, id)
			case 1:
				late.beyond--
			default:
				twice++
			}
		}
		late.after = time.Since(began)
		if len(lost) == 0 || late.after > settling || ctx.Err() != nil {
			return lost, twice, late
		}
		w.replay(ctx)
		pause(ctx, 2*time.Second)
	}
}

// there counts how often each turn is in the graph.
func (w *world) there(ctx context.Context, l *ledger) map[string]int {
	all := map[string]int{}
	for _, who := range l.talkers {
		turns, err := w.graph.Session(ctx, who.user, who.session, 1000)
		if err != nil {
			return nil // Neo4j is on its way back
		}
		for _, t := range turns {
			all[t.ID]++
		}
	}
	return all
}

// replay sends every dead letter again, as an operator does once what killed it is mended.
func (w *world) replay(ctx context.Context) {
	q, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.up.Trace+"/dead-letters/replay", nil)
	if a, err := http.DefaultClient.Do(q); err == nil {
		a.Body.Close()
	}
}
