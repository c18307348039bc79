package stack

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// StartRedis runs a redis-server that keeps everything in an append-only file, so that it can be killed and come back. More
// arguments are Redis's own.
func StartRedis(ctx context.Context, arguments ...string) (*Server, error) {
	if err := install(ctx, "redis-server", "redis-server"); err != nil {
		return nil, err
	}
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "aguante-redis-")
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address)
	s := &Server{Name: "redis-server", Address: address, URL: "redis://" + address, dir: dir}
	usual := []string{"--bind", host, "--port", port, "--dir", dir, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""}
	s.command = exec.Command("redis-server", append(usual, arguments...)...)
	return start(ctx, s, func(ctx context.Context) error { return pingRedis(ctx, address) })
}

func pingRedis(ctx context.Context, address string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+PONG") {
		err = fmt.Errorf("PING was answered %q", answer)
	}
	return err
}
