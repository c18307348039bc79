package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/shared/event"
)

var forgetting = []promise{
	{"TracesUpToTheMomentGoAndStayAway", tracesUpToTheMomentGoAndStayAway},
	{"AnOlderRequestTakesNothingBack", anOlderRequestTakesNothingBack},
	{"ManyTracesGoToo", manyTracesGoToo},
	{"LettersThatHoldTheirDataGoAndStayAway", lettersThatHoldTheirDataGoAndStayAway},
	{"NobodyIsNeverForgotten", nobodyIsNeverForgotten},
}

func forget(t *testing.T, s Store, user string, moment time.Time) {
	t.Helper()
	if err := s.Forget(t.Context(), user, moment); err != nil {
		t.Fatal(err)
	}
}

func tracesUpToTheMomentGoAndStayAway(t *testing.T, s Store) {
	before, at, after := trace("before", "ana"), trace("at", "ana"), trace("after", "ana")
	at.StartedAt, after.StartedAt = noon.Add(time.Minute), noon.Add(time.Minute+time.Microsecond)
	keep(t, s, before, at, after, trace("other", "eva"), trace("namesake", "ana "), trace("prefix", "an"))
	forget(t, s, "ana", noon.Add(time.Minute))
	keep(t, s, before, at) // redelivered
	left := listed(t, s, decisions.Filter{})
	slices.Sort(left)
	if got := strings.Join(left, " "); got != "after namesake other prefix" {
		t.Fatalf("left %q", got)
	}
}

func anOlderRequestTakesNothingBack(t *testing.T, s Store) {
	forget(t, s, "ana", noon.Add(time.Minute))
	forget(t, s, "ana", noon.Add(-time.Hour))
	keep(t, s, trace("before", "ana"))
	if left := listed(t, s, decisions.Filter{}); len(left) != 0 {
		t.Fatalf("left %v", left)
	}
}

func manyTracesGoToo(t *testing.T, s Store) {
	for i := range 450 {
		one := trace(fmt.Sprint(i), "ana")
		one.StartedAt = noon.Add(time.Duration(i%3) * time.Hour)
		keep(t, s, one)
	}
	forget(t, s, "ana", noon.Add(time.Hour))
	if left := listed(t, s, decisions.Filter{}); len(left) != 150 {
		t.Fatalf("%d left", len(left))
	}
}

func lettersThatHoldTheirDataGoAndStayAway(t *testing.T, s Store) {
	box := open(s)
	for id, data := range map[string]string{
		"hers": `{"user":"a<b","text":"secret"}`, "broken": `{"user":"a<b", "messages": [`, "escaped": `{"user":"a\u003cb", `,
		"evas": `{"user":"eva","of":"a<b"}`, "nobodys": `{}`, "broken too": `{"user":"a<bc", `,
	} {
		died(t, box, event.TurnCompleted, id, data, noon, noon)
	}
	died(t, box, event.TurnCompleted, "later", `{"user":"a<b"}`, noon.Add(time.Hour), noon)
	who, _ := json.Marshal(event.Forgotten{User: "a<b"})
	died(t, box, event.UserForgotten, "request", string(who), noon, noon)

	forget(t, s, "a<b", noon.Add(time.Minute))
	died(t, box, event.TurnCompleted, "hers", `{"user":"a<b","text":"secret"}`, noon, noon) // redelivered
	if got := left(t, box); !sameSet(got, []string{"evas", "nobodys", "broken too", "later", "request"}) {
		t.Errorf("left: %v", got)
	}
	if waiting, err := box.Waiting(t.Context()); err != nil || waiting != 5 {
		t.Errorf("%d wait, %v", waiting, err)
	}
}

func nobodyIsNeverForgotten(t *testing.T, s Store) {
	keep(t, s, trace("1", ""))
	died(t, open(s), "t", "1", "", noon, noon)
	forget(t, s, "ana", noon.Add(time.Minute))
	if len(listed(t, s, decisions.Filter{})) != 1 || len(left(t, open(s))) != 1 {
		t.Error("what is nobody's is gone")
	}
}
