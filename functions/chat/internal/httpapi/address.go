package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// ParseProxies reads networks in CIDR form.
func ParseProxies(networks []string) (Proxies, error) {
	var p Proxies
	for _, network := range networks {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, fmt.Errorf("trusted proxies: %w", err)
		}
		p = append(p, prefix.Masked())
	}
	return p, nil
}

func (p Proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(a) })
}

// client is the address that anonymous callers are told apart by: that of the connection or, while that is a trusted
// proxy's, the one that the proxy wrote down last. What is left of the first address that nobody vouches for is what
// anyone may have made up. IPv6 callers are counted by their /64, of which one host has plenty.
func (p Proxies) client(r *http.Request) netip.Addr {
	connection, _ := netip.ParseAddrPort(r.RemoteAddr)
	address := connection.Addr().Unmap()
	var forwarded []string
	if p.trusts(address) {
		forwarded = strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	}
	for _, entry := range slices.Backward(forwarded) {
		if !p.trusts(address) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(entry))
		if err != nil {
			break
		}
		address = before.Unmap()
	}
	if address.Is6() {
		if network, err := address.WithZone("").Prefix(64); err == nil {
			address = network.Addr()
		}
	}
	return address
}
