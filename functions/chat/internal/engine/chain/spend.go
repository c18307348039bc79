package chain

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// SpendStore counts what all instances spend.
type SpendStore interface {
	// Spent adds usd to what was spent, and gives what was in the hour and the day (UTC) of now.
	Spent(ctx context.Context, usd float64, now time.Time) (hour, day float64, err error)
}

// Spend is what answers cost, in USD. It is told to the store every second and so counts for all instances with a delay
// of that; while the store is down each counts its own. A nil Spend counts nothing.
type Spend struct {
	SpendConfig

	mu        sync.Mutex
	pending   float64 // not told to the store yet
	hour, day float64 // spent, all told
	at        time.Time
	level     string // "", "soft" or "hard"
	since     time.Time
}

// SpendConfig is what a Spend is made of.
type SpendConfig struct {
	Limits func() (hour, day float64) // USD; asked whenever something was spent, and every second
	Store  SpendStore                 // nil: this instance's own spend counts
	Redis  *guard.Guard               // the store's
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// NewSpend returns a Spend that tells its store while Run runs.
func NewSpend(c SpendConfig) *Spend {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Spend{SpendConfig: c, at: c.Now()}
}

// Run tells the store what was spent until ctx ends, and once more then.
func (s *Spend) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.tell(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			s.tell(ctx)
		}
	}
}

// tell brings store and Spend to the same figures.
func (s *Spend) tell(ctx context.Context) {
	if s.Store == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending = 0
		s.judge()
		return
	}
	s.mu.Lock()
	pending, now := s.pending, s.Now()
	s.mu.Unlock()
	type spent struct{ hour, day float64 }
	told, err := guard.Do(ctx, s.Redis, func(ctx context.Context) (spent, error) {
		hour, day, err := s.Store.Spent(ctx, pending, now)
		return spent{hour, day}, err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.pending -= pending
		s.hour, s.day, s.at = told.hour+s.pending, told.day+s.pending, now
	}
	s.judge()
}

// add counts what one answer cost.
func (s *Spend) add(usd float64) {
	if s == nil || usd == 0 || math.IsNaN(usd) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending += usd
	s.hour += usd
	s.day += usd
	s.judge()
}

// judge begins a new hour and a new day, and notes when a limit is passed. The caller holds mu.
func (s *Spend) judge() {
	now := s.Now().UTC()
	if !now.Truncate(time.Hour).Equal(s.at.UTC().Truncate(time.Hour)) {
		s.hour = 0
	}
	if now.YearDay() != s.at.UTC().YearDay() {
		s.day = 0
	}
	s.at = now
	level := ""
	perHour, perDay := s.Limits()
	switch {
	case s.day >= perDay:
		level = "hard"
	case s.hour >= perHour:
		level = "soft"
	}
	if level != s.level {
		s.level, s.since = level, now
		s.Log.Warn("the limit of spend on engines", "level", level, "usd_this_hour", s.hour, "usd_today", s.day)
	}
}

// soft tells whether cheaper engines go first, hard whether none that costs is asked.
func (s *Spend) soft() bool { return s.Level() != "" }
func (s *Spend) hard() bool { return s.Level() == "hard" }

// Level is the limit that was reached: "", "soft" or "hard".
func (s *Spend) Level() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.level
}

func (s *Spend) statuses() []guard.Status {
	if s.Level() == "" {
		return nil
	}
	perHour, perDay := s.Limits()
	s.mu.Lock()
	defer s.mu.Unlock()
	return []guard.Status{{
		Dependency: "spend", Zone: limits.ZoneSync, State: s.level, Since: s.since,
		LastError: fmt.Sprintf("%.2f of %.2f USD this hour, %.2f of %.2f today", s.hour, perHour, s.day, perDay),
	}}
}
