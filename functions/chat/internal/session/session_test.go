package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat/internal/session/redistest"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

// cluster is one for all tests: it takes two seconds to come up.
var cluster = sync.OnceValue(func() (err error) {
	clustered, err = redistest.LaunchCluster()
	return err
})

var clustered *redistest.Server

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if clustered != nil {
			clustered.Remove()
		}
		os.Exit(code)
	}))
}

// onEach runs a test on a real Redis, on a real cluster, and on the one that aguante up embeds.
func onEach(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("redis", func(t *testing.T) { test(t, open(t, redistest.URL(t)+patient)) })
	t.Run("cluster", func(t *testing.T) {
		if err := cluster(); err != nil {
			t.Skip("no Redis cluster: ", err)
		}
		s := open(t, clustered.URL()+patient+"&cluster=true")
		if err := s.client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
	t.Run("embedded", func(t *testing.T) { test(t, open(t, "redis://"+miniredis.RunT(t).Addr()+patient)) })
}

// patient makes a test on a busy machine wait longer than a turn would.
const patient = "?dial_timeout=5s&read_timeout=5s&write_timeout=5s&pool_timeout=5s"

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := New(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Disconnect() })
	return s
}

var caller = turn.Caller{Address: "192.0.2.1", Class: "chat", Rate: limits.Rate{PerMinute: 1, Burst: 5}} // none comes back while a test runs

func opening(user, session string) turn.Opening {
	return turn.Opening{Caller: caller, User: user, SessionID: session}
}

func said(id, content string) []turn.Said {
	at := time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)
	return []turn.Said{
		{TurnID: id, Role: "user", Content: content, At: at},
		{TurnID: id, Role: "assistant", Content: "ok", At: at.Add(time.Second)},
	}
}

func mustOpen(t *testing.T, s *Store, o turn.Opening) turn.Opened {
	t.Helper()
	opened, err := s.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func mustClose(t *testing.T, s *Store, c turn.Closing) {
	t.Helper()
	if err := s.Close(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestGivesBackWhatATurnLeft(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		first := mustOpen(t, s, opening("ana", "s1"))
		if len(first.History) > 0 || first.Faults != nil || first.Deleted {
			t.Fatalf("a new session holds %+v", first)
		}
		c := turn.Closing{User: "ana", SessionID: "s1", Said: said("t1", "I live in Loja."), Cached: []turn.Recalled{{TurnID: "t0", Text: "I like tea.", Score: 0.5}}}
		mustClose(t, s, c)
		if got := mustOpen(t, s, opening("ana", "s1")); !slices.Equal(got.History, c.Said) {
			t.Errorf("got %+v", got)
		}
		if other := mustOpen(t, s, opening("ana", "s2")); len(other.History) != 0 {
			t.Errorf("another session of the same user: %+v", other)
		}
		if other := mustOpen(t, s, opening("bob", "s1")); len(other.History) != 0 {
			t.Errorf("another user's session of the same name: %+v", other)
		}
	})
}

func mustBeCached(t *testing.T, s *Store, user string, want ...turn.Recalled) {
	t.Helper()
	if got, err := s.Cached(t.Context(), user); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s's cached recall is %+v, %v", user, got, err)
	}
}

func TestKeepsWhatTheLastTurnsSaidAndRecalledOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		mustBeCached(t, s, "ana")
		tea := turn.Recalled{TurnID: "old", Text: "I like tea.", Score: 0.5}
		for i := range recallTurns + 5 {
			own := turn.Recalled{TurnID: fmt.Sprint(i), Text: "hi"}
			mustClose(t, s, turn.Closing{User: "ana", SessionID: "s1", Said: said(own.TurnID, "hi"), Cached: []turn.Recalled{own, tea}})
		}
		want := []turn.Recalled{{TurnID: "14", Text: "hi"}, tea}
		for i := range recallTurns - 1 {
			want = append(want, turn.Recalled{TurnID: fmt.Sprint(13 - i), Text: "hi"})
		}
		mustBeCached(t, s, "ana", want...)
		mustBeCached(t, s, "bob")
	})
}

