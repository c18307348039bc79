package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// figures are what was measured of one way, by name, once a round.
type figures struct {
	rounds           map[string][]float64
	failed, degraded int
}

func newFigures() *figures { return &figures{rounds: map[string][]float64{}} }

func (f *figures) take(name string, value float64) {
	f.rounds[name] = append(f.rounds[name], value)
}

// count counts what should not be: a pure gateway is degraded by design.
func (f *figures) count(w *way, t *tally) {
	f.failed += t.failed
	if w.name != gateway {
		f.degraded += t.degraded
	}
}

// median is NaN for what was not measured.
func (f *figures) median(name string) float64 {
	values := slices.Sorted(slices.Values(f.rounds[name]))
	if len(values) == 0 {
		return math.NaN()
	}
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// row is one line of the table: a figure, how it is printed, and whether it counts beside the direct way's.
type row struct {
	title, name, format string
	added               bool
}

func rows() []row {
	var all []row
	for _, kind := range []string{jsonName, eventName} {
		for _, rate := range rates {
			for _, p := range []string{"p50", "p99"} {
				all = append(all, row{fmt.Sprintf("%s at %d/s, added %s", kind, rate, p), fmt.Sprintf("%s %d %s", kind, rate, p), "%.2f ms", true})
			}
		}
	}
	return append(all,
		row{"a stream's piece at 1000/s, added p50", "piece p50", "%.2f ms", true},
		row{"added p99", "piece p99", "%.2f ms", true},
		row{"requests/s, 8 connections", "full", "%.0f", false},
		row{"its p99", "full p99", "%.1f ms", false},
		row{"CPU per request at full load", "full cpu", "%.0f µs", false},
		row{"CPU per request, JSON, 1000/s", "JSON cpu", "%.0f µs", false},
		row{"CPU per stream, 1000/s", "stream cpu", "%.0f µs", false},
		row{"allocations per request", "JSON mallocs", "%.0f", false},
		row{"allocations per stream", "stream mallocs", "%.0f", false},
		row{"allocations per piece", "piece mallocs", "%.2f", false},
		row{"resident in the end", "resident", "%.0f MB", false},
	)
}

// hopeless is a latency in milliseconds that says: requests come faster than they are answered.
const hopeless = 100

// printTable prints a column for each way, beside each figure its ratio to the bare proxy's.
func printTable(out io.Writer, ways []*way, results map[string]*figures) {
	head, rule := "| |", "| --- |"
	for _, w := range ways {
		head, rule = head+" "+w.name+" |", rule+" --- |"
	}
	fmt.Fprintln(out, head+"\n"+rule)
	for _, r := range rows() {
		line := "| " + r.title + " |"
		for _, w := range ways {
			line += " " + r.cell(w, results) + " |"
		}
		fmt.Fprintln(out, line)
	}
	failed, degraded := "| failed |", "| degraded |"
	for _, w := range ways {
		failed += fmt.Sprintf(" %d |", results[w.name].failed)
		degraded += fmt.Sprintf(" %d |", results[w.name].degraded)
	}
	fmt.Fprintln(out, failed+"\n"+degraded)
}

func (r row) cell(w *way, results map[string]*figures) string {
	value := func(name string) float64 {
		f := results[name]
		if f == nil {
			return math.NaN()
		}
		v := f.median(r.name)
		if r.added && name != direct {
			v -= results[direct].median(r.name)
		}
		return v
	}
	v := value(w.name)
	if math.IsNaN(v) || v == 0 && w.process == nil {
		return ""
	}
	if r.added && v > hopeless {
		return "cannot"
	}
	cell := fmt.Sprintf(r.format, v)
	if ratio := v / value(bare); w.name != direct && w.name != bare && !math.IsNaN(ratio) && !strings.Contains(cell, "-") {
		cell += fmt.Sprintf(" (%s×)", short(ratio))
	}
	return cell
}

// short writes a ratio with two digits that count.
func short(ratio float64) string {
	if ratio < 10 {
		return fmt.Sprintf("%.2f", ratio)
	}
	return fmt.Sprintf("%.0f", ratio)
}
