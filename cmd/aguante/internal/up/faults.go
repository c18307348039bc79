package up

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/gorilla/mux"
	"github.com/rs/zerolog"

	"github.com/aguante-chat/aguante/shared/serve"
)

// faults are Toxiproxy's proxies between the functions and what they call, one for each dependency and by its name, and
// Toxiproxy's HTTP API, by which drills and operators make them slow, silent or dead.
type faults struct {
	server *toxiproxy.ApiServer
	gate   net.Listener // where calls to the embedded graph turn round
}

func newFaults() *faults {
	return &faults{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
}

// between puts the proxy name before the address upstream and returns its own.
func (f *faults) between(name, upstream string) (string, error) {
	proxy := toxiproxy.NewProxy(f.server, name, "127.0.0.1:0", upstream)
	if err := f.server.Collection.Add(proxy, true); err != nil {
		return "", fmt.Errorf("--faults: %s: %w", name, err)
	}
	return proxy.Listen, nil
}

// reroute puts the proxy name before the server that a URL names. Through a proxy goes only what neither encrypts (its
// certificate would not be the proxy's) nor finds its servers itself.
func (f *faults) reroute(name, text, scheme, port string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != scheme || u.Hostname() == "" || strings.Contains(u.RawQuery, "cluster") {
		return "", fmt.Errorf("--faults: only a single %s at %s:// can be drilled", name, scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	u.Host, err = f.between(name, net.JoinHostPort(u.Hostname(), port))
	return u.String(), err
}

// startFaults puts proxies before everything that the functions call, and serves the API on --faults.
func (m *machine) startFaults() (err error) {
	if m.Faults == "" {
		return nil
	}
	f := newFaults()
	m.onStop(f.close)
	for _, name := range []string{"broker", "materialize", "trace"} {
		address, err := f.between(name, strings.TrimPrefix(m.url(name), "http://"))
		if err != nil {
			return err
		}
		m.proxied[name] = "http://" + address
	}
	if m.stores.redisURL, err = f.reroute("redis", m.stores.redisURL, "redis", "6379"); err != nil {
		return err
	}
	if m.Neo4j, err = f.reroute("neo4j", m.Neo4j, "bolt", "7687"); err != nil {
		return err
	}
	if m.stores.graph != nil {
		if m.stores.graph, err = f.gated(m.stores.graph); err != nil {
			return err
		}
	}
	m.serve("faults", f.handler(), func(context.Context) error { return nil })
	return nil
}

// handler is Toxiproxy's API without the parts that add or remove proxies.
func (f *faults) handler() http.Handler {
	s, r := f.server, mux.NewRouter()
	r.HandleFunc("/reset", s.ResetState).Methods(http.MethodPost)
	r.HandleFunc("/version", s.Version).Methods(http.MethodGet)
	r.HandleFunc("/proxies", s.ProxyIndex).Methods(http.MethodGet)
	r.HandleFunc("/proxies/{proxy}", s.ProxyShow).Methods(http.MethodGet)
	r.HandleFunc("/proxies/{proxy}", s.ProxyUpdate).Methods(http.MethodPost)
	r.HandleFunc("/proxies/{proxy}/toxics", s.ToxicIndex).Methods(http.MethodGet)
	r.HandleFunc("/proxies/{proxy}/toxics", s.ToxicCreate).Methods(http.MethodPost)
	r.HandleFunc("/proxies/{proxy}/toxics/{toxic}", s.ToxicShow).Methods(http.MethodGet)
	r.HandleFunc("/proxies/{proxy}/toxics/{toxic}", s.ToxicUpdate).Methods(http.MethodPost)
	r.HandleFunc("/proxies/{proxy}/toxics/{toxic}", s.ToxicDelete).Methods(http.MethodDelete)
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.UserAgent(), "Mozilla/") { // as Toxiproxy: no page may break things
			serve.Problem(w, request, http.StatusForbidden, "No browsers", "Faults are not injected from web pages.", nil)
			return
		}
		r.ServeHTTP(w, request)
	})
}

// close cuts what still goes through the proxies.
func (f *faults) close(ctx context.Context) error {
	if f.gate != nil {
		_ = f.gate.Close()
	}
	for _, proxy := range f.server.Collection.Proxies() {
		proxy.Toxics.ResetToxics(ctx) // a slow one would still wait
	}
	return f.server.Collection.Clear()
}

// checkFaults wants the address in full: whoever reaches it can break the system.
func checkFaults(address string) error {
	if host, _, err := net.SplitHostPort(address); address != "" && (err != nil || host == "") {
		return fmt.Errorf("--faults: %q is no host and port: give both, such as 127.0.0.1:8474", address)
	}
	return nil
}
