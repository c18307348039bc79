package up

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// url is where this machine reaches a port.
func (m *machine) url(name string) string {
	address := m.ports[name].Addr().(*net.TCPAddr)
	host := address.IP.String()
	if address.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(address.Port))
}

// reach is where the functions call a port: past the faults, if there are any.
func (m *machine) reach(name string) string {
	if proxied := m.proxied[name]; proxied != "" {
		return proxied
	}
	return m.url(name)
}

// plain says in one sentence why an address cannot be listened on.
func plain(address string, err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return fmt.Errorf("cannot listen on %s: %w", address, number)
	}
	return err
}
