package broker

import (
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	"sigs.k8s.io/yaml"
)

func TestFiltersAreKnativesDialects(t *testing.T) {
	e := event.New()
	e.SetID("1")
	e.SetSource("/chat")
	e.SetType("dev.aguante.turn.completed.v1")
	e.SetSubject("s1")
	e.SetExtension("hops", 2)
	cases := []struct {
		spec string
		want bool
	}{
		{`{}`, true},
		{`filter: {attributes: {type: dev.aguante.turn.completed.v1}}`, true},
		{`filter: {attributes: {type: other}}`, false},
		{`filter: {attributes: {type: ""}}`, true},
		{`filters: [{exact: {type: dev.aguante.turn.completed.v1}}]`, true},
		{`filters: [{exact: {type: other}}]`, false},
		{`{filter: {attributes: {type: other}}, filters: [{exact: {source: /chat}}]}`, true},
		{`filters: [{prefix: {type: dev.aguante.}}, {suffix: {type: .v1}}]`, true},
		{`filters: [{prefix: {type: dev.aguante.}}, {suffix: {type: .v2}}]`, false},
		{`filters: [{any: [{exact: {type: other}}, {exact: {subject: s1}}]}]`, true},
		{`filters: [{any: [{exact: {type: other}}, {exact: {subject: s2}}]}]`, false},
		{`filters: [{all: [{exact: {source: /chat}}, {not: {exact: {subject: s2}}}]}]`, true},
		{`filters: [{not: {any: [{exact: {subject: s1}}, {exact: {subject: s2}}]}}]`, false},
		{`filters: [{cesql: "hops > 1 AND type LIKE '%turn%'"}]`, true},
		{`filters: [{cesql: "hops > 2"}]`, false},
		{`filters: [{exact: {missing: x}}]`, false},
	}
	for _, c := range cases {
		t.Run(c.spec, func(t *testing.T) {
			var object eventing.Trigger
			if err := yaml.UnmarshalStrict([]byte(c.spec), &object.Spec); err != nil {
				t.Fatal(err)
			}
			made := &trigger{filter: newFilter(&object)}
			if got := made.wants(t.Context(), e); got != c.want {
				t.Errorf("passes: %v", got)
			}
		})
	}
}
