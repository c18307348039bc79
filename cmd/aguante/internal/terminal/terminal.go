// Package terminal is `aguante chat`: a conversation in a terminal, streamed from a running chat.
package terminal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
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
	for wait := firstPause; ; wait = min(2*wait, mostPause) {
		err := c.ask(ctx, text)
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

// ask posts the message and prints the stream. It fails with errLost only before anything was answered: what was
// answered in part must not be asked twice.
func (c *conversation) ask(ctx context.Context, text string) error {
	asked := struct {
		Message string `json:"message"`
		User    string `json:"user,omitempty"`
		Session string `json:"session_id,omitempty"`
		Stream  bool   `json:"stream"`
	}{text, c.User, c.Session, true}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/chat", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return refused(answer)
	}
	return c.print(answer.Body)
}

func refused(answer *http.Response) error {
	var p problem
	_ = json.NewDecoder(io.LimitReader(answer.Body, limits.MaxBody)).Decode(&p)
	p.Status = answer.StatusCode
	p.RetryAfter, _ = strconv.Atoi(answer.Header.Get("Retry-After"))
	return p.sentence()
}

// print shows a stream as it comes.
func (c *conversation) print(stream io.Reader) error {
	said := map[string]bool{}
	for m, err := range messages(stream) {
		if err != nil {
			break
		}
		switch m.event {
		case "delta":
			var delta struct{ Text string }
			_ = json.Unmarshal(m.data, &delta)
			fmt.Fprint(c.out, printable(delta.Text))
		case "degraded":
			var d guard.Degraded
			_ = json.Unmarshal(m.data, &d)
			c.degraded(d, said)
		case "error":
			var p problem
			_ = json.Unmarshal(m.data, &p)
			return p.sentence()
		case "done":
			c.done(m.data, said)
			return nil
		}
	}
	return sentence("The answer broke off.")
}

func (c *conversation) done(data []byte, said map[string]bool) {
	var reply struct {
		SessionID string           `json:"session_id"`
		Degraded  []guard.Degraded `json:"degraded"`
	}
	_ = json.Unmarshal(data, &reply)
	fmt.Fprintln(c.out)
	for _, d := range reply.Degraded {
		c.degraded(d, said)
	}
	if reply.SessionID != "" {
		c.Session = reply.SessionID
	}
}

// degraded says each thing once a turn.
func (c *conversation) degraded(d guard.Degraded, said map[string]bool) {
	if sentence := degradedSentence(d); !said[sentence] {
		said[sentence] = true
		fmt.Fprintf(c.out, "[%s]\n", sentence)
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
