// Package drill is `aguante drill`: it breaks a running system on purpose, watches what its callers and its metrics say,
// mends it, and judges by the figures what was promised.
package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Options are the flags of `aguante drill run`. The addresses are those that `aguante up` prints.
type Options struct {
	Chat   string  `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where chat is (${default})."`
	Trace  string  `default:"http://127.0.0.1:8082" placeholder:"URL" help:"Where trace is (${default})."`
	Broker string  `default:"http://127.0.0.1:8083" placeholder:"URL" help:"Where the broker is (${default})."`
	Ops    string  `default:"http://127.0.0.1:9464" placeholder:"URL" help:"Where /metrics and /health of all of them are (${default})."`
	Faults string  `default:"http://127.0.0.1:8474" placeholder:"URL" help:"Where faults are injected: what the system was started with as --faults (${default})."`
	Key    string  `env:"AGUANTE_KEY" help:"API key for the routes chat and internal, if chat asks for one."`
	Rate   float64 `default:"1" help:"Turns a second beside the fault; an anonymous caller may send one (${default})."`
	Short  bool    `help:"Seconds instead of minutes."`
	JSON   bool    `name:"json" help:"One JSON object a line for each drill; progress goes to stderr."`
	Force  bool    `help:"Also on a system that is degraded, or has faults in place, already."`
}

// Drill is one of the drills of the production figures.
type Drill struct {
	Name   string                                  `json:"name"`
	Does   string                                  `json:"does"`
	Passes string                                  `json:"passes"`           // when, in the figures' words
	Full   time.Duration                           `json:"-"`                // how long the fault lasts
	Short  time.Duration                           `json:"-"`                // how long with --short
	Breaks []string                                `json:"breaks,omitempty"` // the proxies that it injects faults into
	play   func(ctx context.Context, r *run) error // an error: the drill could not be held; verdicts are checks
}

// The durations that are not in the figures stay under the five minutes after which the broker gives up on an event.
var drills = []Drill{
	{Name: "redis-down", Does: "Redis refuses connections", Full: 5 * time.Minute, Short: 6 * time.Second, Breaks: []string{redis},
		Passes: "/chat never 5xx, the fallback gauge is 1 during and 0 after, no turn lost", play: redisDown},
	{Name: "workers-hung", Does: "materialize takes connections and answers nothing", Full: 2 * time.Minute, Short: 6 * time.Second, Breaks: []string{materialize},
		Passes: "every turn is materialized after recovery, backlog < 100 within 5 min, none lost", play: workersHung},
	{Name: "graph-slow", Does: "the graph answers 5 s late", Full: 2 * time.Minute, Short: 10 * time.Second, Breaks: []string{memory},
		Passes: "legacy mode within 30 s, /chat stays 200 and p99 < 8 s, back within 10 s of recovery", play: graphSlow},
	{Name: "flood", Does: "one caller sends 500 turns", Full: 30 * time.Second, Short: 10 * time.Second,
		Passes: "> 90 % answered, 5xx < 1 %, some 429, memory within +10 % of before after 30 s", play: flood},
	{Name: "replay", Does: "dead letters are replayed, and replayed again",
		Passes: "all replayed, none lost, none twice", play: replay},
	{Name: "corrupt-event", Does: "events come that nobody can read",
		Passes: "refused, counted, /chat untouched", play: corruptEvent},
	{Name: "trace-overflow", Does: "more turns are decided than a slow broker takes traces of", Breaks: []string{broker},
		Passes: "drops counted, /chat untouched", play: traceOverflow},
	{Name: "game-day", Does: "Redis down, workers hung and graph slow, all at once", Full: 2 * time.Minute, Short: 10 * time.Second, Breaks: []string{redis, materialize, memory},
		Passes: "/chat > 95 % answered, error rate < 5 %, recovery < 2 min", play: gameDay},
}

// length is how long the fault lasts.
func (d Drill) length(short bool) time.Duration {
	if short {
		return d.Short
	}
	return d.Full
}

// List prints the drills, as a table or as JSON.
func List(out io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		return e.Encode(drills)
	}
	for _, d := range drills {
		fmt.Fprintf(out, "%-15s %s", d.Name, d.Does)
		if d.Full > 0 {
			fmt.Fprintf(out, " for %s (--short: %s)", brief(d.Full), brief(d.Short))
		}
		fmt.Fprintf(out, "\n%-15s passes when: %s\n", "", d.Passes)
	}
	return nil
}

// ErrFailed means that the drills were held and some did not pass.
var ErrFailed = errors.New("not passed")

// Run holds the drill of that name, or all of them one after the other, and prints a report of each to out; progress
// goes to progress. Faults are undone whatever happens. The error is ErrFailed with the drills that did not pass, and why
// a drill could not be held.
func Run(ctx context.Context, o Options, name string, out, progress io.Writer) error {
	chosen, err := choose(name)
	if err != nil {
		return err
	}
	s, err := connect(o)
	if err != nil {
		return err
	}
	var failed []string
	var faults []error
	patience := time.Duration(0)
	for _, d := range chosen {
		if err := s.ready(ctx, d, patience); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", d.Name, err))
			break
		}
		report, err := hold(ctx, s, d, progress)
		report.print(out, o.JSON)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", d.Name, err))
		} else if !report.Passed {
			failed = append(failed, d.Name)
		}
		if ctx.Err() != nil {
			break
		}
		patience = settling // for what this one left open
	}
	if len(failed) > 0 {
		faults = append(faults, fmt.Errorf("%w: %s", ErrFailed, strings.Join(failed, ", ")))
	}
	return errors.Join(faults...)
}

func choose(name string) ([]Drill, error) {
	if name == "all" {
		return drills, nil
	}
	names := []string{"all"}
	for _, d := range drills {
		if d.Name == name {
			return []Drill{d}, nil
		}
		names = append(names, d.Name)
	}
	return nil, fmt.Errorf("there is no drill %q; there are %s", name, strings.Join(names, ", "))
}
