package redis

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/redistest"
	"github.com/aguante-chat/aguante/functions/trace/internal/store/storetest"
	"github.com/aguante-chat/aguante/shared/decision"
	"github.com/aguante-chat/aguante/shared/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patiently is Dependency for a machine that has other work too.
var patiently = limits.Dependency{Name: "redis", Zone: limits.ZoneAsync, Timeout: 20 * time.Second, InFlight: 500,
	Breaker: limits.Breaker{Failures: 3, Open: 60 * time.Second}}

func open(t testing.TB, address string) *Redis {
	t.Helper()
	r, err := New(t.Context(), address, patiently, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// emptied is open for a Redis with nothing in it.
func emptied(t testing.TB, address string) *Redis {
	t.Helper()
	r := open(t, address)
	if err := r.client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRedisKeepsEveryPromise(t *testing.T) {
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) storetest.Store { return emptied(t, server.URL()) })
}

func TestAClusterKeepsEveryPromise(t *testing.T) {
	server := redistest.StartCluster(t)
	storetest.Run(t, func(t *testing.T) storetest.Store { return emptied(t, server.URL()+"?cluster=true") })
}

func keepTraces(t testing.TB, r *Redis, n int, change func(*decision.Trace)) *decisions.Store {
	t.Helper()
	kept := decisions.New(r.Traces(), false)
	for i := range n {
		one := decision.Trace{TurnID: fmt.Sprintf("01JA%022d", i), SessionID: "s1", User: "ana", Outcome: decision.Success,
			StartedAt: time.Now().Add(time.Duration(i) * time.Millisecond), Decisions: []decision.Decision{{Stage: decision.Admit, Outcome: decision.Success}}}
		if change != nil {
			change(&one)
		}
		if err := kept.Keep(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	return kept
}

// TestWhatIsKeptTakesWhatIsCounted compares the bytes that retention goes by with what Redis says of its memory.
func TestWhatIsKeptTakesWhatIsCounted(t *testing.T) {
	r := emptied(t, redistest.Start(t).URL())
	for name, policy := range map[string]string{"small": "", "large": strings.Repeat("a rule of many words ", 100)} {
		keepTraces(t, r, 2000, func(one *decision.Trace) { one.TurnID, one.Decisions[0].Policy = name+one.TurnID, policy })
		_, counted, err := r.Traces().Oldest(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var taken int64
		for _, key := range traceKeys[:5] {
			taken += r.client.MemoryUsage(t.Context(), key, 0).Val()
		}
		if ratio := float64(taken) / float64(counted); ratio < 0.6 || ratio > 1.25 {
			t.Errorf("%s: %d bytes counted, %d taken", name, counted, taken)
		}
		t.Logf("%s: %d bytes counted, %d taken", name, counted, taken)
	}
}

func TestAFilterThatLetsFewThroughEndsItsPageAndGoesOn(t *testing.T) {
	r := emptied(t, redistest.Start(t).URL())
	keepTraces(t, r, 1, func(one *decision.Trace) {
		one.TurnID, one.StartedAt = "rare", time.Now().Add(-time.Hour)
		one.SessionID = "rare"
	})
	p := r.client.Pipeline()
	for i := range lookedAt + readAtOnce {
		one := name("eva", fmt.Sprint(i))
		p.ZAdd(t.Context(), tracesKey, redis.Z{Score: float64(time.Now().UnixMicro()), Member: one}) // ties, too
		p.HSet(t.Context(), summariesKey, one, `{"turn_id":"t"}`)
	}
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := decisions.Filter{Session: "rare", Limit: 50}
	page, err := r.Traces().List(t.Context(), f)
	if err != nil || len(page.Decisions) != 0 || page.Next == nil {
		t.Fatalf("%+v, %v", page, err)
	}
	f.Before = page.Next
	page, err = r.Traces().List(t.Context(), f)
	if err != nil || len(page.Decisions) != 1 || page.Next != nil {
		t.Fatalf("%+v, %v", page, err)
	}
}

func TestNothingStaysInRedisForGood(t *testing.T) {
	r := emptied(t, redistest.Start(t).URL())
	keepTraces(t, r, 1, nil)
	box := r.Letters()
	if err := box.Keep(t.Context(), deadletters.Arrival{ID: "l1", At: time.Now(), Sent: time.Now(), Attributes: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	_, release, err := box.Take(t.Context(), "l1")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := box.Replayed(t.Context(), 1, deadletters.Entry{At: time.Now(), Letter: "l1", Outcome: deadletters.Sent}); err != nil {
		t.Fatal(err)
	}
	if err := r.Forget(t.Context(), "ana", time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	keys := r.client.Keys(t.Context(), "*").Val()
	if len(keys) < 12 {
		t.Fatalf("only %v", keys)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "aguante:trace:") {
			t.Errorf("%s is not named as ours", key)
		}
		if ttl := r.client.TTL(t.Context(), key).Val(); (ttl < 0) != (key == forgottenKey) {
			t.Errorf("%s stays for %s", key, ttl)
		}
	}
}

func TestWhatIsForgottenIsNotInRedis(t *testing.T) {
	r := emptied(t, redistest.Start(t).URL())
	keepTraces(t, r, 1, func(one *decision.Trace) { one.User = "ana-of-the-hills" })
	if err := r.Forget(t.Context(), "ana-of-the-hills", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if keys := r.client.Keys(t.Context(), "*").Val(); len(keys) != 2 { // who was forgotten, and zero bytes
		t.Errorf("left: %v", keys)
	}
	if who := r.client.ZRange(t.Context(), forgottenKey, 0, -1).Val(); len(who) != 1 || strings.Contains(who[0], "hills") {
		t.Errorf("the list of the forgotten names them: %v", who)
	}
}

func BenchmarkListOf10000(b *testing.B) {
	r := emptied(b, redistest.Start(b).URL())
	keepTraces(b, r, 10_000, nil)
	for name, f := range map[string]decisions.Filter{"newest": {Limit: 50}, "rare dependency": {Limit: 50, Dependency: "nowhere"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Traces().List(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
