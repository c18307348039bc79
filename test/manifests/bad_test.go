package manifests

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestWhatIsWrongIsSaid patches the dev overlay as one who is in a hurry would.
func TestWhatIsWrongIsSaid(t *testing.T) {
	annotate := func(key, value string) string {
		return "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: chat}\nspec: {template: {metadata: {annotations: {" + key + ": " + value + "}}}}\n"
	}
	for _, c := range []struct{ name, patch, want string }{
		{"an annotation that does not exist", annotate("autoscaling.knative.dev/targets", `"5"`),
			"Service chat: spec.template.metadata.annotations: Knative has no autoscaling.knative.dev/targets"},
		{"a unit that does not exist", annotate("autoscaling.knative.dev/window", `10sec`),
			"Service chat: invalid value: 10sec: spec.template.metadata.annotations.autoscaling.knative.dev/window"},
		{"a number that is none", annotate("autoscaling.knative.dev/target", `many`),
			"Service chat: invalid value: many: spec.template.metadata.annotations.autoscaling.knative.dev/target"},
		{"fewer at most than at least", annotate("autoscaling.knative.dev/min-scale", `"9"`),
			"Service chat: max-scale=5 is less than min-scale=9"},
		{"an annotation in the wrong place",
			"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: chat, annotations: {autoscaling.knative.dev/target: \"5\"}}\n",
			"autoscaling.knative.dev/target"},
		{"a field that does not exist",
			"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: chat}\nspec: {template: {spec: {timeoutSecond: 5}}}\n",
			`Service chat: error unmarshaling JSON: while decoding JSON: json: unknown field "timeoutSecond"`},
		{"a stream that outlives its instance",
			"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: chat}\nspec: {template: {spec: {timeoutSeconds: 6000}}}\n",
			"Service chat: expected 0 <= 6000 <= 600: spec.template.spec.timeoutSeconds"},
		{"a sink that is not there",
			"apiVersion: sources.knative.dev/v1\nkind: SinkBinding\nmetadata: {name: chat}\nspec: {sink: {ref: {name: elsewhere}}}\n",
			"SinkBinding chat: spec.sink: there is no Broker elsewhere"},
		{"a broker that is not there",
			"apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: trace}\nspec: {broker: other}\n",
			"Trigger trace: spec.broker: there is no Broker other"},
		{"a delivery without a unit",
			"apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: default}\nspec: {delivery: {timeout: 30s}}\n",
			"Broker default: invalid value: 30s: spec.delivery.timeout"},
		{"a Secret that is not there",
			"- {op: replace, path: /spec/template/spec/containers/0/envFrom/0/secretRef, value: {name: aguant}}",
			"Service chat: envFrom: there is no Secret aguant"},
		{"a variable that nobody reads",
			"- {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: REDIS_ULR, value: x}}",
			"Service chat: env: chat does not read REDIS_ULR"},
		{"a limit that cannot be",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aguante}\ndata: {limits.yaml: \"spend: {per_day: -1}\"}\n",
			"Service chat: chat: limits file: spend: per_day is no amount of USD"},
		{"an engine without an address",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aguante}\ndata: {engines.yaml: \"engines: [{name: a}]\"}\n",
			`Service chat: chat: engines file: /etc/aguante/engines.yaml: line 1: engine "a": url is missing`},
		{"a file that is not mounted",
			"- {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: KEYS_FILE, value: /etc/keys/keys.yaml}}",
			"Service chat: chat: keys file: stat /etc/keys/keys.yaml: no such file"},
		{"an object that is patched and not there",
			"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: chats}\n",
			`kustomize: no resource matches strategic merge patch "Service.v1.serving.knative.dev/chats`},
	} {
		t.Run(c.name, func(t *testing.T) {
			faults := patched(t, c.patch)
			if faults == nil || !strings.Contains(faults.Error(), c.want) {
				t.Errorf("said %v\nwant  %s", faults, c.want)
			}
		})
	}
}

// patched says what is wrong with the dev overlay after a patch.
func patched(t *testing.T, patch string) error {
	t.Helper()
	overlay := "resources: [" + devFolder(t) + "]\npatches:\n- path: patch.yaml\n"
	if strings.HasPrefix(patch, "-") {
		overlay += "  target: {group: serving.knative.dev, kind: Service, name: chat}\n"
	}
	folder := t.TempDir()
	files := filesys.MakeFsOnDisk()
	for name, text := range map[string]string{"kustomization.yaml": overlay, "patch.yaml": patch} {
		if err := files.WriteFile(folder+"/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := build(files, folder)
	return errors.Join(append(check(objects), err)...)
}

// devFolder is the dev overlay's, as seen from a folder elsewhere.
func devFolder(t *testing.T) string {
	t.Helper()
	here, err := filepath.Abs(config + "/overlays/dev")
	if err != nil {
		t.Fatal(err)
	}
	there, err := filepath.Rel(t.TempDir(), here)
	if err != nil {
		t.Fatal(err)
	}
	return there
}
