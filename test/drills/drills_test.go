// Package drills holds all of `aguante drill` against a real `aguante up` on a real Redis and a real Neo4j.
package drills

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

// full takes the durations of the production figures: make drills-full.
var full = flag.Bool("full", false, "minutes instead of seconds")

// start starts what is drilled. Its Redis is its own: others would empty its outbox, or wait for it.
func start(t *testing.T) (binary string, u *stack.Up) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary, err := stack.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	redis, err := stack.StartRedis(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop() })
	u, err = stack.StartUp(ctx, binary, filepath.Join(t.TempDir(), "data"),
		[]string{"--redis", redis.URL, "--neo4j", os.Getenv(stack.Neo4jVariable), "--faults", "127.0.0.1:0"}, []string{"LOG_LEVEL=warn"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Stop() })
	return binary, u
}

func TestDrillsPass(t *testing.T) {
	if os.Getenv(stack.Neo4jVariable) == "" {
		t.Skip("no Neo4j: go run ./test/stack/with go test ./test/drills")
	}
	stack.Alone(t)
	binary, u := start(t)
	arguments := []string{"drill", "run", "all", "--json", "--chat", u.Chat, "--trace", u.Trace, "--broker", u.Broker,
		"--ops", u.Ops, "--faults", u.Faults}
	if !*full {
		arguments = append(arguments, "--short")
	}
	command := exec.CommandContext(t.Context(), binary, arguments...)
	var progress bytes.Buffer
	command.Stderr = &progress
	output, failed := command.Output()
	held := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		var report struct {
			Drill, Passes, Error string
			Passed               bool
			Took                 float64 `json:"took_seconds"`
			Checks               []struct {
				What, Found string
				Passed      bool
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &report); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		held[report.Drill] = true
		t.Run(report.Drill, func(t *testing.T) {
			for _, c := range report.Checks {
				t.Logf("passed: %-5t %s: %s", c.Passed, c.What, c.Found)
			}
			t.Logf("took %.0f s", report.Took)
			if !report.Passed {
				t.Errorf("does not pass when: %s (%s): %s", report.Passes, report.Error, lines.Text())
			}
		})
	}
	for _, name := range []string{"redis-down", "workers-hung", "graph-slow", "flood", "replay", "corrupt-event", "trace-overflow", "game-day"} {
		if !held[name] {
			t.Errorf("%s was not held", name)
		}
	}
	if failed != nil {
		t.Errorf("aguante drill ends with %v: %s", failed, tail(progress.String()))
		t.Log(tail(u.Output()))
	}
}

// tail is the end of a long text.
func tail(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}
