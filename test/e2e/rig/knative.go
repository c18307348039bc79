package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// unused are kinds and programs that a small cluster does without.
var unused = []string{"HorizontalPodAutoscaler", "PodDisruptionBudget", "Deployment job-sink", "StatefulSet request-reply"}

// configured is what Knative's ConfigMaps say here and not by default: the proxy and the names of this cluster, decisions
// about scale within seconds, and sidecars that reserve little.
var configured = map[string]map[string]any{
	"config-network":    {"ingress-class": "rig.ingress.networking.knative.dev"},
	"config-domain":     {"aguante.test": ""},
	"config-autoscaler": {"stable-window": "6s", "scale-to-zero-grace-period": "6s"},
	"config-deployment": {"queue-sidecar-image": "ko://knative.dev/serving/cmd/queue", "queue-sidecar-cpu-request": "10m"},
}

// system are the images that the cluster itself needs.
func system(binaries string) []container {
	images := []container{program("pause", filepath.Join(binaries, "pause"))}
	for _, project := range []string{"serving", "eventing"} {
		found, _ := filepath.Glob(filepath.Join(binaries, project, "*"))
		for _, binary := range found {
			images = append(images, program(project+"-"+filepath.Base(binary), binary))
		}
	}
	return images
}

// knative applies Knative's manifests and waits until its deployments are available.
func knative(ctx context.Context, binaries string) error {
	content, err := os.ReadFile(filepath.Join(binaries, "knative.yaml"))
	if err != nil {
		return err
	}
	definitions, others, err := tailored(content)
	if err != nil {
		return err
	}
	if err := apply(ctx, definitions); err != nil {
		return err
	}
	if err := kubectl(ctx, nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"); err != nil {
		return err
	}
	if err := apply(ctx, others); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, namespace := range []string{"knative-serving", "knative-eventing"} {
		group.Go(func() error {
			return kubectl(ctx, nil, "wait", "--for=condition=Available", "deployment", "--all", "--namespace", namespace, "--timeout=300s")
		})
	}
	return group.Wait()
}

func apply(ctx context.Context, documents []byte) error {
	return kubectl(ctx, documents, "apply", "--server-side", "--force-conflicts", "-f", "-")
}

// tailored fits Knative's manifests to this cluster: the definitions and namespaces, and what needs them.
func tailored(content []byte) (definitions, others []byte, err error) {
	var programs []byte // last: they do not start without their accounts and ConfigMaps
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return definitions, append(others, programs...), nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("knative's manifests: %w", err)
		}
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, nil, fmt.Errorf("knative's manifests: %w", err)
		}
		if len(object) == 0 {
			continue
		}
		kind, name := object["kind"].(string), object["metadata"].(map[string]any)["name"].(string)
		if slices.Contains(unused, kind) || slices.Contains(unused, kind+" "+name) {
			continue
		}
		if kind == "ConfigMap" && configured[name] != nil {
			object["data"] = configured[name]
		}
		fit(object)
		target := &others
		switch kind {
		case "CustomResourceDefinition", "Namespace":
			target = &definitions
		case "Deployment":
			target = &programs
		}
		fitted, err := yaml.Marshal(object)
		if err != nil {
			return nil, nil, err
		}
		*target = append(append(*target, fitted...), "---\n"...)
	}
}

// fit names the images that were loaded, reserves nothing on a small machine, and asks at once whether a program is ready,
// but not whether it is alive: one that starts slowly would be killed for it.
func fit(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if _, probe := v["initialDelaySeconds"].(float64); probe {
			delete(v, "initialDelaySeconds")
		}
		if _, container := v["image"].(string); container {
			delete(v, "livenessProbe")
		}
		if r, ok := v["resources"].(map[string]any); ok && r["requests"] != nil {
			delete(v, "resources")
		}
		for key := range v {
			v[key] = fit(v[key])
		}
	case []any:
		for n := range v {
			v[n] = fit(v[n])
		}
	case string:
		if path, is := strings.CutPrefix(v, "ko://knative.dev/"); is {
			return repository + "/" + strings.Split(path, "/")[0] + "-" + filepath.Base(path) + tag
		}
	}
	return value
}
