package sqlite

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

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store/storetest"
	"github.com/aguante-chat/aguante/shared/decision"
)

func TestAFileKeepsEveryPromise(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return newStore(t) })
}

func newStore(t testing.TB) *File {
	t.Helper()
	file := New(t.Context(), filepath.Join(t.TempDir(), "trace.db"), nil, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return file
}

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func trace(turnID string) decision.Trace {
	return decision.Trace{TurnID: turnID, SessionID: "s1", User: "ana", Outcome: decision.Fallback, StartedAt: noon, BudgetMS: 15000,
		Decisions: []decision.Decision{{Stage: decision.Recall, Outcome: decision.Fallback, Dependency: "neo4j"}}}
}

func TestTheFileStaysNearWhatIsKept(t *testing.T) {
	file := newStore(t)
	kept := decisions.New(file.Traces(), false)
	const most = 1 << 20
	for i := range 1500 {
		one := trace(fmt.Sprint(i))
		one.Decisions[0].Policy = strings.Repeat("a rule of many words ", 50)
		if err := kept.Keep(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		if i%300 == 299 {
			if _, err := kept.Retain(t.Context(), time.Time{}, most); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := file.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	var pages, size int
	err := file.read(t.Context(), func(ctx context.Context, db *sql.DB) error {
		return errors.Join(db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages), db.QueryRowContext(ctx, "PRAGMA page_size").Scan(&size))
	})
	if err != nil || pages*size > most*3/2 {
		t.Fatalf("%d bytes kept, a file of %d, %v", most, pages*size, err)
	}
}

func BenchmarkListOf10000(b *testing.B) {
	file := newStore(b)
	fill(b, file, 10_000)
	for name, f := range map[string]decisions.Filter{"newest": {Limit: 50}, "rare dependency": {Limit: 50, Dependency: "nowhere"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := file.Traces().List(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fill keeps n traces, a second apart.
func fill(t testing.TB, file *File, n int) {
	t.Helper()
	if err := decisions.New(file.Traces(), false).Keep(t.Context(), trace("turn-00000")); err != nil {
		t.Fatal(err)
	}
	for first := 1; first < n; first += 1000 { // a write has two seconds
		err := file.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
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
	file := newStore(t)
	fill(t, file, 10_000)
	page, err := file.Traces().List(t.Context(), decisions.Filter{Limit: decisions.MaxLimit, After: noon})
	if err != nil || len(page.Decisions) != decisions.MaxLimit || page.Decisions[0].TurnID != "turn-09999" || page.Next == nil {
		t.Fatalf("%d traces, %v", len(page.Decisions), err)
	}
	plan := queryPlan(t, file, decisions.Filter{After: noon, Limit: 50})
	if strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") {
		t.Fatalf("the list is sorted, not walked:\n%s", plan)
	}
}

func queryPlan(t *testing.T, file *File, f decisions.Filter) string {
	t.Helper()
	conditions, args := where(f)
	var plan strings.Builder
	err := file.read(t.Context(), func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN SELECT summary FROM decisions WHERE "+conditions+" ORDER BY started_at DESC, rowid DESC", args...)
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
