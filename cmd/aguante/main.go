// Command aguante is the operator's command: up runs everything on one machine, chat talks to it from a
// terminal, drill breaks it to see whether it holds.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/aguante-chat/aguante/cmd/aguante/internal/drill"
	"github.com/aguante-chat/aguante/cmd/aguante/internal/terminal"
	"github.com/aguante-chat/aguante/cmd/aguante/internal/up"
	"github.com/aguante-chat/aguante/shared/limits"
	"github.com/aguante-chat/aguante/shared/serve"
)

type commands struct {
	Up      upCommand        `cmd:"" help:"Run chat, memory, traces and their broker on this machine."`
	Chat    chatCommand      `cmd:"" help:"Talk to a running chat from this terminal."`
	Drill   drillCommand     `cmd:"" help:"Break a running system on purpose, and judge how it holds."`
	Version kong.VersionFlag `help:"Say which version this is."`
}

type upCommand struct{ up.Options }

// Run is called by kong. A second signal ends the process at once.
func (c *upCommand) Run(ctx context.Context) error {
	serve.CollectLess(limits.ChatMemory)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return up.Run(ctx, c.Options, os.Stdout)
}

type chatCommand struct{ terminal.Options }

// Run is called by kong.
func (c *chatCommand) Run(ctx context.Context) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	return terminal.Run(ctx, c.Options, os.Stdin, os.Stdout, interrupts)
}

type drillCommand struct {
	List drillList `cmd:"" help:"Say which drills there are, and what passes them."`
	Run  drillRun  `cmd:"" help:"Hold one drill, or all, against a running aguante up. It ends with 1 if one does not pass."`
}

type drillList struct {
	JSON bool `name:"json" help:"As JSON."`
}

// Run is called by kong.
func (c *drillList) Run() error { return drill.List(os.Stdout, c.JSON) }

type drillRun struct {
	Name string `arg:"" help:"The drill, or all."`
	drill.Options
}

// Run is called by kong. The first signal undoes the faults and ends the drill, a second one ends the process at once.
func (c *drillRun) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return drill.Run(ctx, c.Options, c.Name, os.Stdout, os.Stderr)
}

func main() {
	var c commands
	command := kong.Parse(&c, kong.Name("aguante"), kong.Description("A chat that remembers, and stays up."),
		kong.BindTo(context.Background(), (*context.Context)(nil)), kong.Vars{"version": version(), "user": userName()})
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "aguante:", err)
		os.Exit(1)
	}
}

func userName() string {
	if me, err := user.Current(); err == nil {
		return me.Username
	}
	return "me"
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
