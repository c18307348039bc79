package manifests

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	sources "knative.dev/eventing/pkg/apis/sources/v1"
	duck "knative.dev/pkg/apis/duck/v1"
	"knative.dev/serving/pkg/apis/autoscaling"
	serving "knative.dev/serving/pkg/apis/serving/v1"
)

// provided are the objects that the platform team makes: docs/knative.md says how.
var provided = []string{"Secret aguante"}

// check names what is wrong with each object by itself, and with what it says of others.
func check(objects []object) (faults []error) {
	there := slices.Clone(provided)
	for _, o := range objects {
		there = append(there, o.String())
	}
	for _, o := range objects {
		faults = append(faults, admitted(o))
		for where, other := range mentioned(o) {
			if !slices.Contains(there, other) {
				faults = append(faults, fmt.Errorf("%s: %s: there is no %s", o, where, other))
			}
		}
		if s, is := o.is.(*serving.Service); is {
			faults = append(faults, annotations(o, s), variables(o, s), startable(o, s, objects))
		}
	}
	return slices.DeleteFunc(faults, func(err error) bool { return err == nil })
}

// mentioned are the objects of the same namespace that o cannot do without, by where it says so.
func mentioned(o object) map[string]string {
	others := map[string]string{}
	name := func(where string, r *duck.KReference) {
		if r != nil && (r.Namespace == "" || r.Namespace == o.is.GetNamespace()) {
			others[where] = r.Kind + " " + r.Name
		}
	}
	switch is := o.is.(type) {
	case *eventing.Broker:
		if d := is.Spec.Delivery; d != nil && d.DeadLetterSink != nil {
			name("spec.delivery.deadLetterSink", d.DeadLetterSink.Ref)
		}
	case *eventing.Trigger:
		others["spec.broker"] = "Broker " + is.Spec.Broker
		name("spec.subscriber", is.Spec.Subscriber.Ref)
	case *sources.SinkBinding:
		name("spec.sink", is.Spec.Sink.Ref)
		others["spec.subject"] = is.Spec.Subject.Kind + " " + is.Spec.Subject.Name
	case *sources.PingSource:
		name("spec.sink", is.Spec.Sink.Ref)
	case *serving.Service:
		pod(is.Spec.Template.Spec.PodSpec, others)
	}
	return others
}

// pod adds the Secrets and ConfigMaps without which a pod does not start.
func pod(spec core.PodSpec, others map[string]string) {
	needed := func(optional *bool) bool { return optional == nil || !*optional }
	for _, v := range spec.Volumes {
		if v.ConfigMap != nil && needed(v.ConfigMap.Optional) {
			others["volume "+v.Name] = "ConfigMap " + v.ConfigMap.Name
		}
		if v.Secret != nil && needed(v.Secret.Optional) {
			others["volume "+v.Name] = "Secret " + v.Secret.SecretName
		}
	}
	for _, c := range spec.Containers {
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil && needed(e.SecretRef.Optional) {
				others["envFrom"] = "Secret " + e.SecretRef.Name
			}
		}
	}
}

// annotations wants every one of Knative's autoscaler to be one that it has: it takes no notice of others.
func annotations(o object, s *serving.Service) error {
	var faults []error
	for key := range s.Spec.Template.Annotations {
		if strings.HasPrefix(key, autoscaling.GroupName+"/") && !slices.Contains(scaling, key) {
			faults = append(faults, fmt.Errorf("%s: spec.template.metadata.annotations: Knative has no %s", o, key))
		}
	}
	for key := range s.Annotations {
		if strings.HasPrefix(key, autoscaling.GroupName+"/") {
			faults = append(faults, fmt.Errorf("%s: metadata.annotations: %s belongs to spec.template.metadata.annotations", o, key))
		}
	}
	return errors.Join(faults...)
}

var scaling = []string{
	autoscaling.ClassAnnotationKey, autoscaling.MetricAnnotationKey, autoscaling.TargetAnnotationKey,
	autoscaling.TargetUtilizationPercentageKey, autoscaling.MinScaleAnnotationKey, autoscaling.MaxScaleAnnotationKey,
	autoscaling.InitialScaleAnnotationKey, autoscaling.ActivationScaleKey, autoscaling.WindowAnnotationKey,
	autoscaling.PanicWindowPercentageAnnotationKey, autoscaling.PanicThresholdPercentageAnnotationKey,
	autoscaling.ScaleDownDelayAnnotationKey, autoscaling.ScaleToZeroPodRetentionPeriodKey,
	autoscaling.TargetBurstCapacityKey, autoscaling.MetricAggregationAlgorithmKey,
}

var row = regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)`")

// variables wants every variable that a function is given to be one that it reads: docs/reference has them.
func variables(o object, s *serving.Service) error {
	table, err := os.ReadFile("../../docs/reference/config-" + o.name + ".md")
	if err != nil {
		return fmt.Errorf("%s: is no function of this repository: %w", o, err)
	}
	var known []string
	for _, found := range row.FindAllSubmatch(table, -1) {
		known = append(known, string(found[1]))
	}
	var faults []error
	for _, c := range s.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			if !slices.Contains(known, e.Name) {
				faults = append(faults, fmt.Errorf("%s: env: %s does not read %s", o, o.name, e.Name))
			}
		}
	}
	return errors.Join(faults...)
}
