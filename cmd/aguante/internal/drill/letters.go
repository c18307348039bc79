package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

// letters is how many dead letters a replay drill makes.
const letters = 20

const cloudEvent = "application/cloudevents+json"

// replay posts turns that have gone round too often, which makes them dead letters at once, and replays each twice.
func replay(ctx context.Context, r *run) error {
	r.watch(ctx, before, 0, nil)
	for n := range letters {
		got, err := r.post(ctx, r.event(n, limits.MaxHops+1, r.turn(n)))
		if err != nil || got.status != http.StatusAccepted {
			return fmt.Errorf("the broker answers %d to an event: %w", got.status, err)
		}
		r.keep(said{n: n, phase: "events", status: http.StatusOK, turnID: r.turnID(n)})
	}
	own := r.ownLetters(ctx, letters)
	r.watch(ctx, during, 0, nil)
	r.check(len(own) == letters, "every event becomes a dead letter", "%d of %d", len(own), letters)
	once := r.replayAll(ctx, own)
	r.check(once[http.StatusOK] == letters, "all replayed", "%d of %d; answers by status: %v", once[http.StatusOK], letters, once)
	r.noneLost(ctx)
	again := r.replayAll(ctx, own)
	r.check(again[http.StatusConflict] == len(own), "a second replay is refused", "answers by status: %v", again)
	found, _, twice := r.account(ctx, delivered)
	r.check(found == letters && twice == 0, "none twice, also after that", "%d in the graph, %d more than once", found, twice)
	waiting := len(r.ownLetters(ctx, 0))
	r.check(waiting == 0, "none waits any more", "%d of the drill's", waiting)
	r.watch(ctx, after, 0, nil)
	return nil
}

// corruptEvent posts what is no event, and an event whose data is no turn.
func corruptEvent(ctx context.Context, r *run) error {
	r.enter(before)
	r.begin(ctx)
	defer r.end()
	r.watch(ctx, before, lead, nil)
	l, err := r.look(ctx)
	if err != nil {
		return err
	}
	refused, dead := l.value("aguante_materialized_total", "outcome", "refused"), l.value("aguante_dead_letters")
	for what, body := range map[string]string{"garbage": "\x00\x01", "an event without an id": `{"specversion":"1.0","source":"/drill","type":"x"}`} {
		got, err := r.post(ctx, []byte(body))
		if err != nil {
			return err
		}
		r.check(got.status >= 400 && got.status < 500, what+" is refused", "the broker answers %d", got.status)
	}
	broken := fmt.Appendf(nil, `{"user": %q, "messages": [{"role": 7, `, r.user)
	if got, err := r.post(ctx, r.event(0, 0, nil, broken...)); err != nil || got.status != http.StatusAccepted {
		return fmt.Errorf("the broker answers %d to an event: %w", got.status, err)
	}
	counted := func(l look) bool {
		return l.value("aguante_materialized_total", "outcome", "refused") > refused && l.value("aguante_dead_letters") > dead
	}
	took, is := r.watch(ctx, during, atOnce, counted)
	r.watch(ctx, during, lead, nil)
	r.check(is, "an event with corrupt data is refused and counted", "aguante_materialized_total{outcome=refused} and aguante_dead_letters rose: %t, after %s", is, brief(took))
	own := r.ownLetters(ctx, 1)
	r.check(len(own) == 1, "it is a dead letter", "%d", len(own))
	r.watch(ctx, after, lead, nil)
	r.noErrors()
	r.noneLost(ctx)
	return nil
}

func (r *run) turnID(n int) string { return fmt.Sprintf("%s-%d", r.user, n) }

// turn is the data of a finished turn.
func (r *run) turn(n int) any {
	return map[string]any{"turn_id": r.turnID(n), "session_id": r.user, "user": r.user,
		"messages": []map[string]any{{"role": "user", "content": text(n), "at": time.Now()}}}
}

// event is a turn.completed event in structured mode, with data or else with the bytes of base64.
func (r *run) event(n, hops int, data any, bytes ...byte) []byte {
	e := map[string]any{"specversion": "1.0", "id": r.turnID(n), "source": "/aguante/drill", "type": event.TurnCompleted,
		"subject": r.user, "time": time.Now(), "datacontenttype": "application/json", event.ExtHops: hops}
	if data != nil {
		e["data"] = data
	} else {
		e["data_base64"] = bytes
	}
	body, _ := json.Marshal(e)
	return body
}

func (r *run) post(ctx context.Context, body []byte) (answer, error) {
	return r.do(ctx, http.MethodPost, r.Broker, cloudEvent, body)
}

// ownLetters are the ids of the drill's dead letters that wait, once there are as many as that, or after a while.
func (r *run) ownLetters(ctx context.Context, enough int) (ids []string) {
	for began := time.Now(); ; {
		var found struct {
			Letters []struct{ ID, Subject, State string } `json:"dead_letters"`
		}
		ids = nil
		if err := r.get(ctx, r.Trace+"/dead-letters?limit=500", &found); err == nil {
			for _, l := range found.Letters {
				if l.Subject == r.user && l.State == "waiting" {
					ids = append(ids, l.ID)
				}
			}
		}
		if len(ids) >= enough || time.Since(began) > atOnce || !sleep(ctx, glance) {
			return ids
		}
	}
}

// replayAll replays dead letters, again for a while where the broker does not answer in time, and counts the last answers
// by status; 0: none came.
func (r *run) replayAll(ctx context.Context, ids []string) map[int]int {
	statuses := map[int]int{}
	for _, id := range ids {
		var got answer
		for began := time.Now(); ; {
			got, _ = r.do(ctx, http.MethodPost, r.Trace+"/dead-letters/"+id+"/replay", "", nil)
			if got.status != http.StatusServiceUnavailable || time.Since(began) > atOnce || !sleep(ctx, glance) {
				break
			}
		}
		statuses[got.status]++
	}
	return statuses
}
