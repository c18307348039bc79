// Package e2e holds config/knative against a real Kubernetes with real Knative: make e2e.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const namespace = "aguante"

// Variables, beside KUBECONFIG, that make e2e sets.
const (
	enabled = "AGUANTE_E2E"         // not empty: run; a KUBECONFIG alone may lead anywhere
	ingress = "AGUANTE_E2E_INGRESS" // host:port of the ingress, where the names of Services lead nowhere
	koFlags = "KO_FLAGS"            // for ko, beside its own variables
)

var keep = flag.Bool("keep", false, "the namespace may be there already, and stays")

// api is where everything in the cluster is, through a door: kubectl proxy. applied are the templates of Services as the
// overlay has them.
var (
	api     string
	door    = &exec.Cmd{}
	applied = map[string]json.RawMessage{}
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

// install applies the dev overlay and waits until all of it is Ready.
func install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	began := time.Now()
	manifests, err := run(ctx, "", "kustomize", "manifests")
	if err != nil {
		return err
	}
	resolved, err := resolve(ctx, manifests)
	if err != nil {
		return err
	}
	fmt.Printf("images built and pushed by ko: %.1f s\n", time.Since(began).Seconds())
	began = time.Now()
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
	if err := keepTemplates(ctx); err != nil {
		return err
	}
	fmt.Printf("dev overlay applied → Services, Broker, Triggers, SinkBindings Ready: %.1f s\n", time.Since(began).Seconds())
	return nil
}

// keepTemplates fills applied.
func keepTemplates(ctx context.Context) error {
	said, err := run(ctx, "", "get", "ksvc", "-n", namespace, "-o", "json")
	var list struct{ Items []service }
	err = errors.Join(err, json.Unmarshal([]byte(said), &list))
	for _, s := range list.Items {
		applied[s.Metadata.Name] = s.Spec.Template
	}
	return err
}

// resolve has ko build the images that manifests name, push them, and put their digests in place of the names.
func resolve(ctx context.Context, manifests string) (string, error) {
	ko := exec.CommandContext(ctx, "bin/ko", append([]string{"resolve", "-f", "-"}, strings.Fields(os.Getenv(koFlags))...)...)
	ko.Dir, ko.Stdin = "../..", strings.NewReader(manifests)
	var said bytes.Buffer
	ko.Stderr = &said
	resolved, err := ko.Output()
	if err != nil {
		err = fmt.Errorf("ko resolve: %w: %s", err, said.Bytes())
	}
	return string(resolved), err
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
			time.Sleep(200 * time.Millisecond) // of rest for what it waits for
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
