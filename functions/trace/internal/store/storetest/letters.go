package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

var letters = []promise{
	{"TheSameLetterIsCounted", theSameLetterIsCounted},
	{"ALetterIsGivenBackWhole", aLetterIsGivenBackWhole},
	{"ALetterIsTakenByOneAtATime", aLetterIsTakenByOneAtATime},
	{"ReplaysAtOnceSendEachOnce", replaysAtOnceSendEachOnce},
	{"WhatComesBackDuringItsReplayWaitsOn", whatComesBackDuringItsReplayWaitsOn},
	{"LettersExpireByAge", lettersExpireByAge},
	{"LettersExpireBySizeReplayedOnesFirst", lettersExpireBySizeReplayedOnesFirst},
	{"ALetterThatCameMeanwhileIsNotDropped", aLetterThatCameMeanwhileIsNotDropped},
	{"TheAuditIsBounded", theAuditIsBounded},
}

// taker is a broker that takes everything, and counts how often.
type taker struct{ took atomic.Int64 }

func (b *taker) Post(context.Context, event.Event) error { b.took.Add(1); return nil }

func open(s Store) *deadletters.Store { return openTo(s, &taker{}) }

func openTo(s Store, broker deadletters.Poster) *deadletters.Store {
	m := deadletters.Metrics{Waiting: prometheus.NewGauge(prometheus.GaugeOpts{}), Expired: prometheus.NewCounter(prometheus.CounterOpts{}),
		HopsRefused: prometheus.NewCounter(prometheus.CounterOpts{})}
	return deadletters.New(s.Letters(), broker, m, slog.New(slog.DiscardHandler))
}

// died keeps an event that nobody took, and returns its letter's id.
func died(t *testing.T, box *deadletters.Store, typ, id, data string, sent, now time.Time) string {
	t.Helper()
	e := event.Event{}
	e.SetSpecVersion("1.0")
	e.SetType(typ)
	e.SetSource("/test")
	e.SetID(id)
	e.SetTime(sent)
	e.DataEncoded = []byte(data)
	if err := box.Keep(t.Context(), e, now); err != nil {
		t.Fatal(err)
	}
	all, _, err := box.List(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(l deadletters.Letter) bool { return l.EventID == id })
	if i < 0 {
		return ""
	}
	return all[i].ID
}

// sized keeps a letter of size bytes that came at a time.
func sized(t *testing.T, box *deadletters.Store, id string, size int, at time.Time) string {
	t.Helper()
	return died(t, box, "t", id, strings.Repeat("x", size), at, at)
}

