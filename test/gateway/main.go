// Command gateway measures what the OpenAI-compatible route costs beside other ways to the same engine: none in between, a
// bare httputil.ReverseProxy, chat as a pure gateway, chat with all that a turn has, and the npm gateway
// @portkey-ai/gateway. Every way is a process of its own on this machine, and so are the engine, a scripted one, and
// Redis. Requests are sent when they are due, not when the last one was answered; the ways take turns, several times
// over, and medians are printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

var (
	rates    = []int{100, 500, 1000} // requests a second
	settling = 300 * time.Millisecond
	rounds   = flag.Int("rounds", 3, "how often each way is measured")
	lasting  = flag.Duration("for", 3*time.Second, "how long one measurement takes")
	only     = flag.String("only", "", "measure these ways beside direct, separated by semicolons")
)

const (
	workers    = 128 // connections of the steady load; one more is no request sent late
	saturating = 8   // connections of the full load
)

func main() {
	runtime.LockOSThread() // the servers die with this thread (Pdeathsig)
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run measures or, as a child of that, is one of the servers.
func run(arguments []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case len(arguments) == 0:
		return measure(ctx)
	case len(arguments) == 2 && arguments[0] == "engine":
		return serve(ctx, arguments[1], engine())
	case len(arguments) == 3 && arguments[0] == "proxy":
		return serve(ctx, arguments[1], proxy(arguments[2]))
	}
	return errors.New("usage: gateway [-rounds N] [-for DURATION] [-only WAYS]")
}

func measure(ctx context.Context) error {
	work, err := os.MkdirTemp("", "aguante-gateway-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	ways, stop, err := start(ctx, work)
	defer stop()
	if err != nil {
		return err
	}
	results := make(map[string]*figures)
	for _, w := range ways {
		results[w.name] = newFigures()
		if err := w.check(); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	for round := range *rounds {
		for _, k := range kinds() {
			for _, w := range ways {
				fmt.Fprintf(os.Stderr, "\rround %d of %d: %s, %s          ", round+1, *rounds, k.name, w.name)
				if err := k.measure(ctx, w, results[w.name]); err != nil {
					return fmt.Errorf("%s, %s: %w", w.name, k.name, err)
				}
			}
		}
	}
	fmt.Fprint(os.Stderr, "\r")
	for _, w := range ways {
		results[w.name].take("resident", w.resident())
	}
	printTable(os.Stdout, ways, results)
	return nil
}
