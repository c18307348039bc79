// Package quota is the limits file: how often callers may ask, and what engines may cost.
package quota

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/aguante-chat/aguante/functions/chat/internal/reread"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Quota is what the limits file says, and the figures (WS2) where it says nothing.
type Quota struct {
	Rates Rates
	Spend Spend
}

// Rates are how often callers may ask: those without an API key, those with one, and whoever looks into a memory.
type Rates struct {
	Anonymous     limits.Rate `yaml:"anonymous"`
	Authenticated limits.Rate `yaml:"authenticated"`
	Internal      limits.Rate `yaml:"internal"`
}

// Spend is what engines may cost, all instances together, in USD an hour and a day of UTC. At zero none that costs is asked.
type Spend struct {
	PerHour float64 `yaml:"per_hour"`
	PerDay  float64 `yaml:"per_day"`
}

var usual = Quota{
	Rates: Rates{Anonymous: limits.AnonymousChat, Authenticated: limits.AuthenticatedChat, Internal: limits.Internal},
	Spend: Spend{PerHour: limits.SpendHour, PerDay: limits.SpendDay},
}

// File is the limits file, read again when it changes. Safe for concurrent use; nil: there is none, and the figures hold.
type File struct {
	file *reread.File[Quota]
}

// Open reads the limits file; while it was never a good one the figures hold. It returns nil for no path.
func Open(path string, log *slog.Logger) *File {
	if path == "" {
		return nil
	}
	return &File{reread.Open(path, parse, usual, log, "the limits file is bad: the last good limits stay, or the usual ones")}
}

// Now are the limits in force. A file that has become unreadable leaves those that were.
func (f *File) Now() Quota {
	if f == nil {
		return usual
	}
	return f.file.Now()
}

// Fault says why the file as it is now is not used, or nothing.
func (f *File) Fault() string {
	if f == nil {
		return ""
	}
	return f.file.Fault()
}

// FaultSince is when the file began not to be used as it is: zero while it is.
func (f *File) FaultSince() time.Time {
	if f == nil {
		return time.Time{}
	}
	return f.file.FaultSince()
}

func parse(text []byte) (Quota, error) {
	q := usual
	said := struct { // what is empty becomes nil here, and not zero in q
		Rates *Rates `yaml:"rates"`
		Spend *Spend `yaml:"spend"`
	}{&q.Rates, &q.Spend}
	if err := yaml.UnmarshalWithOptions(text, &said, yaml.Strict()); err != nil {
		return q, err
	}
	if said.Rates != nil {
		q.Rates = *said.Rates
	}
	if said.Spend != nil {
		q.Spend = *said.Spend
	}
	var faults []error
	for _, r := range []struct {
		name string
		limits.Rate
	}{{"anonymous", q.Rates.Anonymous}, {"authenticated", q.Rates.Authenticated}, {"internal", q.Rates.Internal}} {
		if !r.Possible() {
			faults = append(faults, fmt.Errorf("rates: %s: per_minute and burst are 1 to %d", r.name, limits.MostRate))
		}
	}
	for _, s := range []struct {
		name string
		usd  float64
	}{{"per_hour", q.Spend.PerHour}, {"per_day", q.Spend.PerDay}} {
		if !(s.usd >= 0) { // NaN too
			faults = append(faults, fmt.Errorf("spend: %s is no amount of USD", s.name))
		}
	}
	return q, errors.Join(faults...)
}
