package chain

import (
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// loadFile reads an engines file. Its error names every fault with its line. getenv gives the keys.
func loadFile(path string, getenv func(string) string) ([]Spec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	specs, err := parseFile(text, getenv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return specs, nil
}

func parseFile(text []byte, getenv func(string) string) ([]Spec, error) {
	var file struct {
		Engines []Spec `yaml:"engines"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	var faults []error
	names := map[string]bool{}
	for i := range file.Engines {
		s := &file.Engines[i]
		s.complete(getenv)
		for _, fault := range s.faults(names) {
			faults = append(faults, fmt.Errorf("line %d: engine %q: %s", lineOf(text, i), s.Name, fault))
		}
		names[s.Name] = true
	}
	return file.Engines, errors.Join(faults...)
}

// lineOf gives the line on which the engine with index i begins.
func lineOf(text []byte, i int) int {
	path, err := yaml.PathString(fmt.Sprintf("$.engines[%d]", i))
	if err != nil {
		return 0
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return 0
	}
	node, err := path.FilterFile(file)
	if err != nil {
		return 0
	}
	return node.GetToken().Position.Line
}
