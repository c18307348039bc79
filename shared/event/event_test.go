package event

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/shared/limits"
)

// A hand-off has four times its time: the ways that are well must not fail because this machine is slow.
func TestMain(m *testing.M) {
	limits.Broker.Timeout *= 4
	goleak.VerifyTestMain(m)
}

func made(t testing.TB, id string) Event {
	t.Helper()
	e, err := New(TurnCompleted, "/test", id, "s1", 0, map[string]string{"turn_id": id})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNewMakesWhatTheContractSays(t *testing.T) {
	e, err := New(TurnCompleted, "/chat", "t1", "s1", 2, map[string]string{"text": "<b>&"})
	if err != nil {
		t.Fatal(err)
	}
	if e.ID() != "t1" || e.Source() != "/chat" || e.Subject() != "s1" || e.Type() != TurnCompleted || Hops(e) != 2 || e.Time().IsZero() {
		t.Errorf("%v", e)
	}
	if e.Extensions()[ExtPartitionKey] != "s1" {
		t.Errorf("extensions: %v", e.Extensions())
	}
	if data := string(e.Data()); data != `{"text":"<b>&"}` {
		t.Errorf("data: %s", data)
	}
}

func TestNewRefusesWhatCannotTravel(t *testing.T) {
	cases := []struct {
		name, id, session string
		data              any
	}{
		{"no id", "", "s", nil},
		{"data that is no JSON", "1", "s", func() {}},
		{"control character in the session", "1", "a\nb", nil},
		{"invalid UTF-8 in the id", "\xff", "s", nil},
	}
	for _, c := range cases {
		if _, err := New(TurnCompleted, "/chat", c.id, c.session, 0, c.data); err == nil {
			t.Errorf("%s: taken", c.name)
		}
	}
}

func TestHopsThatCannotBeReadAreTooMany(t *testing.T) {
	for value, want := range map[any]int{int32(2): 2, "3": 3, "": limits.MaxHops + 1, "many": limits.MaxHops + 1, int32(-1): limits.MaxHops + 1, "-1": limits.MaxHops + 1, true: limits.MaxHops + 1} {
		e := made(t, "1")
		e.SetExtension(ExtHops, value)
		if got := Hops(e); got != want {
			t.Errorf("hops %v (%T): %d, want %d", value, value, got, want)
		}
	}
	e := made(t, "1")
	e.SetExtension(ExtHops, nil)
	if got := Hops(e); got != 0 {
		t.Errorf("no hops: %d", got)
	}
}

func TestEventsSurviveTheJourneyInJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		id := rapid.StringMatching(`[a-zA-Z0-9:_ñ-]{1,40}`).Draw(t, "id")
		hops := rapid.IntRange(0, limits.MaxHops).Draw(t, "hops")
		e, err := New(TurnCompleted, "/chat", id, id, hops, text)
		if err != nil {
			t.Fatal(err)
		}
		body, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back Event
		if err := back.UnmarshalJSON(body); err != nil {
			t.Fatal(err)
		}
		var said string
		if err := back.DataAs(&said); err != nil {
			t.Fatal(err)
		}
		if back.ID() != id || Hops(back) != hops || strings.ToValidUTF8(text, "\uFFFD") != said {
			t.Errorf("%q became %q", text, said)
		}
	})
}
