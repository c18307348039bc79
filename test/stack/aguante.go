package stack

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Up is a running `aguante up`: its process and the addresses that it printed.
type Up struct {
	Server
	Chat, Materialize, Trace, Broker, Ops string // base URLs
	Faults                                string // with --faults
}

// Build compiles the operator's command into dir, with more flags for go build such as -race, and returns its path.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	binary := filepath.Join(dir, "aguante")
	arguments := append(append([]string{"build"}, flags...), "-o", binary, "github.com/aguante-chat/aguante/cmd/aguante")
	build := exec.CommandContext(ctx, "go", arguments...)
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("stack: build aguante: %w: %s", err, output)
	}
	return binary, nil
}

// StartUp runs `binary up` on free ports with its data in data, and waits until chat is ready. More arguments and
// variables (NAME=value) go to the process as they are.
func StartUp(ctx context.Context, binary, data string, arguments, environment []string) (*Up, error) {
	dir, err := os.MkdirTemp("", "aguante-up-")
	if err != nil {
		return nil, err
	}
	free := []string{"up", "--data", data, "--chat=127.0.0.1:0", "--materialize=127.0.0.1:0",
		"--trace=127.0.0.1:0", "--broker=127.0.0.1:0", "--ops=127.0.0.1:0"}
	u := &Up{Server: Server{Name: "aguante up", dir: dir}}
	u.command = exec.Command(binary, append(free, arguments...)...)
	u.command.Env = append(os.Environ(), environment...)
	if _, err := start(ctx, &u.Server, u.ready); err != nil {
		return nil, err
	}
	return u, nil
}

// ready reads the addresses from what was printed so far and asks chat whether it is ready.
func (u *Up) ready(ctx context.Context) error {
	output, err := os.Open(u.log())
	if err != nil {
		return err
	}
	defer output.Close()
	addresses := map[string]*string{"chat": &u.Chat, "materialize": &u.Materialize, "trace": &u.Trace, "broker": &u.Broker,
		"faults": &u.Faults, "ops": &u.Ops}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) >= 2 && addresses[words[0]] != nil {
			*addresses[words[0]] = words[1]
		}
	}
	if u.Ops == "" || u.Chat == "" {
		return fmt.Errorf("the addresses are not printed yet")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Chat+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("chat is not ready: %s", answer.Status)
	}
	return nil
}

// Kill ends the process at once (SIGKILL), as a crash would.
func (u *Up) Kill() error {
	if err := u.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-u.exited
	return os.RemoveAll(u.dir)
}

// Terminate asks the process to drain and gives its exit code.
func (u *Up) Terminate(within time.Duration) (int, error) {
	if err := u.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-u.exited:
		return u.command.ProcessState.ExitCode(), os.RemoveAll(u.dir)
	case <-time.After(within):
		return 0, fmt.Errorf("stack: aguante up still runs %v after SIGTERM", within)
	}
}

// Resident is how much memory the process holds, in bytes; 0 where /proc does not tell.
func (u *Up) Resident() int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", u.command.Process.Pid))
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
