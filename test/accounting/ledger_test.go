package accounting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// patience is how long one who talks waits for an answer, coming back included.
const patience = 20 * time.Second

// ledger is what those who talked were told.
type ledger struct {
	mu       sync.Mutex
	answered map[string]talker // turn → who had it
	unheld   map[string]bool   // those that nothing durable took, as their replies say; nobody promises them
	talkers  []talker
	back     int // times that someone was told to come back
	failed   int // got no answer, as from an instance that is down
	refused  int // got a 5xx, and not one that says when to come back, or not in time
	failures map[string]int
}

// talker is one conversation.
type talker struct{ user, session string }

// talk sends pace turns a second until ctx ends. Whoever gets no answer from one instance goes to the other with the
// next turn, as behind a load balancer.
func (w *world) talk(ctx context.Context, pace int) *ledger {
	l := &ledger{answered: map[string]talker{}, unheld: map[string]bool{}, failures: map[string]int{}}
	defer http.DefaultClient.CloseIdleConnections()
	tick := time.NewTicker(time.Second / time.Duration(pace))
	defer tick.Stop()
	var talking sync.WaitGroup
	for n := 0; ctx.Err() == nil; n++ {
		<-tick.C
		who := talker{fmt.Sprint("accounting-", n/100), fmt.Sprint("accounting-session-", n/100)}
		if n%100 == 0 {
			l.talkers = append(l.talkers, who)
		}
		talking.Go(func() { w.say(l, who, n) })
	}
	talking.Wait()
	return l
}

// say says one thing, and says it again to whom the load balancer gives it next when it is told to come back: an instance
// that was frozen sheds what has piled up before it and is more than it can take at once.
func (w *world) say(l *ledger, who talker, n int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for try := n; ; try++ {
		r, a, err := ask(ctx, w.chats[try%len(w.chats)].URL, who, n)
		if after := comeBack(a); after > 0 && ctx.Err() == nil {
			l.told(func() { l.back++ })
			pause(ctx, after)
			continue
		}
		l.told(func() { l.write(who, r, a, err) })
		return
	}
}

// reply is what an answer says of its turn.
type reply struct {
	TurnID   string           `json:"turn_id"`
	Degraded []guard.Degraded `json:"degraded"`
}

// unheld: the broker, materialize and the outbox in Redis all took too long, on a machine that pauses. The turn is in the
// memory of its chat (docs/durability.md).
func (r reply) unheld() bool {
	lacks := func(name string) bool {
		return slices.ContainsFunc(r.Degraded, func(d guard.Degraded) bool { return d.Dependency == name })
	}
	return lacks(limits.Broker.Name) && lacks(limits.Materialize.Name) && lacks(event.WayOutbox)
}

// ask sends one turn. What is left of the answer is its header.
func ask(ctx context.Context, address string, who talker, n int) (r reply, a *http.Response, err error) {
	body, _ := json.Marshal(map[string]string{"user": who.user, "session_id": who.session, "message": fmt.Sprintf("My note number %d says %d.", n, n*n)})
	q, _ := http.NewRequestWithContext(ctx, http.MethodPost, address+"/chat", bytes.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+key)
	if a, err = http.DefaultClient.Do(q); err != nil {
		return reply{}, nil, err
	}
	defer a.Body.Close()
	err = json.NewDecoder(a.Body).Decode(&r)
	return r, a, err
}

// comeBack is when an answer asks to be asked for again: 0 if it does not.
func comeBack(a *http.Response) time.Duration {
	if a == nil || a.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second
}

func (l *ledger) told(write func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	write()
}

// write keeps what became of one turn.
func (l *ledger) write(who talker, r reply, a *http.Response, err error) {
	switch {
	case a != nil && a.StatusCode >= http.StatusInternalServerError:
		l.failed, l.refused = l.failed+1, l.refused+1
		l.failures[a.Status]++
	case err != nil:
		l.failed++
		l.failures["no answer"]++
	case a.StatusCode != http.StatusOK:
		l.failed++
		l.failures[a.Status]++
	default:
		l.answered[r.TurnID] = who
		if r.unheld() {
			l.unheld[r.TurnID] = true
		}
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