func TestKeepsTheLastMessagesForThirtyDays(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		for i := range keptMessages/2 + 20 {
			mustClose(t, s, turn.Closing{User: "ana", SessionID: "s1", Said: said(fmt.Sprint(i), "hi")})
		}
		kept, err := s.History(t.Context(), "ana", "s1")
		if err != nil || len(kept.Said) != keptMessages || kept.Said[0].TurnID != "20" {
			t.Errorf("%d messages from turn %s on, %v", len(kept.Said), kept.Said[0].TurnID, err)
		}
		if got := mustOpen(t, s, opening("ana", "s1")).History; len(got) != readMessages || got[readMessages-1].TurnID != "119" {
			t.Errorf("a turn reads %d messages", len(got))
		}
		for _, key := range []string{messagesKey("s1", "ana"), ownersKey("s1"), sessionsKey("ana")} {
			if ttl := s.client.TTL(t.Context(), key).Val(); ttl <= limits.SessionAge-time.Minute || ttl > limits.SessionAge {
				t.Errorf("%s lives for %s", key, ttl)
			}
		}
	})
}

func TestCountsARateAsTheArithmeticHasIt(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		for n := range caller.Rate.Burst {
			v := mustOpen(t, s, opening("", "")).Verdict
			if v == nil || !v.Allowed || v.Remaining != caller.Rate.Burst-1-n || v.Limit != caller.Rate.Burst {
				t.Fatalf("request %d: %+v", n, v)
			}
		}
		for range 3 {
			v := mustOpen(t, s, opening("", "")).Verdict
			if v == nil || v.Allowed || v.RetryAfter <= 0 || v.RetryAfter > time.Minute {
				t.Fatalf("one too many: %+v", v)
			}
		}
		other := opening("", "")
		other.Caller.Address = "192.0.2.2"
		if v := mustOpen(t, s, other).Verdict; !v.Allowed {
			t.Errorf("another caller: %+v", v)
		}
	})
}

// The script in Redis and the arithmetic in Go are one algorithm.
func TestTheScriptAgreesWithTheArithmetic(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr()+patient)
	rapid.Check(t, func(t *rapid.T) {
		server.FlushAll()
		now := time.Unix(1_800_000_000, 0)
		c := turn.Caller{Rate: limits.Rate{PerMinute: rapid.IntRange(1, 5000).Draw(t, "rate"), Burst: rapid.IntRange(1, 50).Draw(t, "burst")}}
		full := now
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3_000_000).Draw(t, "µs")) * time.Microsecond)
			server.SetTime(now)
			want := turn.Judge(c.Class, c.Rate, max(0, full.Sub(now)))
			if want.Allowed {
				full = now.Add(want.Reset)
			}
			opened, err := s.Open(context.Background(), turn.Opening{Caller: c})
			if err != nil || opened.Verdict == nil || *opened.Verdict != want {
				t.Fatalf("Redis says %+v, %v; the arithmetic %+v", opened.Verdict, err, want)
			}
		}
	})
}

func TestNobodyIsLimitedBecauseTheClockWasSetBack(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr()+patient)
	now := time.Unix(1_800_000_000, 0)
	for _, jump := range []time.Duration{0, -time.Hour, 2 * time.Hour, -24 * time.Hour} {
		now = now.Add(jump)
		server.SetTime(now)
		for n := range caller.Rate.Burst {
			if v := mustOpen(t, s, opening("", "")).Verdict; !v.Allowed || v.Remaining != caller.Rate.Burst-1-n {
				t.Fatalf("request %d after a jump of %v: %+v", n, jump, v)
			}
		}
		if v := mustOpen(t, s, opening("", "")).Verdict; v.Allowed {
			t.Errorf("one too many after a jump of %v: %+v", jump, v)
		}
	}
}

func TestSurvivesALostScript(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		mustOpen(t, s, opening("ana", "s1"))
		if err := s.client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if got := mustOpen(t, s, opening("ana", "s1")); got.Faults != nil || got.Verdict == nil {
			t.Errorf("got %+v", got)
		}
	})
}

