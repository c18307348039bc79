package manifests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	core "k8s.io/api/core/v1"
	serving "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/aguante-chat/aguante/functions/chat"
)

// startable has chat start with the files that it is given: those of ConfigMaps and Secrets that are mounted.
func startable(o object, s *serving.Service, all []object) (fault error) {
	if o.name != "chat" {
		return nil
	}
	root, err := os.MkdirTemp("", "manifests-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	container := s.Spec.Template.Spec.Containers[0]
	if err := mount(root, s.Spec.Template.Spec.Volumes, container.VolumeMounts, all); err != nil {
		return err
	}
	given := map[string]string{}
	for _, e := range container.Env {
		given[e.Name] = e.Value
	}
	file := func(variable string) string {
		if path := given[variable]; path != "" {
			return filepath.Join(root, path)
		}
		return ""
	}
	getenv := func(name string) string {
		if len(container.EnvFrom) > 0 {
			return cmp.Or(given[name], "as the Secret may have it")
		}
		return given[name]
	}
	c := chat.Config{Strict: true, Getenv: getenv, EnginesFile: file("ENGINES_FILE"), LimitsFile: file("LIMITS_FILE"),
		KeysFile: file("KEYS_FILE"), PolicyFile: file("POLICY_FILE")}
	c.FlagsFile = file("FLAGS_FILE")
	f, err := chat.New(context.Background(), c)
	if err != nil {
		return fmt.Errorf("%s: %s", o, strings.ReplaceAll(err.Error(), root, ""))
	}
	return f.Close(context.Background())
}

// mount writes the files of ConfigMaps and Secrets below root, as a kubelet would. What the platform team makes is not there.
func mount(root string, volumes []core.Volume, mounts []core.VolumeMount, all []object) (faults error) {
	for _, m := range mounts {
		for _, v := range volumes {
			if v.Name != m.Name {
				continue
			}
			for name, content := range content(v, all) {
				path := filepath.Join(root, m.MountPath, name)
				faults = errors.Join(faults, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600))
			}
		}
	}
	return faults
}

// content is what a volume holds, by file name.
func content(v core.Volume, all []object) map[string][]byte {
	files := map[string][]byte{}
	for _, o := range all {
		switch is := o.is.(type) {
		case *core.ConfigMap:
			if v.ConfigMap != nil && v.ConfigMap.Name == is.Name {
				for name, text := range is.Data {
					files[name] = []byte(text)
				}
			}
		case *core.Secret:
			if v.Secret != nil && v.Secret.SecretName == is.Name {
				for name, data := range is.Data {
					files[name] = data
				}
			}
		}
	}
	return files
}
