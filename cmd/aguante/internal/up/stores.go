package up

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gofrs/flock"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/embedded"
)

// stores are what the functions share: the data directory, a Redis, and the embedded graph if there is no Neo4j.
type stores struct {
	lock     *flock.Flock
	redisURL string
	graph    graph.Store // nil: the functions open Neo4j themselves
	closers  []func() error
}

func openStores(ctx context.Context, o Options) (*stores, error) {
	s := &stores{redisURL: o.Redis}
	err := s.take(o.Data)
	if err == nil && o.Redis == "" {
		err = s.startRedis()
	}
	if err == nil && o.Neo4j == "" {
		err = s.openGraph(ctx, filepath.Join(o.Data, "graph.db"))
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// take makes the data directory this process's own.
func (s *stores) take(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	s.lock = flock.New(filepath.Join(dir, "lock"))
	mine, err := s.lock.TryLock()
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if !mine {
		return fmt.Errorf("--data: another aguante up uses %s", dir)
	}
	s.closers = append(s.closers, s.lock.Unlock)
	return nil
}

func (s *stores) openGraph(ctx context.Context, path string) error {
	store, err := embedded.Open(ctx, path)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	s.graph = store
	s.closers = append(s.closers, store.Close)
	return nil
}

// startRedis starts the embedded Redis, which keeps everything in memory: what must survive is in the broker's journal
// and in the graph. Only this process knows its password.
func (s *stores) startRedis() error {
	r := miniredis.NewMiniRedis()
	password := rand.Text()
	r.RequireAuth(password)
	if err := r.StartAddr("127.0.0.1:0"); err != nil {
		return fmt.Errorf("embedded Redis: %w", err)
	}
	s.redisURL = (&url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: r.Addr()}).String()
	stop := make(chan struct{})
	var clock sync.WaitGroup
	clock.Go(func() { expire(r, stop) })
	s.closers = append(s.closers, func() error {
		close(stop)
		clock.Wait()
		r.Close()
		return nil
	})
	return nil
}

// expire moves the clock by which the embedded Redis lets keys expire: it has none of its own.
func expire(r *miniredis.Miniredis, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case now := <-tick.C:
			r.FastForward(now.Sub(last))
			last = now
		case <-stop:
			return
		}
	}
}

func (s *stores) close() error {
	var faults []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		faults = append(faults, s.closers[i]())
	}
	return errors.Join(faults...)
}
