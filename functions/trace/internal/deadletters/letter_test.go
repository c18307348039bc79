package deadletters

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/shared/event"
)

func TestARevivedEventIsTheOneThatDied(t *testing.T) {
	text := rapid.StringMatching(`[a-zA-Z0-9]([ ,;:ñ"'/<>-]{0,9}[a-z])?`)
	rapid.Check(t, func(r *rapid.T) {
		died := event.Event{}
		died.SetSpecVersion("1.0")
		died.SetID(text.Draw(r, "id"))
		died.SetType(text.Draw(r, "type"))
		died.SetSource("/" + rapid.StringMatching(`[a-z0-9]{0,9}`).Draw(r, "source"))
		if rapid.Bool().Draw(r, "all") {
			died.SetSubject(text.Draw(r, "subject"))
			died.SetTime(time.Unix(rapid.Int64Range(0, 4e9).Draw(r, "time"), rapid.Int64Range(0, 999_999_999).Draw(r, "nanos")).UTC())
			died.SetDataSchema("https://example.com/schema")
			died.SetDataContentType("application/json")
			died.SetExtension("partitionkey", text.Draw(r, "key"))
		}
		died.SetExtension(event.ExtHops, rapid.Int32Range(0, 9).Draw(r, "hops"))
		died.SetExtension(extCode, 503)
		died.DataEncoded = rapid.SliceOf(rapid.Byte()).Draw(r, "data")

		all, err := attributes(died)
		if err != nil {
			r.Fatal(err)
		}
		back, err := revive(all, died.Data())
		if err != nil {
			r.Fatal(err)
		}
		again, err := attributes(back)
		if err != nil {
			r.Fatal(err)
		}
		delete(all, extCode)
		all[event.ExtHops] = "0"
		if !maps.Equal(all, again) || string(died.Data()) != string(back.Data()) {
			r.Fatalf("%v became %v", all, again)
		}
	})
}

func TestTheReasonIsTheReceiversSentence(t *testing.T) {
	problem := `{"type":"about:blank","title":"Never send it again","status":422,"detail":"no user"}`
	for name, c := range map[string]struct{ raw, want string }{
		"problem":        {problem, "Never send it again: no user"},
		"base64":         {base64.StdEncoding.EncodeToString([]byte(problem)), "Never send it again: no user"},
		"title alone":    {`{"title":"Gone"}`, "Gone"},
		"plain":          {"dispatch error: no route", "dispatch error: no route"},
		"cut off":        {problem[:40], problem[:40]},
		"binary base64":  {"//79", "//79"},
		"nothing at all": {"", ""},
	} {
		if got := reason(c.raw); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestTheOwnerIsReadOrUnknown(t *testing.T) {
	for data, want := range map[string]struct {
		user       string
		unreadable bool
	}{
		`{"user":"ana"}`: {"ana", false}, `{"turn_id":"1"}`: {"", false}, "": {"", false}, "\n": {"", false},
		`{"user":7}`: {"", true}, `{"user":"ana"`: {"", true}, `[]`: {"", true}, "\xff": {"", true},
	} {
		e := event.Event{DataEncoded: []byte(data)}
		e.SetSpecVersion("1.0")
		e.SetType(event.TurnCompleted)
		if user, unreadable := owner(e); user != want.user || unreadable != want.unreadable {
			t.Errorf("%q: %q, %v", data, user, unreadable)
		}
		e.SetType(event.UserForgotten)
		if user, unreadable := owner(e); user != "" || unreadable {
			t.Errorf("a request to forget belongs to %q, %v", user, unreadable)
		}
	}
}

func TestTheSameEventForTwoReceiversIsTwoLetters(t *testing.T) {
	make := func(source, id, destination string) string {
		e := event.Event{}
		e.SetSpecVersion("1.0")
		e.SetSource(source)
		e.SetID(id)
		if destination != "" {
			e.SetExtension(extDestination, destination)
		}
		return identity(e)
	}
	all := []string{make("/a", "1", "http://x"), make("/a", "1", "http://y"), make("/a", "1", ""), make("/a", "2", "http://x"),
		make("/b", "1", "http://x"), make("/a1", "", "http://x")}
	seen := map[string]bool{}
	for _, id := range all {
		if len(id) != 24 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("%q is not fit for a path", id)
		}
		seen[id] = true
	}
	if len(seen) != len(all) || make("/a", "1", "http://x") != all[0] {
		t.Errorf("%v", all)
	}
}
