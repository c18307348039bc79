package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Function is one function as a process of its own. URL is where it is called.
type Function struct {
	Server
	Ops string // base URL of its ops port
}

// BuildFunction compiles the function called name into dir and returns its path.
func BuildFunction(ctx context.Context, dir, name string) (string, error) {
	binary := filepath.Join(dir, name)
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/aguante-chat/aguante/functions/"+name+"/cmd/"+name)
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("stack: build %s: %w: %s", name, err, output)
	}
	return binary, nil
}

// StartFunction runs a function's binary on free ports with what environment (NAME=value) tells it, and waits until it
// is ready.
func StartFunction(ctx context.Context, binary string, environment ...string) (*Function, error) {
	dir, err := os.MkdirTemp("", "aguante-function-")
	if err != nil {
		return nil, err
	}
	f := &Function{Server: Server{Name: filepath.Base(binary), dir: dir}}
	if f.Address, err = FreeAddress(); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(f.Address)
	f.URL = "http://" + f.Address
	f.command = exec.Command(binary)
	f.command.Env = append(os.Environ(), append(environment, "PORT="+port, "OPS_PORT=0")...)
	if _, err := start(ctx, &f.Server, f.listening); err != nil {
		return nil, err
	}
	return f, nil
}

// listening reads the ops port from the line by which a function says that it is ready.
func (f *Function) listening(context.Context) error {
	for lines := bufio.NewScanner(strings.NewReader(f.Output())); lines.Scan(); {
		var line struct{ Msg, Ops string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			_, port, err := net.SplitHostPort(line.Ops)
			f.Ops = "http://127.0.0.1:" + port
			return err
		}
	}
	return fmt.Errorf("it has not said that it is ready")
}
