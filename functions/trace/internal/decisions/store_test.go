package decisions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/decision"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newStore(t testing.TB) *Store {
	t.Helper()
	file := store.New(t.Context(), filepath.Join(t.TempDir(), "trace.db"), nil, slog.New(slog.DiscardHandler), Schema)
	t.Cleanup(func() { _ = file.Close() })
	return New(file, false)
}

func keep(t testing.TB, s *Store, traces ...decision.Trace) {
	t.Helper()
	for _, trace := range traces {
		if err := s.Keep(t.Context(), trace); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(t testing.TB, s *Store, f Filter) []string {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = DefaultLimit
	}
	page, err := s.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range page.Decisions {
		all = append(all, d.TurnID)
	}
	return all
}

func TestATurnIsKeptOnceForEachUser(t *testing.T) {
	s := newStore(t)
	other := trace("t1")
	other.User = "eva"
	changed := trace("t1")
	changed.Outcome = decision.Refused
	keep(t, s, trace("t1"), trace("t1"), changed, other)

	if got := ids(t, s, Filter{}); len(got) != 2 {
		t.Fatalf("kept %v", got)
	}
	traces, err := s.Get(t.Context(), "t1", nil)
	if err != nil || len(traces) != 2 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	ana := "ana"
	traces, err = s.Get(t.Context(), "t1", &ana)
	if err != nil || len(traces) != 1 || traces[0].Outcome != decision.Fallback {
		t.Fatalf("ana's: %+v, %v", traces, err)
	}
	later := trace("t1")
	later.StartedAt, later.Outcome = later.StartedAt.Add(time.Second), decision.Success
	keep(t, s, later, changed)
	if traces, err = s.Get(t.Context(), "t1", &ana); err != nil || len(traces) != 1 || traces[0].Outcome != decision.Success {
		t.Fatalf("gone on with: %+v, %v", traces, err)
	}
	if _, err := s.Get(t.Context(), "t2", nil); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
}

func TestWhatWasSaidIsDroppedUnlessItIsAskedFor(t *testing.T) {
	s := newStore(t)
	said := trace("t1")
	said.Content = []string{"my secret"}
	keep(t, s, said)
	if traces, _ := s.Get(t.Context(), "t1", nil); traces[0].Content != nil {
		t.Fatal("it was kept")
	}
	s.content = true
	said.TurnID = "t2"
	keep(t, s, said)
	if traces, _ := s.Get(t.Context(), "t2", nil); len(traces[0].Content) != 1 {
		t.Fatal("it was dropped")
	}
}

func TestEachFilterLetsItsOwnThrough(t *testing.T) {
	s := newStore(t)
	make := func(id, session, user, outcome, dependency string, at time.Time) decision.Trace {
		return decision.Trace{TurnID: id, SessionID: session, User: user, Outcome: outcome, StartedAt: at,
			Decisions: []decision.Decision{{Stage: "recall", Outcome: outcome, Dependency: dependency}}}
	}
	keep(t, s,
		make("1", "s1", "ana", "success", "", noon),
		make("2", "s1", "ana", "fallback", "neo4j", noon.Add(time.Minute)),
		make("3", "s2", "eva", "refused", `a "quoted", name`, noon.Add(2*time.Minute)),
		make("4", "s2", "eva", "failure", "redis", noon.Add(3*time.Minute)))
	for name, c := range map[string]struct {
		f    Filter
		want string
	}{
		"none":        {Filter{}, "4 3 2 1"},
		"session":     {Filter{Session: "s1"}, "2 1"},
		"user":        {Filter{User: "eva"}, "4 3"},
		"outcome":     {Filter{Outcome: "refused"}, "3"},
		"dependency":  {Filter{Dependency: "redis"}, "4"},
		"quoted":      {Filter{Dependency: `a "quoted", name`}, "3"},
		"not a part":  {Filter{Dependency: "quoted"}, ""},
		"no wildcard": {Filter{Dependency: "%"}, ""},
		"since":       {Filter{After: noon.Add(2 * time.Minute)}, "4 3"},
		"together":    {Filter{User: "eva", Outcome: "failure", Session: "s2", Dependency: "redis"}, "4"},
		"limit":       {Filter{Limit: 1}, "4"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(ids(t, s, c.f), " "); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPagesJoinToTheWholeList(t *testing.T) {
	s, checks := newStore(t), 0
	rapid.Check(t, func(r *rapid.T) {
		checks++
		user := fmt.Sprint("user ", checks)
		n := rapid.IntRange(0, 20).Draw(r, "traces")
		for i := range n {
			one := trace(fmt.Sprint(i))
			one.User = user
			one.StartedAt = noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "second")) * time.Second) // ties
			keep(t, s, one)
		}
		whole := ids(t, s, Filter{User: user, Limit: 100})
		f, joined := Filter{User: user, Limit: rapid.IntRange(1, 7).Draw(r, "limit")}, []string(nil)
		for {
			page, err := s.List(t.Context(), f)
			if err != nil {
				r.Fatal(err)
			}
			for _, d := range page.Decisions {
				joined = append(joined, d.TurnID)
			}
			if page.Next == nil {
				break
			}
			f.Before = page.Next
		}
		if len(whole) != n || strings.Join(whole, " ") != strings.Join(joined, " ") {
			r.Fatalf("whole %v, joined %v", whole, joined)
		}
	})
}

func TestRetainDropsTheOldFirstAndNoMoreThanItMust(t *testing.T) {
	s := newStore(t)
	for i := range 500 {
		one := trace(fmt.Sprintf("%03d", i))
		one.StartedAt = noon.Add(time.Duration(i) * time.Minute)
		keep(t, s, one)
	}
	size, err := s.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	each := size / 500

	if dropped, err := s.Retain(t.Context(), noon.Add(250*time.Minute), size); err != nil || dropped != 250 {
		t.Fatalf("by age: dropped %d, %v", dropped, err)
	}
	if dropped, err := s.Retain(t.Context(), time.Time{}, 20*each); err != nil || dropped != 230 {
		t.Fatalf("by size: dropped %d, %v", dropped, err)
	}
	left := ids(t, s, Filter{Limit: 100})
	if len(left) != 20 || left[0] != "499" || left[19] != "480" {
		t.Fatalf("left %v", left)
	}
}

func TestTheFileStaysNearWhatIsKept(t *testing.T) {
	s := newStore(t)
	const most = 1 << 20
	for i := range 1500 {
		one := trace(fmt.Sprint(i))
		one.Decisions[0].Policy = strings.Repeat("a rule of many words ", 50)
		keep(t, s, one)
		if i%300 == 0 {
			if _, err := s.Retain(t.Context(), time.Time{}, most); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Retain(t.Context(), time.Time{}, most); err != nil {
		t.Fatal(err)
	}
	if err := s.file.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	var pages, size int
	err := s.file.Read(t.Context(), func(ctx context.Context, db *sql.DB) error {
		return errors.Join(db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages), db.QueryRowContext(ctx, "PRAGMA page_size").Scan(&size))
	})
	if err != nil || pages*size > most*3/2 {
		t.Fatalf("%d bytes kept, a file of %d, %v", most, pages*size, err)
	}
}

func TestErasingAUserLeavesOthersAndWhatCameAfter(t *testing.T) {
	s := newStore(t)
	before, after, other := trace("before"), trace("after"), trace("other")
	after.StartedAt = noon.Add(time.Hour)
	other.User = "eva"
	keep(t, s, before, after, other)
	moment := noon.Add(time.Minute)
	err := s.file.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(store.Forget(ctx, tx, "ana", moment), Erase(ctx, tx, "ana", moment))
	})
	if err != nil {
		t.Fatal(err)
	}
	keep(t, s, before) // redelivered
	if got := strings.Join(ids(t, s, Filter{}), " "); got != "after other" {
		t.Fatalf("left %q", got)
	}
}

