package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"
)

// inside calls a service or pod of the cluster through the API server: services/NAME:PORT or pods/NAME:PORT.
func inside(ctx context.Context, method, in, what, path string, header http.Header, body io.Reader) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, api+"/api/v1/namespaces/"+in+"/"+what+"/proxy"+path, body)
	if err != nil {
		return 0, nil, err
	}
	request.Header = header
	return do(http.DefaultClient, request)
}

func do(client *http.Client, request *http.Request) (int, []byte, error) {
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return answer.StatusCode, content, err
}

// outside is a client that finds Services by their URLs, as callers from outside the cluster do.
func outside() *http.Client {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{MaxIdleConnsPerHost: 200, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if at := os.Getenv(ingress); at != "" {
			address = at
		}
		return dialer.DialContext(ctx, network, address)
	}}
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// serviceURL is where a Service says that it is.
func serviceURL(t testing.TB, name string) string {
	t.Helper()
	address := serviceOf(t, name).Status.URL
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		t.Fatalf("%s has no URL: %q", name, address)
	}
	return address
}
