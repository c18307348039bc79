package graph

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestKeyComparesNamesAsPeopleDo(t *testing.T) {
	for name, want := range map[string]string{
		"Lucía": "lucia", "LUCIA": "lucia", "Luci\u0301a": "lucia", " New\u00a0 York\n": "new york", "ﬁancé": "fiance",
		"": "", " \x00\t": "", "東京": "東京", "😀": "😀", "St. John's": "st. john's",
	} {
		if got := Key(name); got != want {
			t.Errorf("Key(%q) is %q, want %q", name, got, want)
		}
	}
}

func TestKeyOfAKeyIsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		if key := Key(name); Key(key) != key || !utf8.ValidString(key) {
			t.Fatalf("Key(%q) is %q, and of that %q", name, key, Key(key))
		}
	})
}

func FuzzNewEntry(f *testing.F) {
	f.Add("ana", "t1", "s1", "my sister Lucía", "self", "likes", "tea", int64(1), true)
	f.Add("\xff", "a\x00b", strings.Repeat("9", 128), "\xff", "", "\xc0", "", int64(-1), false)
	f.Fuzz(func(t *testing.T, user, id, session, text, subject, relation, object string, second int64, single bool) {
		at := time.Unix(second%(1<<34), 999)
		e, err := NewEntry(Write{SentAt: at, Turn: Turn{ID: id, SessionID: session, User: user, Engine: text,
			Messages: []Message{{Role: relation, Name: subject, Content: text, At: at}}},
			Mentions: []Entity{{Name: object, Kind: Thing}},
			Facts:    []Fact{{Subject: subject, Relation: relation, Object: object, Single: single, Ended: single, Text: text}}})
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Error(err)
			}
			return
		}
		for _, s := range []string{e.Order, e.Terms, e.Messages, e.Lead.Content, e.Mentions[0].Name, e.Mentions[0].Key, e.Statements[0].Line, e.Statements[0].Text} {
			if !utf8.ValidString(s) {
				t.Errorf("not UTF-8: %q", s)
			}
		}
	})
}
