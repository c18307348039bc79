package turn

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/shared/limits"
)

// In any stretch of time no more is allowed than the burst and what the rate gives in it, and never less than the rate
// to one who waits as long as told.
func TestARateHoldsOverAnyStretchOfTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := limits.Rate{PerMinute: rapid.IntRange(1, 6000).Draw(t, "rate"), Burst: rapid.IntRange(1, 100).Draw(t, "burst")}
		start := time.Unix(1_800_000_000, 0)
		now := start
		s := newShare(func() time.Time { return now })
		allowed := 0
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			v := s.take("k", "chat", r)
			if v.Allowed {
				allowed++
			}
			if most := r.Burst + int(now.Sub(start)/Interval(r)); allowed > most {
				t.Fatalf("%d allowed, at most %d may be", allowed, most)
			}
			if v.Allowed != (v.RetryAfter == 0) || v.Remaining < 0 || v.Remaining >= r.Burst {
				t.Fatalf("%+v", v)
			}
			if !v.Allowed {
				now = now.Add(v.RetryAfter)
				if again := s.take("k", "chat", r); !again.Allowed {
					t.Fatalf("waited as told, and then %+v", again)
				}
				allowed++
			}
		}
	})
}

func TestTheShareIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newShare(func() time.Time { return now })
	for i := range 3 * shareKeys {
		s.take(fmt.Sprint(i), "chat", limits.AnonymousChat)
		if len(s.full) > shareKeys {
			t.Fatalf("%d callers are kept", len(s.full))
		}
	}
	now = now.Add(time.Hour)
	for i := range shareKeys {
		s.take(fmt.Sprint("later", i), "chat", limits.AnonymousChat)
	}
	if _, kept := s.full["later0"]; !kept {
		t.Error("one who is waiting was dropped while others had nothing to keep")
	}
}

func TestTheShareLearnsFromRedis(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newShare(func() time.Time { return now })
	r := limits.Rate{PerMinute: 60, Burst: 5}
	s.learn("k", Verdict{Reset: 5 * time.Second}) // elsewhere, the caller used it all
	if v := s.take("k", "chat", r); v.Allowed || v.RetryAfter != time.Second {
		t.Errorf("got %+v", v)
	}
}
