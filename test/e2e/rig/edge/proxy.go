package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	knative "knative.dev/networking/pkg/client/clientset/versioned"
	listers "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
)

// controller turns Ingresses of its class into the proxy's rules, and tells each that it is in force.
type controller struct {
	client knative.Interface
	lister listers.IngressLister
	proxy  *proxy
}

func (c *controller) follow(ctx context.Context) {
	all, err := c.lister.List(labels.Everything())
	if err != nil {
		return // of a cache: it has none
	}
	rules := map[string]v1alpha1.IngressRule{}
	var mine []*v1alpha1.Ingress
	for _, i := range all {
		if i.Annotations[networking.IngressClassAnnotationKey] != class || i.DeletionTimestamp != nil {
			continue
		}
		mine = append(mine, i)
		for _, r := range i.Spec.Rules {
			for _, host := range r.Hosts {
				rules[host] = r
			}
		}
	}
	c.proxy.rules.Store(&rules)
	for _, i := range mine {
		if i.IsReady() && i.Status.ObservedGeneration == i.Generation {
			continue
		}
		ready := i.DeepCopy()
		ready.Status.InitializeConditions()
		ready.Status.MarkNetworkConfigured()
		here := []v1alpha1.LoadBalancerIngressStatus{{IP: address}}
		ready.Status.MarkLoadBalancerReady(here, here)
		ready.Status.ObservedGeneration = i.Generation
		// A conflict means that there is a newer one, and so another call.
		if _, err := c.client.NetworkingV1alpha1().Ingresses(i.Namespace).UpdateStatus(ctx, ready, metav1.UpdateOptions{}); err != nil {
			slog.Warn("status of an ingress", "ingress", i.Name, "error", err)
		}
	}
}

// proxy sends requests to the revisions that the rules name.
type proxy struct {
	rules   atomic.Pointer[map[string]v1alpha1.IngressRule]
	lookup  *lookup
	forward *httputil.ReverseProxy
}

func newProxy(l *lookup) *proxy {
	p := &proxy{lookup: l}
	p.rules.Store(&map[string]v1alpha1.IngressRule{})
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "backend"
		},
		Transport:     &balancer{lookup: l, http1: transport(false), http2: transport(true)},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			slog.Warn("bad gateway", "host", r.Host, "path", r.URL.Path, "error", err)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return p
}

func transport(http2 bool) *http.Transport {
	t := &http.Transport{Protocols: new(http.Protocols), MaxIdleConnsPerHost: 100, IdleConnTimeout: time.Minute,
		DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext}
	t.Protocols.SetHTTP1(!http2)
	t.Protocols.SetUnencryptedHTTP2(http2)
	return t
}

type backendKey struct{}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	rule, known := (*p.rules.Load())[host]
	if known && from == outside && rule.Visibility == v1alpha1.IngressVisibilityClusterLocal {
		known = false
	}
	if !known || rule.HTTP == nil {
		http.Error(w, "no service has this name", http.StatusNotFound)
		return
	}
	for _, path := range rule.HTTP.Paths {
		if !strings.HasPrefix(r.URL.Path, path.Path) || !hasHeaders(r.Header, path.Headers) {
			continue
		}
		split := choose(path.Splits)
		for _, more := range []map[string]string{path.AppendHeaders, split.AppendHeaders} {
			for name, value := range more {
				r.Header.Set(name, value)
			}
		}
		if path.RewriteHost != "" {
			r.Host = path.RewriteHost
		}
		p.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), backendKey{}, split.IngressBackend)))
		return
	}
	http.Error(w, "no service has this path", http.StatusNotFound)
}

func hasHeaders(h http.Header, wanted map[string]v1alpha1.HeaderMatch) bool {
	for name, match := range wanted {
		if h.Get(name) != match.Exact {
			return false
		}
	}
	return true
}

// choose picks a split by its percentage.
func choose(splits []v1alpha1.IngressBackendSplit) v1alpha1.IngressBackendSplit {
	n := rand.IntN(100)
	for _, s := range splits {
		if n -= s.Percent; n < 0 {
			return s
		}
	}
	return splits[0]
}

// balancer sends each request to one of its backend's endpoints, and to another where it finds nobody listening.
type balancer struct {
	lookup       *lookup
	http1, http2 *http.Transport
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	backend := r.Context().Value(backendKey{}).(v1alpha1.IngressBackend)
	endpoints, http2 := b.lookup.endpoints(backend)
	if len(endpoints) == 0 {
		return nil, errors.New(backend.ServiceName + " has no endpoints")
	}
	t := b.http1
	if http2 {
		t = b.http2
	}
	var err error
	for _, n := range rand.Perm(len(endpoints)) {
		attempt := r.Clone(r.Context())
		attempt.URL.Host = endpoints[n]
		var answer *http.Response
		answer, err = t.RoundTrip(attempt)
		if dial := (*net.OpError)(nil); !errors.As(err, &dial) || dial.Op != "dial" {
			return answer, err
		}
	}
	return nil, err
}
