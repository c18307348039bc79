package session

import (
	"slices"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

func TestATurnIsToldWhatItsKeyUsedToday(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now()
		shop := turn.Caller{Key: "shop", Class: "chat", Rate: limits.AuthenticatedChat, Budget: turn.Budget{Tokens: 100}}
		used := func(c turn.Caller) turn.Opened {
			t.Helper()
			return mustOpen(t, s, turn.Opening{Caller: c, SessionID: "s1"})
		}
		if got := used(shop).Used; got == nil || *got != (turn.Used{}) {
			t.Errorf("before anything was used: %+v", got)
		}
		for range 2 {
			if err := s.AddUsed(ctx, map[string]turn.Used{"shop": {Tokens: 7, USD: 0.25}, "desk": {Tokens: 1}}, now); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.AddUsed(ctx, map[string]turn.Used{"shop": {Tokens: 99}}, now.Add(-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := used(shop).Used; got == nil || *got != (turn.Used{Tokens: 14, USD: 0.5}) {
			t.Errorf("got %+v", got)
		}
		free := shop
		free.Budget = turn.Budget{}
		if got := used(free).Used; got != nil {
			t.Errorf("without a budget: %+v", got)
		}
		if age := s.client.TTL(ctx, usedKey("shop", now)).Val(); age <= 24*time.Hour || age > spendAge {
			t.Errorf("kept for %s", age)
		}
		for _, spoil := range []func(key string) error{
			func(key string) error { return s.client.HSet(ctx, key, usedTokens, "many").Err() },
			func(key string) error { return s.client.Set(ctx, key, "x", 0).Err() },
		} {
			key := usedKey("shop", now)
			s.client.Del(ctx, key)
			if err := spoil(key); err != nil {
				t.Fatal(err)
			}
			if got := used(shop); got.Used != nil || !slices.Contains(got.Faults, "budget") {
				t.Errorf("nonsense: %+v, %v", got.Used, got.Faults)
			}
		}
	})
}
