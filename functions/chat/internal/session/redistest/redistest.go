// Package redistest runs real Redis servers for tests, which can be killed, frozen and brought back.
package redistest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server of the test's own, without persistence, on a free port.
type Server struct {
	Address string // host:port

	args    []string
	folder  string
	process *exec.Cmd
}

// URL is how to connect to it.
func (s *Server) URL() string { return "redis://" + s.Address }

// Start launches a redis-server and removes it when the test ends. Where none is installed the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: apt-get install redis-server")
	}
	s, err := launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Remove)
	return s
}

// LaunchCluster launches a cluster of one node, which the caller has to remove.
func LaunchCluster() (*Server, error) {
	s, err := launch("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
	if err != nil {
		return nil, err
	}
	return s, s.until(func(ctx context.Context, c *redis.Client) bool {
		c.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
		return strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_state:ok")
	})
}

func launch(args ...string) (*Server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	s := &Server{Address: address, folder: folder}
	s.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}, args...)
	return s, s.Restart()
}

// freeAddress is one that nobody listens on, nor is given by chance while the server is down: below 32768.
func freeAddress() (address string, err error) {
	for range 100 {
		address = fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", err
}

// Restart starts it, empty, where it was before.
func (s *Server) Restart() error {
	s.process = exec.CommandContext(context.Background(), "redis-server", s.args...)
	s.process.Dir = s.folder
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		return err
	}
	return s.until(func(ctx context.Context, c *redis.Client) bool { return c.Ping(ctx).Err() == nil })
}

// until waits for a condition, for ten seconds at most.
func (s *Server) until(met func(context.Context, *redis.Client) bool) error {
	client := redis.NewClient(&redis.Options{Addr: s.Address, DisableIdentity: true})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for !met(ctx, client) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("redis-server at %s does not come up", s.Address)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// Freeze stops it in its tracks: connections stay open and nothing is answered.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// Kill ends it at once, frozen or not.
func (s *Server) Kill() {
	s.signal(syscall.SIGKILL)
	_ = s.process.Wait() // it was killed
}

// Remove kills it for good.
func (s *Server) Remove() {
	s.Kill()
	_ = os.RemoveAll(s.folder) // it is in the system's own folder for such
}

func (s *Server) signal(sig os.Signal) { _ = s.process.Process.Signal(sig) } // one that has ended needs none

// URL is the server that AGUANTE_TEST_REDIS_URL names, emptied, or else one of the test's own.
func URL(t testing.TB) string {
	t.Helper()
	url := os.Getenv("AGUANTE_TEST_REDIS_URL") //nolint:forbidigo // tests read their own
	if url == "" {
		return Start(t).URL()
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal("AGUANTE_TEST_REDIS_URL is no Redis address")
	}
	client := redis.NewClient(o)
	defer func() { _ = client.Close() }()
	if err := client.FlushDB(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	return url
}
