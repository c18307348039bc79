package capacity

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Each rule by itself: what begins it, what it holds on to, what ends it, and what it brings.
func TestEachMeasureBeginsAndEndsAtItsFigures(t *testing.T) {
	for name, c := range map[string]struct {
		over, between, under Observed
		level                int
		measures             Measure
	}{
		"graph slow":          {Observed{GraphP99: 5}, Observed{GraphP99: 2}, Observed{GraphP99: 1}, Graceful, CacheRecalls | SkipDecisions},
		"Redis slow":          {Observed{RedisP99: 0.1}, Observed{RedisP99: 0.05}, Observed{RedisP99: 0.025}, Graceful, LocalLimit},
		"workers busy":        {Observed{Workers: 0.81}, Observed{Workers: 0.51}, Observed{Workers: 0.5}, Graceful, DeferWork},
		"turns slow":          {Observed{ChatP99: 15}, Observed{ChatP99: 8}, Observed{ChatP99: 5}, Graceful, FewRecalls | CheapFirst},
		"many turns":          {Observed{Chats: 301}, Observed{Chats: 241}, Observed{Chats: 240}, Graceful, CacheRecalls},
		"turns wait":          {Observed{Backlog: 501}, Observed{Backlog: 401}, Observed{Backlog: 400}, Graceful, SkipDecisions},
		"far too many wait":   {Observed{Backlog: 2001}, Observed{Backlog: 1601}, Observed{Backlog: 400}, Hard, SkipDecisions},
		"an hour's spend":     {Observed{Spend: 1}, Observed{Spend: 1}, Observed{}, Graceful, CheapFirst},
		"a day's spend":       {Observed{Spend: 2}, Observed{Spend: 2}, Observed{}, Hard, CheapFirst},
		"memory short":        {Observed{Memory: 0.91}, Observed{Memory: 0.81}, Observed{Memory: 0.8}, Hard, ShedNew},
		"memory gone":         {Observed{Memory: 0.96}, Observed{Memory: 0.91}, Observed{Memory: 0.8}, Hard, ShedNew | ShedAll},
		"graph fails":         {Observed{GraphBad: 0.6}, Observed{GraphBad: 0.2}, Observed{GraphBad: 0.1}, Hard, 0},
		"Redis fails":         {Observed{RedisBad: 1}, Observed{RedisBad: 0.5}, Observed{}, Hard, 0},
		"a breaker is open":   {Observed{Open: 1}, Observed{Open: 2}, Observed{}, Open, 0},
		"the worst one tells": {Observed{Open: 1, GraphP99: 5}, Observed{Open: 1, GraphP99: 2}, Observed{}, Open, CacheRecalls | SkipDecisions},
	} {
		m, now := newMachine(), time.Unix(1_800_000_000, 0)
		for i, step := range []struct {
			o        Observed
			level    int
			measures Measure
		}{
			{c.under, None, 0}, {c.over, c.level, c.measures}, {c.between, c.level, c.measures}, {c.under, None, 0},
		} {
			now = now.Add(every)
			m.step(now, step.o)
			if level, measures := m.level(); level != step.level || measures != step.measures {
				t.Errorf("%s, step %d: level %d with %q, want %d with %q", name, i, level, measures.words(), step.level, step.measures.words())
			}
		}
	}
}

func TestNewTurnsAreShedOnlyAfterMinutesOfSlowOnes(t *testing.T) {
	m, began := newMachine(), time.Unix(1_800_000_000, 0)
	at := func(after time.Duration, p99 float64) Measure {
		m.step(began.Add(after), Observed{ChatP99: p99})
		_, measures := m.level()
		return measures & ShedNew
	}
	for _, c := range []struct {
		after time.Duration
		p99   float64
		sheds bool
	}{
		{0, 15, false},
		{limits.ShedAfter - time.Second, 15, false},
		{limits.ShedAfter, 15, true},
		{limits.ShedAfter + time.Second, 8, true},
		{limits.ShedAfter + 2*time.Second, 5, false},
		{limits.ShedAfter + 3*time.Second, 15, false}, // from the start
	} {
		if sheds := at(c.after, c.p99) != 0; sheds != c.sheds {
			t.Errorf("after %s: %v, want %v", c.after, sheds, c.sheds)
		}
	}
}

// Whatever is observed: a change is told once, with its time; nothing between the thresholds changes anything; and a
// system that is well is at level 0.
func TestNothingFlapsBetweenItsThresholds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, now := newMachine(), time.Unix(1_800_000_000, 0)
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			now = now.Add(every)
			share := rapid.Float64Range(0, 1)
			o := Observed{
				Chats: rapid.IntRange(0, 600).Draw(t, "chats"), ChatP99: rapid.Float64Range(0, 16).Draw(t, "chat"),
				GraphP99: rapid.Float64Range(0, 3).Draw(t, "graph"), RedisP99: rapid.Float64Range(0, 0.1).Draw(t, "redis"),
				GraphBad: share.Draw(t, "graph bad"), RedisBad: share.Draw(t, "redis bad"), Workers: share.Draw(t, "workers"),
				Backlog: rapid.IntRange(0, 3000).Draw(t, "backlog"), Memory: share.Draw(t, "memory"),
				Spend: rapid.IntRange(0, 2).Draw(t, "spend"), Open: rapid.IntRange(0, 3).Draw(t, "open"),
			}
			before := append(machine(nil), m...)
			changed := map[int]bool{}
			for _, i := range m.step(now, o) {
				changed[i] = true
			}
			for i, r := range rules {
				value := r.value(o)
				if changed[i] != (before[i].holds != m[i].holds) || changed[i] != (m[i].since != before[i].since) {
					t.Fatalf("%s %s: told %v, %+v → %+v", r.of.name, r.state, changed[i], before[i], m[i])
				}
				if changed[i] && value > r.at.Leave && value <= r.at.Enter {
					t.Fatalf("%s %s changed at %v", r.of.name, r.state, value)
				}
			}
		}
		m.step(now.Add(every), Observed{})
		if level, measures := m.level(); level != None || measures != 0 {
			t.Fatalf("level %d with %q while all is well", level, measures.words())
		}
	})
}

func TestThresholdsLeaveBelowWhereTheyEnter(t *testing.T) {
	for _, r := range rules {
		if r.at.Leave > r.at.Enter || r.level == None || r.state == "" {
			t.Errorf("%+v", r)
		}
	}
}
