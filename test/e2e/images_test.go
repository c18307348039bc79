package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const mostCompressed = 20 << 20 // bytes of an image

// pull reads the manifest of an image, where ko pushed it to.
func pull(t testing.TB, reference string) v1.Image {
	t.Helper()
	var options []name.Option
	if strings.Contains(os.Getenv(koFlags), "--insecure-registry") {
		options = append(options, name.Insecure)
	}
	at, err := name.ParseReference(reference, options...)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(at, remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("%s: %v", reference, err)
	}
	return image
}

func TestImagesAreSmallRunAsNobodyAndListWhatIsInThem(t *testing.T) {
	for function, template := range applied {
		var revision struct {
			Spec struct{ Containers []struct{ Image string } }
		}
		if err := json.Unmarshal(template, &revision); err != nil {
			t.Fatal(err)
		}
		reference := revision.Spec.Containers[0].Image
		image := pull(t, reference)
		manifest, err := image.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		size := manifest.Config.Size
		for _, layer := range manifest.Layers {
			size += layer.Size
		}
		if size > mostCompressed {
			t.Errorf("%s has %d bytes", function, size)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if user := config.Config.User; user == "" || user == "0" || strings.HasPrefix(user, "root") || strings.HasPrefix(user, "0:") {
			t.Errorf("%s runs as %q", function, user)
		}
		bill, repository := billOfMaterials(t, reference), "github.com/aguante-chat/aguante/functions/"+function
		if len(bill) < 10 || !strings.Contains(strings.Join(bill, " "), repository) {
			t.Errorf("the bill of materials of %s has %v", function, bill)
		}
		t.Logf("%s: %.1f MB compressed, %d modules in its bill of materials", function, float64(size)/(1<<20), len(bill))
	}
}

// billOfMaterials are the names of the packages in an image's SPDX document, which ko pushes beside it.
func billOfMaterials(t testing.TB, reference string) (names []string) {
	t.Helper()
	repository, digest, _ := strings.Cut(reference, "@sha256:")
	repository, _, _ = strings.Cut(repository, "@")
	layers, err := pull(t, repository+":sha256-"+digest+".sbom").Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("the bill of materials has %d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var document struct{ Packages []struct{ Name string } }
	if err := json.NewDecoder(content).Decode(&document); err != nil {
		t.Fatal(err)
	}
	for _, p := range document.Packages {
		names = append(names, p.Name)
	}
	return names
}
