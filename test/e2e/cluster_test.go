// Package e2e holds config/knative against a real Kubernetes with real Knative: make e2e.
package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

const namespace = "aguante"

// Variables, beside KUBECONFIG, that make e2e sets.
const (
	enabled = "AGUANTE_E2E"         // not empty: run; a KUBECONFIG alone may lead anywhere
	ingress = "AGUANTE_E2E_INGRESS" // host:port of the ingress, where the names of Services lead nowhere
	images  = "KO_DOCKER_REPO"      // where the functions' images are, with the tag e2e
)

var keep = flag.Bool("keep", false, "the namespace may be there already, and stays")

// api is where everything in the cluster is, through a door: kubectl proxy.
var (
	api  string
	door = &exec.Cmd{}
)

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(enabled) == "" {
		fmt.Println("no cluster: make e2e")
		return
	}
	os.Exit(inCluster(m))
}

func inCluster(m *testing.M) (code int) {
	ctx, stop := context.WithCancel(context.Background())
	defer func() {
		stop()
		if door.Process != nil {
			_ = door.Wait() // it was killed
		}
	}()
	if !*keep {
		if name, err := run(ctx, "", "get", "namespace", namespace, "--ignore-not-found", "-o", "name"); err != nil || name != "" {
			fmt.Fprintln(os.Stderr, "e2e makes the namespace", namespace, "and deletes it in the end, but it is there already, or the cluster is not:", name, err)
			return 1
		}
		defer func() {
			if _, err := run(ctx, "", "delete", "namespace", namespace, "--wait=false"); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}()
	}
	if err := errors.Join(install(ctx), openDoor(ctx), warm(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// run runs kubectl and gives what it printed.
func run(ctx context.Context, input string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "kubectl", arguments...)
	command.Stdin = strings.NewReader(input)
	output, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(output)), err
}

var unresolved = regexp.MustCompile(`ko://github\.com/aguante-chat/aguante/\S*?([a-z]+)\n`)

// install applies the dev overlay and waits until all of it is Ready.
func install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	began := time.Now()
	manifests, err := run(ctx, "", "kustomize", "manifests")
	if err != nil {
		return err
	}
	resolved := unresolved.ReplaceAllString(manifests+"\n", os.Getenv(images)+"/$1:e2e\n")
	if _, err := run(ctx, resolved, "apply", "-f", "-"); err != nil {
		return err
	}
	for _, kind := range []string{"ksvc", "broker", "trigger", "sinkbinding"} {
		if _, err := run(ctx, "", "wait", "--for=condition=Ready", kind, "--all", "-n", namespace, "--timeout=240s"); err != nil {
			return err
		}
	}
	if _, err := run(ctx, "", "wait", "--for=condition=Available", "deployment", "redis", "neo4j", "engine", "-n", namespace, "--timeout=240s"); err != nil {
		return err
	}
	fmt.Printf("dev overlay applied → Services, Broker, Triggers, SinkBindings Ready: %.1f s\n", time.Since(began).Seconds())
	return nil
}

// warm takes turns until one is in the graph: a cold Neo4j takes longer for its first write than any turn should wait.
func warm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	address, err := run(ctx, "", "get", "ksvc", "chat", "-n", namespace, "-o", "jsonpath={.status.url}")
	if err != nil {
		return err
	}
	c := &caller{client: outside(), chat: address}
	defer c.client.CloseIdleConnections()
	for ctx.Err() == nil {
		user := someone("early")
		if _, _, err = c.ask(ctx, user, "I live in Cuenca."); err != nil {
			continue
		}
		for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
			if c.remembers(ctx, user, "Where do I live?", "Cuenca") {
				return nil
			}
		}
	}
	return fmt.Errorf("no turn is in the graph: %w", errors.Join(err, ctx.Err()))
}

// openDoor starts kubectl proxy, which ends with ctx.
func openDoor(ctx context.Context) error {
	door = exec.CommandContext(ctx, "kubectl", "proxy", "--port=0")
	output, err := door.StdoutPipe()
	if err != nil {
		return err
	}
	if err := door.Start(); err != nil {
		return fmt.Errorf("kubectl proxy: %w", err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return fmt.Errorf("kubectl proxy: %w", err)
	}
	api = "http://" + strings.TrimSpace(strings.TrimPrefix(line, "Starting to serve on "))
	return nil
}

// k runs kubectl in the namespace.
func k(t testing.TB, arguments ...string) string {
	t.Helper()
	output, err := run(t.Context(), "", append([]string{"-n", namespace}, arguments...)...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// patch changes the template of a Service, and waits for its new revision. In the end the Service is what it was.
func patch(t testing.TB, service, template string) {
	t.Helper()
	var before struct {
		Spec struct{ Template json.RawMessage }
	}
	if err := json.Unmarshal([]byte(k(t, "get", "ksvc", service, "-o", "json")), &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		was := fmt.Sprintf(`[{"op": "replace", "path": "/spec/template", "value": %s}]`, before.Spec.Template)
		if _, err := run(context.Background(), "", "patch", "ksvc", service, "-n", namespace, "--type=json", "-p", was); err != nil {
			t.Error(err)
		}
	})
	k(t, "patch", "ksvc", service, "--type=merge", "-p", `{"spec": {"template": `+template+`}}`)
	ready(t, service)
}

// annotate changes annotations of a Service's template.
func annotate(t testing.TB, service string, annotations map[string]string) {
	t.Helper()
	full := map[string]string{}
	for name, value := range annotations {
		full["autoscaling.knative.dev/"+name] = value
	}
	template, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": full}}) // of strings
	patch(t, service, string(template))
}

// ready waits until the newest generation of a Service is Ready.
func ready(t testing.TB, service string) {
	t.Helper()
	eventually(t, service+" is Ready", 2*time.Minute, func() bool {
		said := k(t, "get", "ksvc", service, "-o", `jsonpath={.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type=="Ready")].status}`)
		words := strings.Fields(said)
		return len(words) == 3 && words[0] == words[1] && words[2] == "True"
	})
}

// pods are the names of a Service's pods that are not on their way out.
func pods(t testing.TB, service string) []string {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata struct {
				Name              string
				DeletionTimestamp *time.Time
			}
			Status struct{ Phase string }
		}
	}
	selector := "serving.knative.dev/service=" + service
	if service == "redis" || service == "neo4j" || service == "engine" {
		selector = "app=" + service
	}
	if err := json.Unmarshal([]byte(k(t, "get", "pods", "-l", selector, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range list.Items {
		if p.Metadata.DeletionTimestamp == nil && p.Status.Phase != "Failed" && p.Status.Phase != "Succeeded" {
			names = append(names, p.Metadata.Name)
		}
	}
	return names
}

// eventually retries until holds says yes.
func eventually(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}

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
func serviceURL(t testing.TB, service string) string {
	t.Helper()
	address := k(t, "get", "ksvc", service, "-o", "jsonpath={.status.url}")
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		t.Fatalf("%s has no URL: %q", service, address)
	}
	return address
}
