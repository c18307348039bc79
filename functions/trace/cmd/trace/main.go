// Command trace is the trace function as a process: configuration from the environment, signals, drain.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aguante-chat/aguante/functions/trace"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "trace:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	serve.CollectLess(limits.WorkerMemory)
	var c trace.Config
	if err := serve.Load(&c); err != nil {
		return err
	}
	t, err := telemetry.New(ctx, telemetry.Config{Service: "trace", Version: version, LogLevel: c.LogLevel, Endpoint: c.Endpoint})
	if err != nil {
		return err
	}
	c.Telemetry = t
	f, err := trace.New(ctx, c)
	if err != nil {
		return err
	}
	return serve.Run(ctx, c.Common, f, t)
}