func TestGrownTellsOfEveryMegabyte(t *testing.T) {
	s := newStore(t)
	large := trace("large")
	large.Decisions[0].Policy = strings.Repeat("x", growth)
	keep(t, s, trace("small"))
	select {
	case <-s.Grown():
		t.Fatal("told too early")
	default:
	}
	keep(t, s, large)
	select {
	case <-s.Grown():
	default:
		t.Fatal("not told")
	}
}

func BenchmarkListOf10000(b *testing.B) {
	s := newStore(b)
	fillStore(b, s, 10_000)
	for name, f := range map[string]Filter{"newest": {Limit: 50}, "rare dependency": {Limit: 50, Dependency: "nowhere"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.List(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fillStore keeps n traces, a second apart.
func fillStore(t testing.TB, s *Store, n int) {
	t.Helper()
	keep(t, s, trace("turn-00000"))
	for first := 1; first < n; first += 1000 { // a write has two seconds
		err := s.file.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `WITH RECURSIVE more(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM more WHERE i + 1 < ?2)
				INSERT INTO decisions SELECT started_at + i * 1000000, user, printf('turn-%05d', i), session_id, outcome, dependencies,
					json_set(summary, '$.turn_id', printf('turn-%05d', i)), bytes, body
				FROM more, decisions WHERE turn_id = 'turn-00000'`, first, min(first+1000, n))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTenThousandTracesAreListedPageByPage(t *testing.T) {
	s := newStore(t)
	fillStore(t, s, 10_000)
	page, err := s.List(t.Context(), Filter{Limit: MaxLimit, After: noon})
	if err != nil || len(page.Decisions) != MaxLimit || page.Decisions[0].TurnID != "turn-09999" || page.Next == nil {
		t.Fatalf("%d traces, %v", len(page.Decisions), err)
	}
	plan := queryPlan(t, s, Filter{After: noon, Limit: 50})
	if strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") {
		t.Fatalf("the list is sorted, not walked:\n%s", plan)
	}
}

func queryPlan(t *testing.T, s *Store, f Filter) string {
	t.Helper()
	where, args := f.where()
	var plan strings.Builder
	err := s.file.Read(t.Context(), func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN SELECT summary FROM decisions WHERE "+where+" ORDER BY started_at DESC, rowid DESC", args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			plan.WriteString(detail + "\n")
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
