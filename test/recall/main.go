// Command recall measures how well questions find the turns that answer them. It replays conversations as
// turn.completed events through the broker of `aguante up`, asks every question by GET /recall, and prints evidence
// recall at 5 and 10: the share of a question's evidence turns among the first k recalled. Conversations are files in
// LoCoMo's format. With AGUANTE_TEST_NEO4J_URI set it measures Neo4j beside the embedded store.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: recall FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "recall:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	conversations, err := load(folder)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "aguante-recall-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	binary, err := stack.Build(ctx, work)
	if err != nil {
		return err
	}
	stores := map[string][]string{"embedded": nil}
	if uri := os.Getenv(stack.Neo4jVariable); uri != "" {
		stores["neo4j"] = []string{"--neo4j", uri}
	}
	for _, store := range slices.Sorted(maps.Keys(stores)) {
		if err := measure(ctx, store, binary, filepath.Join(work, store), stores[store], conversations); err != nil {
			return fmt.Errorf("%s: %w", store, err)
		}
	}
	return nil
}

// measure runs one store: start, replay, ask, print.
func measure(ctx context.Context, store, binary, data string, arguments []string, conversations []conversation) error {
	up, err := stack.StartUp(ctx, binary, data, arguments, nil)
	if err != nil {
		return err
	}
	defer up.Stop()
	began := time.Now()
	run := fmt.Sprintf("%d-", began.UnixNano()) // users of this run alone: Neo4j keeps those of the last
	turns, err := replay(ctx, up, run, conversations)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s: %d turns of %d conversations materialized in %.1f s\n\n", store, turns, len(conversations), time.Since(began).Seconds())
	result, err := ask(ctx, up, run, conversations)
	if err != nil {
		return err
	}
	result.print(os.Stdout)
	return nil
}
