package materialize

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

var now = time.Date(2025, 5, 3, 12, 0, 0, 0, time.UTC)

// received is an event with that data, made a minute ago.
func received(data string) event.Event {
	e, err := event.New(event.TurnCompleted, "/chat", "e1", "", 0, nil)
	if err != nil {
		panic(err)
	}
	e.SetTime(now.Add(-time.Minute))
	e.DataEncoded = []byte(data)
	return e
}

func TestRefusalsNameTheFieldAndNothingThatWasSaid(t *testing.T) {
	const said = "SECRET"
	message := func(members string) string {
		return `{"turn_id":"t","session_id":"s","user":"u","messages":[{` + members + `}]}`
	}
	cases := []struct {
		name, data string
		status     int
		reason     string
	}{
		{"no JSON", said, 400, "byte 1"},
		{"half of it", `{"user":"` + said, 400, "no JSON"},
		{"nothing", ``, 400, "no JSON"},
		{"a list", `["` + said + `"]`, 400, "the whole"},
		{"a number for a text", `{"user":7}`, 400, "user"},
		{"an object for a text", message(`"role":"user","content":{"text":"` + said + `"}`), 400, "messages.content"},
		{"no UTF-8", "{\"user\":\"\xff\"}", 400, "UTF-8"},
		{"no time", message(`"role":"user","content":"x","at":"` + said + `"`), 400, "RFC 3339"},
		{"a number for a time", message(`"role":"user","content":"x","at":17}`), 400, ""},
		{"a megabyte", message(`"role":"user","content":"` + strings.Repeat(said, limits.MaxBody/6) + `"`), 413, "larger"},
		{"no messages", `{"turn_id":"t","user":"u","messages":[]}`, 422, "messages"},
		{"null", `null`, 422, "messages"},
		{"too many messages", `{"messages":[` + strings.Repeat(`{},`, maxMessages) + `{}]}`, 422, "messages"},
		{"no role", message(`"content":"` + said + `"`), 422, "messages[0].role"},
		{"a long role", message(`"content":"x","role":"` + strings.Repeat(said, 30) + `"`), 422, "messages[0].role"},
		{"a long name", message(`"content":"x","role":"user","name":"` + strings.Repeat(said, 30) + `"`), 422, "messages[0].name"},
		{"no words", message(`"role":"user","content":" \n"`), 422, "nothing was said"},
		{"long ago", message(`"role":"user","content":"x","at":"1492-10-12T00:00:00Z"`), 422, "messages[0].at"},
		{"one day", message(`"role":"user","content":"x","at":"2999-01-01T00:00:00Z"`), 422, "messages[0].at"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := accept(received(c.data), now)
			var never *event.Never
			if !errors.As(err, &never) || never.Status != c.status || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("refused with %v, want %d about %q", err, c.status, c.reason)
			}
			if err != nil && strings.Contains(err.Error(), said) {
				t.Errorf("the refusal repeats what was said: %v", err)
			}
		})
	}
	e := received(`{}`)
	e.SetDataContentType("text/plain")
	if _, err := accept(e, now); !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("plain text: %v", err)
	}
}

func TestTurnsOfAnySystemAreTaken(t *testing.T) {
	for name, data := range map[string]string{
		"chat's own":       `{"turn_id":"t","session_id":"s","user":"u","messages":[{"role":"user","content":"x","at":"2025-05-03T10:00:00Z"},{"role":"assistant","content":"y","at":"2025-05-03T10:00:02Z"}],"engine":"local"}`,
		"roles of others":  `{"turn_id":"t","session_id":"s","user":"u","messages":[{"role":"participant","name":"Zoë","content":"x"},{"role":"tool","content":""}]}`,
		"more than we ask": `{"turn_id":"t","session_id":"s","user":"u","tenant":7,"messages":[{"role":"user","content":"x","mood":["good"]}]}`,
		"nulls":            `{"turn_id":"t","session_id":"s","user":"u","engine":null,"messages":[{"role":"user","name":null,"content":"x","at":"0001-01-01T00:00:00Z"}]}`,
		"last century":     `{"turn_id":"t","session_id":"s","user":"u","messages":[{"role":"user","content":"x","at":"1969-07-20T20:17:40+02:00"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			w, err := accept(received(data), now)
			if err == nil {
				_, err = graph.NewEntry(w)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMissingTimesAreFilledIn(t *testing.T) {
	made := now.Add(-time.Minute)
	at := func(minutes int) string { return now.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
	cases := []struct {
		name  string
		times []string // of the messages
		made  time.Time
		want  []string
	}{
		{"the event's", []string{"", ""}, made, []string{at(-1), at(-1)}},
		{"none at all", []string{""}, time.Time{}, []string{at(0)}},
		{"an event from the future", []string{""}, now.AddDate(9, 0, 0), []string{at(0)}},
		{"that of the message before", []string{at(-9), "", at(-7), ""}, made, []string{at(-9), at(-9), at(-7), at(-7)}},
		{"that of the first dated", []string{"", at(-5)}, made, []string{at(-5), at(-5)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			messages := make([]map[string]string, len(c.times))
			for i, at := range c.times {
				messages[i] = map[string]string{"role": "user", "content": "x"}
				if at != "" {
					messages[i]["at"] = at
				}
			}
			data, _ := json.Marshal(map[string]any{"messages": messages})
			e := received(string(data))
			e.SetTime(c.made)
			w, err := accept(e, now)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range w.Turn.Messages {
				if got := m.At.UTC().Format(time.RFC3339); got != c.want[i] {
					t.Errorf("message %d is dated %s, want %s", i, got, c.want[i])
				}
			}
			if w.SentAt.After(now) || w.SentAt.IsZero() {
				t.Errorf("sent at %v", w.SentAt)
			}
		})
	}
}

func TestUsersAreForgottenUntilNowAtMost(t *testing.T) {
	for data, want := range map[string]time.Time{
		`{"user":"ana","at":"2025-05-03T11:00:00Z"}`: now.Add(-time.Hour),
		`{"user":"ana"}`: now.Add(-time.Minute),
		`{"user":"ana","at":"2999-01-01T00:00:00Z"}`: now,
	} {
		if who, err := acceptForgotten(received(data), now); err != nil || !who.At.Equal(want) {
			t.Errorf("%s: until %v, %v", data, who.At, err)
		}
	}
	for _, data := range []string{`{}`, `{"user":""}`, `{"user":7}`, `[]`, `{"user":"` + strings.Repeat("a", limits.MaxID+1) + `"}`} {
		if _, err := acceptForgotten(received(data), now); !errors.As(err, new(*event.Never)) {
			t.Errorf("%s: %v", data, err)
		}
	}
}
