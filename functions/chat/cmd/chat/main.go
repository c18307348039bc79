// Command chat runs the chat function as a process of its own, told everything by its environment: see
// docs/reference/config-chat.md.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/aguante-chat/aguante/functions/chat"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	serve.CollectLess(limits.ChatMemory)
	var c chat.Config
	if err := serve.Load(&c); err != nil {
		return err
	}
	t, err := telemetry.New(ctx, telemetry.Config{Service: "chat", Version: version(), LogLevel: c.LogLevel, Endpoint: c.Endpoint})
	if err != nil {
		return err
	}
	c.Telemetry, c.Getenv = t, os.Getenv
	f, err := chat.New(ctx, c)
	if err != nil {
		return err
	}
	return serve.Run(ctx, c.Common, f, t)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}
