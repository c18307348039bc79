package redis

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/redistest"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/guard"
)

// calls are all that trace asks of Redis.
func calls(r *Redis) map[string]func(context.Context) error {
	some := []decisions.Aged{{Key: name("ana", "1"), At: time.Now()}}
	return map[string]func(context.Context) error{
		"keep trace": func(ctx context.Context) error {
			return r.Traces().Keep(ctx, decisions.Record{Summary: decisions.Summary{TurnID: "1", StartedAt: time.Now()}})
		},
		"list": func(ctx context.Context) error {
			_, err := r.Traces().List(ctx, decisions.Filter{Limit: 1})
			return err
		},
		"get":     func(ctx context.Context) error { _, err := r.Traces().Get(ctx, "1", nil); return err },
		"oldest":  func(ctx context.Context) error { _, _, err := r.Traces().Oldest(ctx, 1); return err },
		"drop":    func(ctx context.Context) error { _, err := r.Traces().Drop(ctx, some); return err },
		"forget":  func(ctx context.Context) error { return r.Forget(ctx, "ana", time.Now()) },
		"keep":    func(ctx context.Context) error { return r.Letters().Keep(ctx, deadletters.Arrival{ID: "1"}) },
		"letters": func(ctx context.Context) error { _, err := r.Letters().List(ctx, 1); return err },
		"waiting": func(ctx context.Context) error { _, err := r.Letters().Waiting(ctx); return err },
		"queue":   func(ctx context.Context) error { _, err := r.Letters().Queue(ctx, 1); return err },
		"take":    func(ctx context.Context) error { _, _, err := r.Letters().Take(ctx, "1"); return err },
		"expire": func(ctx context.Context) error {
			_, _, err := r.Letters().Oldest(ctx, deadletters.Waiting, 1)
			return err
		},
		"note":  func(ctx context.Context) error { return r.Letters().Note(ctx, deadletters.Entry{}) },
		"audit": func(ctx context.Context) error { _, err := r.Letters().Audit(ctx, 1); return err },
		"trim":  func(ctx context.Context) error { return r.Letters().Trim(ctx, time.Now(), 1) },
	}
}

func TestEveryCallGivesTheErrorBackAndIsAFault(t *testing.T) {
	server := redistest.Start(t)
	for name := range calls(nil) {
		t.Run(name, func(t *testing.T) {
			r := open(t, server.URL())
			broken := strings.Replace(server.URL(), server.Address, "127.0.0.1:1", 1)
			down := open(t, broken)
			if err := calls(down)[name](t.Context()); err == nil || errors.Is(err, store.ErrNotFound) || down.Fault() == nil {
				t.Errorf("down: %v, fault %v", err, down.Fault())
			}
			if err := calls(r)[name](t.Context()); err != nil && !errors.Is(err, store.ErrNotFound) || r.Fault() != nil {
				t.Errorf("up: %v, fault %v", err, r.Fault())
			}
		})
	}
}

func TestFaultsAreLoggedWhenTheyBeginAndEnd(t *testing.T) {
	server := redistest.Start(t)
	var log strings.Builder
	r, err := New(t.Context(), server.URL(), patiently, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	for range 5 {
		err = calls(r)["keep trace"](t.Context())
	}
	if !errors.Is(err, guard.ErrOpen) || r.Status().LastError == "" || r.Status().State != "open" {
		t.Errorf("%v, %+v", err, r.Status())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || strings.Contains(log.String(), "works again") {
		t.Errorf("%d lines:\n%s", n, &log)
	}
	if err := calls(r)["list"](t.Context()); !errors.Is(err, store.ErrClosed) && !errors.Is(err, guard.ErrOpen) {
		t.Errorf("closed: %v", err)
	}
}

func TestARedisWithoutMemoryRefusesAndStillLetsGo(t *testing.T) {
	server := redistest.Start(t)
	r := emptied(t, server.URL())
	kept := keepTraces(t, r, 10, nil)
	if err := r.client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keep trace", "keep"} {
		if err := calls(r)[name](t.Context()); err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if dropped, err := kept.Retain(t.Context(), time.Now().Add(time.Hour), 0); err != nil || dropped != 10 {
		t.Errorf("dropped %d, %v", dropped, err)
	}
	if _, bytes, err := r.Traces().Oldest(t.Context(), 1); err != nil || bytes != 0 {
		t.Errorf("%d bytes, %v", bytes, err)
	}
}

func TestNonsenseInRedisIsLeftOut(t *testing.T) {
	r := emptied(t, redistest.Start(t).URL())
	keepTraces(t, r, 3, nil)
	names := r.client.ZRange(t.Context(), tracesKey, 0, -1).Val()
	r.client.HSet(t.Context(), summariesKey, names[0], "{nonsense")
	r.client.HDel(t.Context(), summariesKey, names[1])
	if page, err := r.Traces().List(t.Context(), decisions.Filter{Limit: 5}); err != nil || len(page.Decisions) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if err := r.Letters().Keep(t.Context(), deadletters.Arrival{ID: "l1", Attributes: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	r.client.Del(t.Context(), letterKey("l1"))
	if some, err := r.Letters().List(t.Context(), 5); err != nil || len(some) != 0 {
		t.Errorf("%+v, %v", some, err)
	}
	if some, _, err := r.Letters().Oldest(t.Context(), deadletters.Waiting, 5); err != nil || len(some) != 1 {
		t.Errorf("%+v, %v", some, err)
	}
}

func TestAnAddressIsRefusedWithoutShowingItsPassword(t *testing.T) {
	for _, address := range []string{"redis://:secret@host:port:port", "http://:secret@host", "redis://:secret@host/nodb\x7f"} {
		r, err := New(t.Context(), address, Dependency, nil, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = r.Close()
			t.Errorf("%q is taken", address)
		} else if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "REDIS_URL") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
