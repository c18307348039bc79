package deadletters

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

// taker is a broker that takes everything.
type taker struct{}

func (taker) Post(context.Context, event.Event) error { return nil }

func open(t *testing.T) *Store {
	t.Helper()
	file := store.New(t.Context(), filepath.Join(t.TempDir(), "trace.db"), nil, slog.New(slog.DiscardHandler), Schema)
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	m := Metrics{Waiting: prometheus.NewGauge(prometheus.GaugeOpts{}), Expired: prometheus.NewCounter(prometheus.CounterOpts{})}
	return New(file, taker{}, m, slog.New(slog.DiscardHandler))
}

// keep keeps a letter of size bytes that came at a time, and returns its id.
func keep(t *testing.T, s *Store, id string, size int, at time.Time) string {
	t.Helper()
	e := event.Event{}
	e.SetSpecVersion("1.0")
	e.SetType("t")
	e.SetSource("/test")
	e.SetID(id)
	e.DataEncoded = []byte(strings.Repeat("x", size))
	if err := s.Keep(t.Context(), e, at); err != nil {
		t.Fatal(err)
	}
	return identity(e)
}

func left(t *testing.T, s *Store) (events []string) {
	t.Helper()
	letters, _, err := s.List(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		events = append(events, l.EventID)
	}
	return events
}

func TestLettersExpireByAge(t *testing.T) {
	s, now := open(t), time.Now()
	keep(t, s, "old", 1, now.Add(-limits.DeadLetterAge-time.Second))
	keep(t, s, "came again", 1, now.Add(-limits.DeadLetterAge-time.Second))
	keep(t, s, "came again", 1, now)
	keep(t, s, "young", 1, now.Add(-limits.DeadLetterAge+time.Minute))
	replayed := keep(t, s, "replayed", 1, now)
	if _, err := s.Replay(t.Context(), replayed, false, "ana"); err != nil {
		t.Fatal(err)
	}
	if gone, err := s.Retain(t.Context(), now, limits.DeadLetterBytes); err != nil || gone != 1 {
		t.Fatalf("%d, %v", gone, err)
	}
	if got := left(t, s); !slices.Equal(got, []string{"came again", "replayed", "young"}) && !slices.Equal(got, []string{"replayed", "came again", "young"}) {
		t.Errorf("left: %v", got)
	}
	if gone, err := s.Retain(t.Context(), now.Add(limits.DecisionAge+time.Minute), limits.DeadLetterBytes); err != nil || gone != 2 || slices.Contains(left(t, s), "replayed") {
		t.Errorf("a week after its replay: %d gone, %v; left %v", gone, err, left(t, s))
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 3 || audit[0].Outcome != Expired || audit[0].Detail != "older than 30 days" || audit[0].Who != "retention" {
		t.Errorf("audited: %+v, %v", audit, err)
	}
	if n := testutil.ToFloat64(s.Expired); n != 2 {
		t.Errorf("%v counted", n)
	}
}

func TestLettersExpireBySizeReplayedOnesFirst(t *testing.T) {
	s, now := open(t), time.Now().Add(time.Minute)
	const size, room = 500 << 10, 2 << 20
	replayed := keep(t, s, "replayed", size, now)
	if _, err := s.Replay(t.Context(), replayed, false, "ana"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		keep(t, s, fmt.Sprint(i), size, now.Add(time.Duration(i-9)*time.Minute))
	}
	for _, want := range []struct{ then, left string }{
		{"", "replayed 2 1 0"}, {"3", "3 2 1 0"}, {"4", "4 3 2 1"},
	} {
		if want.then != "" {
			keep(t, s, want.then, size, now.Add(-time.Minute))
		}
		if _, err := s.Retain(t.Context(), now, room); err != nil {
			t.Fatal(err)
		}
		if got := left(t, s); !sameSet(got, strings.Fields(want.left)) {
			t.Errorf("after %q: left %v, want %s", want.then, got, want.left)
		}
	}
	select {
	case <-s.Grown():
	default:
		t.Error("nobody was told that much has come")
	}
	audit, _ := s.Audit(t.Context(), 1)
	if len(audit) != 1 || audit[0].Detail != "more than 2 MB were kept" {
		t.Errorf("audited: %+v", audit)
	}
}

func sameSet(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestTheAuditIsBounded(t *testing.T) {
	s := open(t)
	id := keep(t, s, "1", 1, time.Now())
	for range 20 {
		if _, err := s.Replay(t.Context(), id, true, "ana"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Retain(t.Context(), time.Now().Add(limits.DeadLetterAge+time.Minute), limits.DeadLetterBytes); err != nil {
		t.Fatal(err)
	}
	if audit, err := s.Audit(t.Context(), 500); err != nil || len(audit) != 0 {
		t.Errorf("%d entries, %v", len(audit), err)
	}
}
