// Package terminal is `aguante chat`: a conversation in a terminal, streamed from a running chat.
package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
)

// Options are the flags of the command.
type Options struct {
	URL     string `default:"http://127.0.0.1:8080" help:"Where chat is (${default})."`
	User    string `default:"${user}" help:"Whose memory it is (${default})."`
	Session string `help:"The session to go on with; a new one if there is none."`
	Key     string `env:"AGUANTE_KEY" help:"API key, if chat asks for one."`
}

// A chat that cannot be reached is asked again after 1, 2, 4 … 30 s (WS3).
const (
	firstPause = time.Second
	mostPause  = 30 * time.Second
)

// errLost means that the connection, not chat, failed.
var errLost = errors.New("chat cannot be reached")

// errBrokeOff means that a part was answered and the rest cannot be had.
const errBrokeOff = sentence("The answer broke off.")

type conversation struct {
	Options
	out        io.Writer
	interrupts <-chan os.Signal
	pause      func(ctx context.Context, d time.Duration) bool
}

// Run reads lines from in and prints what chat answers, until in ends. An interrupt cancels the answer under way, or
// ends the conversation between answers.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer, interrupts <-chan os.Signal) error {
	c := &conversation{Options: o, out: out, interrupts: interrupts, pause: sleep}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := readLines(ctx, in)
	file, ok := in.(*os.File)
	asked := ok && isatty.IsTerminal(file.Fd())
	if asked {
		fmt.Fprintln(out, "Ctrl-C stops an answer, Ctrl-D ends the conversation.")
	}
	for {
		if asked {
			fmt.Fprint(out, "\n> ")
		}
		select {
		case line, more := <-lines:
			if !more {
				return nil
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			if err := c.say(ctx, line); err != nil && !asked {
				return err
			}
		case <-interrupts:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		reader := bufio.NewReader(in)
		for {
			line, err := reader.ReadString('\n')
			if line != "" {
				select {
				case lines <- strings.TrimRight(line, "\r\n"):
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// say has one message answered, trying again while chat cannot be reached. The error is one that a script should know.
func (c *conversation) say(ctx context.Context, text string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-c.interrupts:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() { cancel(); <-stopped }()
	s := underWay{said: map[string]bool{}}
	for wait := firstPause; ; wait = min(2*wait, mostPause) {
		heard := s.last
		err := c.ask(ctx, text, &s)
		if s.last != heard {
			wait = firstPause
		}
		switch {
		case ctx.Err() != nil:
			fmt.Fprintln(c.out, "\n[stopped]")
			return nil
		case errors.Is(err, errLost):
			fmt.Fprintf(c.out, "[I cannot be reached. Trying again in %d s.]\n", int(wait.Seconds()))
			c.pause(ctx, wait)
		case err != nil:
			fmt.Fprintf(c.out, "[%v]\n", err)
			return err
		default:
			return nil
		}
	}
}

// printable takes from an engine's text what would steer the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r
		}
		return -1
	}, text)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
