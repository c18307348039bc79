package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/decision"
)

var traces = []promise{
	{"ATurnIsKeptOnceForEachUser", aTurnIsKeptOnceForEachUser},
	{"WhatWasSaidIsDroppedUnlessItIsAskedFor", whatWasSaidIsDroppedUnlessItIsAskedFor},
	{"EachFilterLetsItsOwnThrough", eachFilterLetsItsOwnThrough},
	{"PagesJoinToTheWholeList", pagesJoinToTheWholeList},
	{"RetainDropsTheOldFirstAndNoMoreThanItMust", retainDropsTheOldFirstAndNoMoreThanItMust},
	{"WhatChangedMeanwhileIsNotDropped", whatChangedMeanwhileIsNotDropped},
	{"GrownTellsOfEveryMegabyte", grownTellsOfEveryMegabyte},
	{"OddIDsAreFound", oddIDsAreFound},
}

var noon = time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)

func trace(turnID, user string) decision.Trace {
	return decision.Trace{
		TurnID: turnID, SessionID: "s1", User: user, Outcome: decision.Fallback, StartedAt: noon, BudgetMS: 15000,
		Decisions: []decision.Decision{{Stage: decision.Recall, Outcome: decision.Fallback, Dependency: "neo4j"}},
	}
}

// keep keeps traces, and returns what keeps them.
func keep(t testing.TB, s Store, traces ...decision.Trace) *decisions.Store {
	t.Helper()
	kept := decisions.New(s.Traces(), false)
	for _, one := range traces {
		if err := kept.Keep(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	return kept
}

// listed are the turns that f lets through, from all of its pages.
func listed(t testing.TB, s Store, f decisions.Filter) (ids []string) {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = decisions.DefaultLimit
	}
	for {
		page, err := s.Traces().List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Decisions) > f.Limit {
			t.Fatalf("%d traces on a page of %d", len(page.Decisions), f.Limit)
		}
		for _, d := range page.Decisions {
			ids = append(ids, d.TurnID)
		}
		if f.Before = page.Next; f.Before == nil {
			return ids
		}
	}
}

func aTurnIsKeptOnceForEachUser(t *testing.T, s Store) {
	changed := trace("t1", "ana")
	changed.Outcome = decision.Refused
	kept := keep(t, s, trace("t1", "ana"), trace("t1", "ana"), changed, trace("t1", "eva"))

	if got := listed(t, s, decisions.Filter{}); len(got) != 2 {
		t.Fatalf("kept %v", got)
	}
	all, err := kept.Get(t.Context(), "t1", nil)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d traces, %v", len(all), err)
	}
	ana := "ana"
	all, err = kept.Get(t.Context(), "t1", &ana)
	if err != nil || len(all) != 1 || all[0].Outcome != decision.Fallback {
		t.Fatalf("ana's: %+v, %v", all, err)
	}
	later := trace("t1", "ana")
	later.StartedAt, later.Outcome = later.StartedAt.Add(time.Second), decision.Success
	keep(t, s, later, changed)
	if all, err = kept.Get(t.Context(), "t1", nil); err != nil || len(all) != 2 || all[0].Outcome != decision.Success {
		t.Fatalf("gone on with, it is newest: %+v, %v", all, err)
	}
	for turnID, user := range map[string]*string{"t2": nil, "t": nil, "t1:": &ana} {
		if _, err := kept.Get(t.Context(), turnID, user); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", turnID, err)
		}
	}
}

func whatWasSaidIsDroppedUnlessItIsAskedFor(t *testing.T, s Store) {
	for turnID, content := range map[string]bool{"kept": true, "dropped": false} {
		said := trace(turnID, "ana")
		said.Content = []string{"my secret"}
		some := decisions.New(s.Traces(), content)
		if err := some.Keep(t.Context(), said); err != nil {
			t.Fatal(err)
		}
		if all, err := some.Get(t.Context(), turnID, nil); err != nil || (all[0].Content != nil) != content {
			t.Errorf("%s: %v, %v", turnID, all[0].Content, err)
		}
	}
}