func left(t *testing.T, box *deadletters.Store) (events []string) {
	t.Helper()
	all, _, err := box.List(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		events = append(events, l.EventID)
	}
	return events
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func replay(t *testing.T, box *deadletters.Store, id string, again bool) deadletters.Letter {
	t.Helper()
	l, err := box.Replay(t.Context(), id, again, "ana")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func theSameLetterIsCounted(t *testing.T, s Store) {
	box := open(s)
	for i := range 3 {
		died(t, box, "t", "1", "{}", noon, noon.Add(time.Duration(i)*time.Minute))
	}
	died(t, box, "t", "2", "{}", noon, noon.Add(time.Hour))
	all, waiting, err := box.List(t.Context(), 500)
	if err != nil || waiting != 2 || len(all) != 2 || all[0].EventID != "2" {
		t.Fatalf("%d wait of %+v, %v", waiting, all, err)
	}
	if l := all[1]; l.Arrivals != 3 || !l.FirstAt.Equal(noon) || !l.LastAt.Equal(noon.Add(2*time.Minute)) || l.State != deadletters.Waiting ||
		l.Type != "t" || l.Size != 2 {
		t.Fatalf("%+v", l)
	}
	if some, _, err := box.List(t.Context(), 1); err != nil || len(some) != 1 {
		t.Fatalf("%+v, %v", some, err)
	}
	if n := testutil.ToFloat64(box.Metrics.Waiting); n != 2 {
		t.Fatalf("gauge: %v", n)
	}
}

func aLetterIsGivenBackWhole(t *testing.T, s Store) {
	box := s.Letters()
	want := deadletters.Arrival{ID: "l1", Type: "t", Sent: noon, At: noon, Attributes: []byte(`{"id":"ñ\u003c\n"}`), Data: []byte("\x00\xff\r\n'\"")}
	if err := box.Keep(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	k, release, err := box.Take(t.Context(), "l1")
	if err != nil || string(k.Data) != string(want.Data) || string(k.Attributes) != string(want.Attributes) {
		t.Fatalf("%+v, %v", k, err)
	}
	release()
	if _, _, err := box.Take(t.Context(), "l2"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	if err := box.Keep(t.Context(), deadletters.Arrival{ID: "l2", Attributes: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if _, release, err = box.Take(t.Context(), "l2"); err != nil {
		t.Fatalf("a letter that was asked for before it came: %v", err)
	}
	release()
}

func aLetterIsTakenByOneAtATime(t *testing.T, s Store) {
	box := s.Letters()
	if err := box.Keep(t.Context(), deadletters.Arrival{ID: "l1", Attributes: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	_, release, err := box.Take(t.Context(), "l1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := box.Take(t.Context(), "l1"); !errors.Is(err, deadletters.ErrUnderWay) {
		t.Fatalf("got %v", err)
	}
	release()
	_, release, err = box.Take(t.Context(), "l1")
	if err != nil {
		t.Fatalf("after its release: %v", err)
	}
	release()
}

func replaysAtOnceSendEachOnce(t *testing.T, s Store) {
	broker := &taker{}
	box := openTo(s, broker)
	for i := range 20 {
		sized(t, box, fmt.Sprint(i), 1, noon)
	}
	var operators sync.WaitGroup
	var replayed atomic.Int64
	for range 4 {
		operators.Go(func() {
			n, err := box.ReplayAll(t.Context(), "ana")
			if err != nil {
				t.Error(err)
			}
			replayed.Add(int64(n))
		})
	}
	operators.Wait()
	if replayed.Load() != 20 || broker.took.Load() != 20 {
		t.Errorf("%d said to be replayed, %d sent", replayed.Load(), broker.took.Load())
	}
	if audit, err := box.Audit(t.Context(), 100); err != nil || len(audit) != 20 || audit[0].Outcome != deadletters.Sent || audit[0].Who != "ana" {
		t.Errorf("%+v, %v", audit, err)
	}
}

// boomerang is a broker whose event is back before it has answered.
type boomerang struct {
	keeper deadletters.Keeper
	id     string
}

func (b boomerang) Post(ctx context.Context, e event.Event) error {
	return b.keeper.Keep(ctx, deadletters.Arrival{ID: b.id, Type: e.Type(), Sent: noon, At: time.Now(), Attributes: []byte(`{"id":"1"}`)})
}

func whatComesBackDuringItsReplayWaitsOn(t *testing.T, s Store) {
	id := sized(t, open(s), "1", 1, noon)
	box := openTo(s, boomerang{s.Letters(), id})
	replay(t, box, id, false)
	all, waiting, err := box.List(t.Context(), 10)
	if err != nil || waiting != 1 || all[0].State != deadletters.Waiting || all[0].Replays != 1 || all[0].Arrivals != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if audit, _ := box.Audit(t.Context(), 1); len(audit) != 1 || audit[0].Outcome != deadletters.CameBack {
		t.Errorf("audited: %+v", audit)
	}
}

func theAuditIsBounded(t *testing.T, s Store) {
	box := open(s)
	id := sized(t, box, "1", 1, time.Now())
	for range 20 {
		replay(t, box, id, true)
	}
	if err := s.Letters().Trim(t.Context(), noon, 15); err != nil {
		t.Fatal(err)
	}
	if audit, err := box.Audit(t.Context(), 500); err != nil || len(audit) != 15 || audit[0].At.Before(audit[14].At) {
		t.Errorf("%d entries, %v", len(audit), err)
	}
	sized(t, box, "1", 1, time.Now())
	if audit, _ := box.Audit(t.Context(), 1); audit[0].Outcome != deadletters.CameBack {
		t.Errorf("%+v", audit)
	}
	if _, err := box.Retain(t.Context(), time.Now().Add(limits.DeadLetterAge+time.Minute), limits.DeadLetterBytes); err != nil {
		t.Fatal(err)
	}
	if audit, err := box.Audit(t.Context(), 500); err != nil || len(audit) != 1 || audit[0].Outcome != deadletters.Expired {
		t.Errorf("%+v, %v", audit, err)
	}
}
