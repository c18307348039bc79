package manifests

import (
	"context"
	"fmt"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	brokers "knative.dev/eventing/pkg/apis/config"
	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	policies "knative.dev/eventing/pkg/apis/eventing/v1alpha1"
	types "knative.dev/eventing/pkg/apis/eventing/v1beta2"
	events "knative.dev/eventing/pkg/apis/feature"
	sources "knative.dev/eventing/pkg/apis/sources/v1"
	"knative.dev/pkg/apis"
	duck "knative.dev/pkg/apis/duck/v1"
	services "knative.dev/serving/pkg/apis/config"
	serving "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/yaml"
)

// object is one of an overlay, in its own type.
type object struct {
	kind schema.GroupVersionKind
	name string
	is   metav1.Object
}

func (o object) String() string { return o.kind.Kind + " " + o.name }

// kinds are all that an overlay may hold.
var kinds = map[schema.GroupVersionKind]func() metav1.Object{
	core.SchemeGroupVersion.WithKind("Namespace"):             func() metav1.Object { return &core.Namespace{} },
	core.SchemeGroupVersion.WithKind("ConfigMap"):             func() metav1.Object { return &core.ConfigMap{} },
	core.SchemeGroupVersion.WithKind("Secret"):                func() metav1.Object { return &core.Secret{} },
	core.SchemeGroupVersion.WithKind("Service"):               func() metav1.Object { return &core.Service{} },
	apps.SchemeGroupVersion.WithKind("Deployment"):            func() metav1.Object { return &apps.Deployment{} },
	policy.SchemeGroupVersion.WithKind("PodDisruptionBudget"): func() metav1.Object { return &policy.PodDisruptionBudget{} },
	network.SchemeGroupVersion.WithKind("NetworkPolicy"):      func() metav1.Object { return &network.NetworkPolicy{} },
	serving.SchemeGroupVersion.WithKind("Service"):            func() metav1.Object { return &serving.Service{} },
	eventing.SchemeGroupVersion.WithKind("Broker"):            func() metav1.Object { return &eventing.Broker{} },
	eventing.SchemeGroupVersion.WithKind("Trigger"):           func() metav1.Object { return &eventing.Trigger{} },
	types.SchemeGroupVersion.WithKind("EventType"):            func() metav1.Object { return &types.EventType{} },
	policies.SchemeGroupVersion.WithKind("EventPolicy"):       func() metav1.Object { return &policies.EventPolicy{} },
	sources.SchemeGroupVersion.WithKind("SinkBinding"):        func() metav1.Object { return &sources.SinkBinding{} },
	sources.SchemeGroupVersion.WithKind("PingSource"):         func() metav1.Object { return &sources.PingSource{} },
}

// decode wants every field to be known: a cluster would drop the others without a word.
func decode(text []byte) (object, error) {
	var meta metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(text, &meta); err != nil {
		return object{}, err
	}
	o := object{kind: meta.GroupVersionKind(), name: meta.Name}
	made, known := kinds[o.kind]
	if !known {
		return o, fmt.Errorf("%s: no kind %s is known", o, o.kind.GroupVersion())
	}
	o.is = made()
	if err := yaml.UnmarshalStrict(text, o.is); err != nil {
		return o, fmt.Errorf("%s: %w", o, err)
	}
	return o, nil
}

// cluster stands for the ConfigMaps of a cluster as docs/knative.md wants it, whose default broker is the in-memory one.
func cluster() context.Context {
	features, _ := services.NewFeaturesConfigFromMap(map[string]string{"kubernetes.podspec-topologyspreadconstraints": "enabled"})
	defaults, _ := services.NewDefaultsConfigFromMap(nil)
	ctx := services.ToContext(context.Background(), &services.Config{Features: features, Defaults: defaults})
	ctx = events.ToContext(ctx, events.Flags{events.DeliveryTimeout: events.Enabled, events.OIDCAuthentication: events.Enabled})
	memory := &brokers.BrokerConfig{KReference: &duck.KReference{APIVersion: "v1", Kind: "ConfigMap", Name: "config-br-default-channel", Namespace: "knative-eventing"}}
	return brokers.ToContext(ctx, &brokers.Config{Defaults: &brokers.Defaults{ClusterDefaultConfig: &brokers.DefaultConfig{
		DefaultBrokerClass: "MTChannelBasedBroker", BrokerConfig: memory}}})
}

// admitted is what Knative's webhook says of an object.
func admitted(o object) error {
	ctx := apis.WithinCreate(cluster())
	if d, is := o.is.(apis.Defaultable); is {
		d.SetDefaults(ctx)
	}
	if v, is := o.is.(apis.Validatable); is {
		if err := v.Validate(ctx); err != nil {
			return fmt.Errorf("%s: %w", o, err)
		}
	}
	return nil
}