func eachFilterLetsItsOwnThrough(t *testing.T, s Store) {
	one := func(id, session, user, outcome, dependency string, at time.Time) decision.Trace {
		return decision.Trace{TurnID: id, SessionID: session, User: user, Outcome: outcome, StartedAt: at,
			Decisions: []decision.Decision{{Stage: "recall", Outcome: outcome, Dependency: dependency}}}
	}
	keep(t, s,
		one("1", "s1", "ana", "success", "", noon),
		one("2", "s1", "ana", "fallback", "neo4j", noon.Add(time.Minute)),
		one("3", "s2", "eva", "refused", `a "quoted", name`, noon.Add(2*time.Minute)),
		one("4", "s2", "eva", "failure", "redis", noon.Add(3*time.Minute)))
	for name, c := range map[string]struct {
		f    decisions.Filter
		want string
	}{
		"none":         {decisions.Filter{}, "4 3 2 1"},
		"session":      {decisions.Filter{Session: "s1"}, "2 1"},
		"user":         {decisions.Filter{User: "eva"}, "4 3"},
		"outcome":      {decisions.Filter{Outcome: "refused"}, "3"},
		"dependency":   {decisions.Filter{Dependency: "redis"}, "4"},
		"quoted":       {decisions.Filter{Dependency: `a "quoted", name`}, "3"},
		"not a part":   {decisions.Filter{Dependency: "quoted"}, ""},
		"no wildcard":  {decisions.Filter{Dependency: "%"}, ""},
		"since":        {decisions.Filter{After: noon.Add(2 * time.Minute)}, "4 3"},
		"together":     {decisions.Filter{User: "eva", Outcome: "failure", Session: "s2", Dependency: "redis"}, "4"},
		"page by page": {decisions.Filter{Limit: 1}, "4 3 2 1"},
	} {
		if got := strings.Join(listed(t, s, c.f), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func pagesJoinToTheWholeList(t *testing.T, s Store) {
	checks := 0
	rapid.Check(t, func(r *rapid.T) {
		checks++
		user := fmt.Sprint("user ", checks)
		n := rapid.IntRange(0, 20).Draw(r, "traces")
		for i := range n {
			one := trace(fmt.Sprint(i), user)
			one.StartedAt = noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "second")) * time.Second) // ties
			keep(t, s, one)
		}
		whole := listed(t, s, decisions.Filter{User: user, Limit: 100})
		joined := listed(t, s, decisions.Filter{User: user, Limit: rapid.IntRange(1, 7).Draw(r, "limit")})
		if len(whole) != n || !slices.Equal(whole, joined) {
			r.Fatalf("whole %v, joined %v", whole, joined)
		}
	})
}

func retainDropsTheOldFirstAndNoMoreThanItMust(t *testing.T, s Store) {
	var kept *decisions.Store
	for i := range 500 {
		one := trace(fmt.Sprintf("%03d", i), "ana")
		one.StartedAt = noon.Add(time.Duration(i) * time.Minute)
		kept = keep(t, s, one)
	}
	_, size, err := s.Traces().Oldest(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if dropped, err := kept.Retain(t.Context(), noon.Add(250*time.Minute), size); err != nil || dropped != 250 {
		t.Fatalf("by age: dropped %d, %v", dropped, err)
	}
	if dropped, err := kept.Retain(t.Context(), time.Time{}, 20*size/500); err != nil || dropped != 230 {
		t.Fatalf("by size: dropped %d, %v", dropped, err)
	}
	if left := listed(t, s, decisions.Filter{Limit: 100}); len(left) != 20 || left[0] != "499" || left[19] != "480" {
		t.Fatalf("left %v", left)
	}
	if dropped, err := kept.Retain(t.Context(), noon.Add(24*time.Hour), 0); err != nil || dropped != 20 {
		t.Fatalf("all: dropped %d, %v", dropped, err)
	}
	if some, size, err := s.Traces().Oldest(t.Context(), 1); err != nil || len(some) != 0 || size != 0 {
		t.Fatalf("nothing is left but %v and %d bytes, %v", some, size, err)
	}
}

func whatChangedMeanwhileIsNotDropped(t *testing.T, s Store) {
	keep(t, s, trace("t1", "ana"))
	some, _, err := s.Traces().Oldest(t.Context(), 10)
	if err != nil || len(some) != 1 {
		t.Fatalf("%v, %v", some, err)
	}
	later := trace("t1", "ana")
	later.StartedAt = noon.Add(time.Second)
	keep(t, s, later)
	if dropped, err := s.Traces().Drop(t.Context(), some); err != nil || dropped != 0 || len(listed(t, s, decisions.Filter{})) != 1 {
		t.Fatalf("dropped %d, %v", dropped, err)
	}
}

func grownTellsOfEveryMegabyte(t *testing.T, s Store) {
	large := trace("large", "ana")
	large.Decisions[0].Policy = strings.Repeat("x", 1<<20)
	kept := keep(t, s, trace("small", "ana"))
	select {
	case <-kept.Grown():
		t.Fatal("told too early")
	default:
	}
	if err := kept.Keep(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	select {
	case <-kept.Grown():
	default:
		t.Fatal("not told")
	}
}

func oddIDsAreFound(t *testing.T, s Store) {
	odd := []string{"", "a:b", "0123456789abcdef:x", "u:ana", "ñ\u2028<b>&", `"`, "*", "[ (", "%2F", strings.Repeat("x", 128)}
	for _, user := range odd {
		for _, turnID := range odd[1:] {
			kept := keep(t, s, trace(turnID, user))
			if all, err := kept.Get(t.Context(), turnID, &user); err != nil || len(all) != 1 || all[0].User != user || all[0].TurnID != turnID {
				t.Errorf("%q of %q: %v, %v", turnID, user, all, err)
			}
		}
	}
	for _, turnID := range odd[1:] {
		if all, err := keep(t, s).Get(t.Context(), turnID, nil); err != nil || len(all) != len(odd) {
			t.Errorf("%q: %d, %v", turnID, len(all), err)
		}
	}
	if all := listed(t, s, decisions.Filter{Limit: 7}); len(all) != len(odd)*len(odd[1:]) {
		t.Errorf("%d are listed", len(all))
	}
}
