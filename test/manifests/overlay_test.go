// Package manifests holds config/knative against the types, defaults and validations of Kubernetes and Knative, and its
// objects against each other, without a cluster. `make manifests OVERLAY=folder` does the same to an overlay of one's own.
package manifests

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var overlay = flag.String("folder", "", "the folder of an overlay to check, instead of those of the repository")

const config = "../../config/knative"

// build gives the objects of an overlay, as `kubectl apply -k` would send them.
func build(files filesys.FileSystem, folder string) ([]object, error) {
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = kustomize.LoadRestrictionsNone // an overlay of one's own may lie anywhere
	built, err := krusty.MakeKustomizer(options).Run(files, folder)
	if err != nil {
		return nil, fmt.Errorf("kustomize: %w", err)
	}
	var all []object
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		o, err := decode(text)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

func TestEveryOverlayIsWhatItsClusterTakes(t *testing.T) {
	folders := []string{config + "/base", config + "/overlays/dev", config + "/overlays/production", "../e2e/manifests"}
	if *overlay != "" {
		folders = []string{*overlay}
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			objects, err := build(filesys.MakeFsOnDisk(), folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range check(objects) {
				t.Error(err)
			}
		})
	}
}
