package faults

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	document = "../../docs/reliability.md"
	begins   = "<!-- faults: begin -->\n"
	ends     = "<!-- faults: end -->\n"
)

// line is a cell's line of the table.
func (r result) line() string {
	verdict := "kept"
	if broken := r.judge(); len(broken) > 0 {
		verdict = "**broken**: " + strings.Join(broken, "; ")
	}
	if r.err != nil {
		return fmt.Sprintf("| %s | %s | %s | | | | | | | %s |\n", r.cell.of.name, r.cell.fault.name, r.cell.fault.how, verdict)
	}
	under := slices.Concat(r.before.broken, r.after.broken)
	failed, named := 0, 0
	for _, t := range under {
		if t.status != 200 {
			failed++
		}
		if t.names(r.cell.of.name) {
			named++
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %d of %d | %d | %s | %s | %d | %s | %s |\n",
		r.cell.of.name, r.cell.fault.name, r.cell.fault.how, failed, len(under), named, r.before.say(), r.after.say(),
		r.healed.lines-r.well.lines, r.back.Round(100*time.Millisecond), verdict)
}

// say is what a turn took longer at p99, and the p99 of the control.
func (c comparison) say() string {
	if len(c.broken) == 0 {
		return "–"
	}
	return fmt.Sprintf("%+.0f ms (%.0f)", milliseconds(c.added(.99)), milliseconds(quantile(c.well, .99)))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func table(results []result) string {
	var b strings.Builder
	b.WriteString("| Dependency | Fault | How | Not 200 | Named | p99 until the breaker opens | p99 while it is open | Log lines | Back after | Promises |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		b.WriteString(r.line())
	}
	return b.String()
}

// write puts the table between its marks.
func write(results []result) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(text, []byte(begins))
	_, after, ended := bytes.Cut(rest, []byte(ends))
	if !found || !ended {
		return fmt.Errorf("%s has no marks for the table", document)
	}
	written := append(append(append([]byte{}, before...), begins+table(results)+ends...), after...)
	return os.WriteFile(document, written, 0o644)
}
