package serve

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"
)

// Feature flags (WS4). The first five are features, the last two are modes.
const (
	Materializers = "materializers-enabled"
	Async         = "async-enabled"
	DecisionTrace = "decision-trace-enabled"
	TelemetryFlag = "telemetry-enabled"
	GraphLegacy   = "graph-legacy-mode"
	StrictRate    = "rate-limit-strict"
)

// flagSet is the flags file. A flag that it leaves out has the figures' default: off.
type flagSet struct {
	Materializers           bool `yaml:"materializers-enabled"`
	MaterializersPercentage int  `yaml:"materializers-percentage"`
	Async                   bool `yaml:"async-enabled"`
	DecisionTrace           bool `yaml:"decision-trace-enabled"`
	Telemetry               bool `yaml:"telemetry-enabled"`
	GraphLegacy             bool `yaml:"graph-legacy-mode"`
	StrictRate              bool `yaml:"rate-limit-strict"`
}

// allOn is what holds without a flags file: every feature on, neither mode.
var allOn = flagSet{Materializers: true, MaterializersPercentage: 100, Async: true, DecisionTrace: true, Telemetry: true}

// Flags are feature flags that follow their file. A file that cannot be read leaves the last good flags in force, or every
// feature on while there were none.
type Flags struct {
	path    string
	log     *slog.Logger
	current atomic.Pointer[flagSet]
	fault   atomic.Pointer[fault]
	stop    context.CancelFunc
	stopped chan struct{}
}

// fault is why the flags file is not in force, and since when.
type fault struct {
	why   string
	since time.Time
}

// rereadEvery is how soon a changed flags file holds: well within the 60 s that a flag rollback may take (WS4).
const rereadEvery = time.Second

// FollowFlags reads the flags file and follows its changes until Close; an empty path means that every feature is on.
func FollowFlags(path string, log *slog.Logger) *Flags {
	f := &Flags{path: path, log: log, stopped: make(chan struct{})}
	f.current.Store(&allOn)
	f.take(readFlags(path))
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go f.follow(ctx)
	return f
}

func readFlags(path string) (flagSet, error) {
	if path == "" {
		return allOn, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return flagSet{}, err
	}
	var flags flagSet
	if err := yaml.UnmarshalWithOptions(content, &flags, yaml.Strict()); err != nil {
		return flagSet{}, errors.New(yaml.FormatError(err, false, true))
	}
	if flags.MaterializersPercentage < 0 || flags.MaterializersPercentage > 100 {
		return flagSet{}, fmt.Errorf("materializers-percentage is %d, not 0 to 100", flags.MaterializersPercentage)
	}
	return flags, nil
}

// follow reads the whole file each time: a mounted ConfigMap changes by a swapped symbolic link, which tells no time.
func (f *Flags) follow(ctx context.Context) {
	defer close(f.stopped)
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for f.path != "" {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.take(readFlags(f.path))
		}
	}
}

// take puts new flags in force, and logs when they or the fault change.
func (f *Flags) take(flags flagSet, err error) {
	if err != nil {
		if why, since := err.Error(), f.FaultSince(); f.Fault() != why {
			if since.IsZero() {
				since = time.Now()
			}
			f.fault.Store(&fault{why, since})
			f.log.Warn("flags file is bad: the last good flags stay in force", "error", why)
		}
		return
	}
	f.fault.Store(nil)
	if *f.current.Load() != flags {
		f.current.Store(&flags)
		f.log.Info("flags changed", "flags", flags)
	}
}

// Enabled says whether the named flag is on. An unknown name is off.
func (f *Flags) Enabled(name string) bool {
	flags := f.current.Load()
	switch name {
	case Materializers:
		return flags.Materializers
	case Async:
		return flags.Async
	case DecisionTrace:
		return flags.DecisionTrace
	case TelemetryFlag:
		return flags.Telemetry
	case GraphLegacy:
		return flags.GraphLegacy
	case StrictRate:
		return flags.StrictRate
	}
	return false
}

// MaterializersFor says whether a session's turns are materialized: sticky, by the session's hash against the percentage.
func (f *Flags) MaterializersFor(session string) bool {
	flags := f.current.Load()
	h := fnv.New32a()
	_, _ = h.Write([]byte(session))
	return flags.Materializers && int(h.Sum32()%100) < flags.MaterializersPercentage
}

// Fault says why the flags file is not in force, or nothing.
func (f *Flags) Fault() string {
	if fault := f.fault.Load(); fault != nil {
		return fault.why
	}
	return ""
}

// FaultSince is when the flags file began not to be in force: zero while it is.
func (f *Flags) FaultSince() time.Time {
	if fault := f.fault.Load(); fault != nil {
		return fault.since
	}
	return time.Time{}
}

// Close stops following the file.
func (f *Flags) Close() {
	f.stop()
	<-f.stopped
}
