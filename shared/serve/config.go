// Package serve is the life of a function as a process: its configuration from the environment, its listeners, probes,
// ops port, flags and drain. The three functions and `aguante up` share it.
package serve

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Common is what every function reads from its environment.
type Common struct {
	Port      int           `env:"PORT" envDefault:"8080" doc:"Port that the function listens on."`
	OpsPort   int           `env:"OPS_PORT" envDefault:"9464" doc:"Port for /metrics, /debug/pprof and /health."`
	Sink      string        `env:"K_SINK" doc:"URL that events are sent to: the broker. Knative sets it. Without it nothing is sent."`
	FlagsFile string        `env:"FLAGS_FILE" doc:"YAML file of feature flags, re-read when it changes. Without it every feature is on."`
	LogLevel  string        `env:"LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error."`
	Grace     time.Duration `env:"GRACE" envDefault:"25s" doc:"How long requests under way may go on after SIGTERM."`
	Endpoint  string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT" doc:"OTLP over HTTP: where spans go. Without it none are sent. Other OTEL_* variables have their standard meaning."`
}

// Load fills config, a pointer to a struct with env tags, from the environment. The error names every fault at once.
func Load(config any) error {
	err := env.Parse(config)
	if faults := (env.AggregateError{}); errors.As(err, &faults) {
		lines := make([]string, len(faults.Errors))
		for i, fault := range faults.Errors {
			lines[i] = named(fault, config)
		}
		return fmt.Errorf("configuration: %s", strings.Join(lines, "; "))
	}
	return err
}

// named says a fault by the name of its variable, where the library knows the struct's field alone.
func named(fault error, config any) string {
	wrong := env.ParseError{}
	if !errors.As(fault, &wrong) {
		return fault.Error()
	}
	field, _ := reflect.TypeOf(config).Elem().FieldByName(wrong.Name)
	name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return fmt.Sprintf("%s is no %s: %v", name, wrong.Type, wrong.Err)
}

// Variable is one row of the configuration reference.
type Variable struct{ Name, Default, Doc string }

// Reference lists what Load reads into config, a struct or a pointer to one, in the order of its fields.
func Reference(config any) []Variable {
	t := reflect.TypeOf(config)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var variables []Variable
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		switch {
		case f.Anonymous:
			variables = append(variables, Reference(reflect.New(f.Type).Interface())...)
		case name != "" && name != "-":
			variables = append(variables, Variable{Name: name, Default: f.Tag.Get("envDefault"), Doc: f.Tag.Get("doc")})
		}
	}
	return variables
}

// ReferenceTable is Reference as a Markdown table.
func ReferenceTable(config any) string {
	var b strings.Builder
	b.WriteString("| Variable | Default | |\n| --- | --- | --- |\n")
	for _, v := range Reference(config) {
		byDefault := v.Default
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, byDefault, v.Doc)
	}
	return b.String()
}