func TestHostileValuesAreFaultsAndNoErrors(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		keys := map[string]string{"rate limit": rateKey(caller), "session": messagesKey("s1", "ana")}
		for name, spoil := range map[string]func(key string) error{
			"wrong type": func(key string) error { return s.client.HSet(ctx, key, "a", "b").Err() },
			"garbage":    func(key string) error { return s.client.Set(ctx, key, "\xff{nonsense", 0).Err() },
		} {
			for fault, key := range keys {
				if err := spoil(key); err != nil {
					t.Fatal(err)
				}
				want := []string{fault}
				if fault == "rate limit" && name == "garbage" {
					want = nil // a bucket that is no number is empty
				}
				if got := mustOpen(t, s, opening("ana", "s1")); !slices.Equal(got.Faults, want) {
					t.Errorf("%s for %s: faults %q", name, fault, got.Faults)
				}
				err := s.Close(ctx, turn.Closing{User: "ana", SessionID: "s1", Said: said("t1", "hi")})
				if errors.Is(err, turn.ErrUnreadable) != (fault == "session") {
					t.Errorf("%s for %s: Close gives %v", name, fault, err)
				}
				for _, k := range keys {
					s.client.Del(ctx, k)
				}
			}
		}
		if err := s.client.RPush(ctx, messagesKey("s2", "ana"), "{", `{"role":"user","content":"hi"}`, "null").Err(); err != nil {
			t.Fatal(err)
		}
		if got := mustOpen(t, s, opening("ana", "s2")); len(got.History) != 1 || !slices.Equal(got.Faults, []string{"session"}) {
			t.Errorf("one good message among bad ones: %+v", got)
		}
	})
}

func TestACachedRecallThatIsNoneIsUnreadable(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		mustClose(t, s, turn.Closing{User: "ana", SessionID: "s1", Cached: []turn.Recalled{{Text: "x"}}})
		if err := s.client.LPush(t.Context(), recallKey("ana"), "\xff{nonsense").Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Cached(t.Context(), "ana"); !errors.Is(err, turn.ErrUnreadable) || len(got) != 1 {
			t.Errorf("one good turn after a bad one: %+v, %v", got, err)
		}
		if err := s.client.HSet(t.Context(), recallKey("bob"), "a", "b").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Cached(t.Context(), "bob"); !errors.Is(err, turn.ErrUnreadable) {
			t.Errorf("a wrong type: %v", err)
		}
	})
}

func TestDeletesASessionAndRemembersIt(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		for _, user := range []string{"ana", "bob"} {
			mustClose(t, s, turn.Closing{User: user, SessionID: "s1", Said: said("t1", "hi")})
		}
		if kept, err := s.History(t.Context(), "", "s1"); err != nil || len(kept.Said) != 4 {
			t.Fatalf("got %+v, %v", kept, err)
		}
		if err := s.Delete(t.Context(), "s1"); err != nil {
			t.Fatal(err)
		}
		kept, err := s.History(t.Context(), "", "s1")
		if err != nil || len(kept.Said) != 0 || !kept.Deleted || !mustOpen(t, s, opening("ana", "s1")).Deleted {
			t.Errorf("got %+v, %v", kept, err)
		}
	})
}

func TestForgetsAUserAndNobodyElse(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		for i := range 600 {
			mustClose(t, s, turn.Closing{User: "ana", SessionID: fmt.Sprintf("s%d", i), Said: said("t1", "hi"), Cached: []turn.Recalled{{Text: "x"}}})
		}
		mustClose(t, s, turn.Closing{User: "bob", SessionID: "s1", Said: said("t1", "hi")})
		if err := s.Forget(t.Context(), "ana"); err != nil {
			t.Fatal(err)
		}
		for i := range 600 {
			if kept, err := s.History(t.Context(), "ana", fmt.Sprintf("s%d", i)); err != nil || len(kept.Said) != 0 {
				t.Fatalf("session %d: %+v, %v", i, kept, err)
			}
		}
		mustBeCached(t, s, "ana")
		if kept, err := s.History(t.Context(), "", "s1"); err != nil || len(kept.Said) != 2 {
			t.Errorf("bob's session: %+v, %v", kept, err)
		}
	})
}
