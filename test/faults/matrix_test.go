// Package faults breaks every dependency of a turn in every way there is and holds what callers, /health, metrics and logs
// say against the promises: one line of the matrix for each dependency and fault.
package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aguante-chat/aguante/test/stack"
)

var (
	full   = flag.Bool("full", false, "ten times the turns, judged without allowance for a busy machine: make faults-full")
	update = flag.Bool("update", false, "write the table of docs/reliability.md: make faults")
	only   = flag.String("only", "", "a part of the name of the cells to run, such as redis/frozen")
)

// matrix has a line for each cell.
var matrix = []cell{
	{of: redis, fault: dead},
	{of: redis, fault: frozen},
	{of: redis, fault: slow},
	{of: redis, fault: flapping},
	{of: redis, fault: halfOpen},
	{of: redis, fault: resetting},
	{of: redis, fault: garbage},
	{of: redis, fault: readOnly},
	{of: redis, fault: outOfMemory},
	{of: redis, fault: scriptsFlushed},
	{of: redis, fault: loading},
	{of: redis, fault: moved},
	{of: graph, fault: dead},
	{of: graph, fault: frozen},
	{of: graph, fault: slow},
	{of: graph, fault: flapping},
	{of: graph, fault: halfOpen},
	{of: graph, fault: resetting},
	{of: graph, fault: garbage},
	{of: graph, fault: deadlock},
	{of: graph, fault: leaderSwitch},
	{of: graph, fault: fullPool},
	{of: broker, fault: dead},
	{of: broker, fault: frozen},
	{of: broker, fault: slow},
	{of: broker, fault: flapping},
	{of: broker, fault: halfOpen},
	{of: broker, fault: resetting},
	{of: broker, fault: garbage},
	{of: materialize, fault: dead},
	{of: materialize, fault: frozen},
	{of: materialize, fault: slow},
	{of: materialize, fault: flapping},
	{of: materialize, fault: halfOpen},
	{of: materialize, fault: resetting},
	{of: materialize, fault: garbage},
	{of: materialize, fault: fullDisk},
	{of: trace, fault: cut},
	{of: trace, fault: swallowed},
	{of: trace, fault: slow},
	{of: trace, fault: flapping},
	{of: trace, fault: halfOpen},
	{of: trace, fault: resetting},
	{of: trace, fault: garbage},
	{of: engine, fault: dead},
	{of: engine, fault: frozen},
	{of: engine, fault: slow},
	{of: engine, fault: flapping},
	{of: engine, fault: halfOpen},
	{of: engine, fault: resetting},
	{of: engine, fault: garbage},
}

func TestMain(m *testing.M) {
	if os.Getenv(engineVariable) != "" {
		fmt.Fprintln(os.Stderr, serveEngine())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestEveryFaultStaysInItsCell(t *testing.T) {
	if os.Getenv(stack.Neo4jVariable) == "" {
		t.Skip("no Neo4j: go run ./test/stack/with go test ./test/faults")
	}
	stack.Alone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	w, err := newWorld(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	cells := chosen(matrix)
	results := make([]result, len(cells))
	var running errgroup.Group
	running.SetLimit(alive)
	for i, c := range cells {
		running.Go(func() error { results[i] = c.run(ctx, w); return nil })
	}
	_ = running.Wait() // each result has its own error
	for _, r := range results {
		t.Run(r.cell.name(), func(t *testing.T) {
			t.Log(r.line())
			for _, fault := range r.judge() {
				t.Error(fault)
			}
			if t.Failed() {
				t.Log(r.logs)
			}
		})
	}
	fmt.Print(table(results))
	if *update && !t.Failed() && *only == "" {
		if err := write(results); err != nil {
			t.Fatal(err)
		}
	}
}
