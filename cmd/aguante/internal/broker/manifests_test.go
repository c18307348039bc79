package broker

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rickb777/date/period"
	sources "knative.dev/eventing/pkg/apis/sources/v1"
	serving "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/yaml"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/limits"
)

const source = "../../../../config/knative/base"

func TestTheEmbeddedManifestsAreThoseOfTheRepository(t *testing.T) {
	theirs := os.DirFS(source)
	for name, pair := range map[string][2]fs.FS{"missing here": {theirs, Manifests()}, "missing there": {Manifests(), theirs}} {
		err := fs.WalkDir(pair[0], ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			want, err := fs.ReadFile(pair[0], path)
			if err != nil {
				return err
			}
			if got, _ := fs.ReadFile(pair[1], path); string(got) != string(want) {
				t.Errorf("%s: %s or different: run make gen", path, name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheTriggersOfTheRepositorySendEachEventWhereItBelongs(t *testing.T) {
	f := &broker{}
	services := map[string]string{"materialize": "http://m", "trace": "http://t"}
	if err := f.addTriggers(t.Context(), Config{Manifests: Manifests(), Services: services}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.closeTriggers)
	want := map[string]string{
		event.TurnCompleted: "materialize", event.TurnDecided: "trace",
		event.UserForgotten: "materialize trace", event.TurnMaterialized: "",
	}
	for typ, triggers := range want {
		e, err := event.New(typ, "/x", "1", "s", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range f.routes(t.Context(), e) {
			got = append(got, r.to.name)
		}
		if strings.Join(got, " ") != triggers {
			t.Errorf("%s goes to %q, want %q", typ, got, triggers)
		}
	}
	for _, trigger := range f.triggers {
		if to := trigger.deadLetters.URL.String(); to != "http://t/dead-letters" {
			t.Errorf("dead letters of %s go to %s", trigger.name, to)
		}
	}
}

// TestADeliveryTakesWhatTheFiguresGrantIt: 5 attempts, 5 minutes (WS3).
func TestADeliveryTakesWhatTheFiguresGrantIt(t *testing.T) {
	found, err := read(t.Context(), Manifests())
	if err != nil {
		t.Fatal(err)
	}
	d := found.broker.Spec.Delivery
	if attempts := int(*d.Retry) + 1; attempts != limits.MaxDeliveries {
		t.Errorf("%d attempts", attempts)
	}
	timeout, _ := period.MustParse(*d.Timeout).Duration()
	delay, _ := period.MustParse(*d.BackoffDelay).Duration()
	whole := timeout * limits.MaxDeliveries
	for i := range int(*d.Retry) {
		whole += delay << i
	}
	if whole != 5*time.Minute {
		t.Errorf("all attempts take %v", whole)
	}
}

func TestTheServicesOfTheRepositoryAreWhatKnativeTakes(t *testing.T) {
	for _, name := range []string{"chat", "materialize", "trace"} {
		content, err := fs.ReadFile(Manifests(), name+".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var s serving.Service
		if err := yaml.UnmarshalStrict(content, &s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.SetDefaults(t.Context())
		if err := s.Validate(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The PingSource is what Knative takes; that chat has the route is TestAPingEmptiesTheOutboxOfAChatAtZero.
func TestTheOutboxIsSweptWithinTheTimeThatATurnHas(t *testing.T) {
	content, err := fs.ReadFile(Manifests(), "outbox.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p sources.PingSource
	if err := yaml.UnmarshalStrict(content, &p); err != nil {
		t.Fatal(err)
	}
	p.Namespace = "aguante"
	p.SetDefaults(t.Context())
	if err := p.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if p.Spec.Sink.Ref.Name != "chat" || p.Spec.Sink.URI.String() != "/outbox/sweep" || p.Spec.Schedule != "*/5 * * * *" {
		t.Errorf("%+v", p.Spec)
	}
}

func TestManifestsThatCannotWorkAreRefused(t *testing.T) {
	whole := fmt.Sprintf(manifest, "first", "PT0.5S")
	_, triggers, _ := strings.Cut(whole, "---")
	cases := map[string]string{
		"no Broker":         triggers,
		"unknown field":     strings.Replace(whole, "retry: 2", "retries: 2", 1),
		"bad duration":      strings.Replace(whole, "PT0.5S", "half", 1),
		"another broker":    strings.Replace(whole, "broker: default", "broker: other", 1),
		"unknown Service":   strings.ReplaceAll(whole, "name: first}}", "name: nobody}}"),
		"two Brokers":       whole + "---" + whole,
		"bad policy":        strings.Replace(whole, "exponential", "random", 1),
		"no YAML":           "{",
		"attribute no name": strings.Replace(whole, "exact: {type: a}", "exact: {Type: a}", 1),
	}
	for name, content := range cases {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"all.yaml": {Data: []byte(content)}}
			services := map[string]string{"first": "http://f", "second": "http://s", "sink": "http://d"}
			_, err := New(t.Context(), Config{Journal: t.TempDir() + "/b.db", Manifests: files, Services: services})
			if err == nil {
				t.Error("taken")
			}
		})
	}
}
