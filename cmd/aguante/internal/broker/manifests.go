package broker

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"knative.dev/eventing/pkg/apis/config"
	eventingduck "knative.dev/eventing/pkg/apis/duck/v1"
	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/eventing/pkg/apis/feature"
	"knative.dev/pkg/apis"
	duck "knative.dev/pkg/apis/duck/v1"
	"sigs.k8s.io/yaml"
)

//go:generate sh -c "rm -rf manifests && cp -R ../../../../config/knative/base manifests"

//go:embed manifests
var embedded embed.FS

// Manifests are those of config/knative/base, as they were when the command was built.
func Manifests() fs.FS {
	files, err := fs.Sub(embedded, "manifests")
	if err != nil {
		panic(err) // the directory is part of the binary
	}
	return files
}

// objects are what a broker needs of a folder of manifests.
type objects struct {
	broker   *eventing.Broker
	triggers []*eventing.Trigger
}

// read finds the one Broker and its Triggers in files, defaulted and validated as Knative's webhook does. Other kinds
// are left to Knative.
func read(ctx context.Context, files fs.FS) (*objects, error) {
	ctx = inCluster(ctx)
	var o objects
	paths, err := fs.Glob(files, "*.yaml")
	for _, path := range paths {
		content, readErr := fs.ReadFile(files, path)
		if err = errors.Join(readErr, o.add(ctx, content)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case o.broker == nil:
		return nil, errors.New("there is no Broker")
	}
	for _, t := range o.triggers {
		if t.Spec.Broker != o.broker.Name {
			return nil, fmt.Errorf("trigger %s: there is no broker %q", t.Name, t.Spec.Broker)
		}
	}
	return &o, nil
}

// inCluster stands for the ConfigMaps config-features and config-br-defaults of a cluster that has this broker.
func inCluster(ctx context.Context) context.Context {
	ctx = feature.ToContext(ctx, feature.Flags{feature.DeliveryTimeout: feature.Enabled, feature.DeliveryRetryAfter: feature.Enabled})
	class := &config.DefaultConfig{DefaultBrokerClass: "aguante", BrokerConfig: &config.BrokerConfig{}}
	return config.ToContext(ctx, &config.Config{Defaults: &config.Defaults{ClusterDefaultConfig: class}})
}

func (o *objects) add(ctx context.Context, content []byte) error {
	documents := kyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = o.addOne(ctx, document)
		}
		if err != nil {
			return err
		}
	}
}

func (o *objects) addOne(ctx context.Context, document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.GroupVersionKind() {
	case eventing.SchemeGroupVersion.WithKind("Broker"):
		if o.broker != nil {
			return errors.New("a second Broker")
		}
		o.broker = new(eventing.Broker)
		return decode(ctx, document, o.broker, &o.broker.ObjectMeta)
	case eventing.SchemeGroupVersion.WithKind("Trigger"):
		t := new(eventing.Trigger)
		o.triggers = append(o.triggers, t)
		return decode(ctx, document, t, &t.ObjectMeta)
	}
	return nil
}

// checked is what Knative's webhook does to an object.
type checked interface {
	apis.Defaultable
	apis.Validatable
}

func decode(ctx context.Context, document []byte, into checked, meta *metav1.ObjectMeta) error {
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		return err
	}
	meta.Namespace = cmp.Or(meta.Namespace, "default")
	into.SetDefaults(ctx)
	if err := into.Validate(ctx); err != nil {
		return fmt.Errorf("%T %s: %w", into, meta.Name, err)
	}
	return nil
}

// delivery is the trigger's own, or else the broker's; a dead-letter sink that the trigger's does not name is the
// broker's too.
func (o *objects) delivery(t *eventing.Trigger) eventingduck.DeliverySpec {
	var d eventingduck.DeliverySpec
	ofBroker := o.broker.Spec.Delivery
	switch {
	case t.Spec.Delivery != nil:
		d = *t.Spec.Delivery
		if d.DeadLetterSink == nil && ofBroker != nil {
			d.DeadLetterSink = ofBroker.DeadLetterSink
		}
	case ofBroker != nil:
		d = *ofBroker
	}
	return d
}

// resolve gives the address of a destination, whose Service is at the URL that services has for its name.
func resolve(d duck.Destination, services map[string]string) (*apis.URL, error) {
	if d.Ref == nil {
		return d.URI, nil
	}
	base, ok := services[d.Ref.Name]
	if !ok || d.Ref.Kind != "Service" {
		return nil, fmt.Errorf("no address for %s %s", d.Ref.Kind, d.Ref.Name)
	}
	url, err := apis.ParseURL(base)
	if err != nil || d.URI == nil {
		return url, err
	}
	return url.ResolveReference(d.URI), nil
}
