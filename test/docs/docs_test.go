// Package docs holds the documents to the code: what they name must exist.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository, seen from here.
const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// sources is all Go code of the repository whose file name passes.
func sources(t *testing.T, pass func(name string) bool) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && pass(entry.Name()) {
			var content []byte
			content, err = os.ReadFile(path)
			all.Write(content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

var (
	testName   = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	drillName  = regexp.MustCompile("`aguante drill run ([a-z-]+)`")
	metricName = regexp.MustCompile("`aguante_([a-z_]+)`")
	link       = regexp.MustCompile(`\]\(([^)#:]+?)(?:#[^)]*)?\)`)
)

// TestEveryPromiseHasItsCodeMetricAndTest walks docs/failure.md row by row.
func TestEveryPromiseHasItsCodeMetricAndTest(t *testing.T) {
	tests := sources(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	metrics := read(t, "shared/telemetry/metrics.go")
	drills := read(t, "cmd/aguante/internal/drill/drill.go")
	rows := 0
	for line := range strings.Lines(read(t, "docs/failure.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 5 || strings.HasPrefix(line, "| When") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		when := strings.TrimSpace(cells[0])
		if !link.MatchString(cells[2]) {
			t.Errorf("%s: names no code", when)
		}
		for _, m := range metricName.FindAllStringSubmatch(cells[3], -1) {
			if !strings.Contains(metrics, `"`+m[1]+`"`) {
				t.Errorf("%s: there is no metric aguante_%s", when, m[1])
			}
		}
		named := testName.FindAllStringSubmatch(cells[4], -1)
		if len(named) == 0 || !metricName.MatchString(cells[3]) {
			t.Errorf("%s: names no test or no metric", when)
		}
		for _, n := range named {
			if !strings.Contains(tests, "func "+n[1]+"(") {
				t.Errorf("%s: there is no %s", when, n[1])
			}
		}
		for _, n := range drillName.FindAllStringSubmatch(cells[4], -1) {
			if !strings.Contains(drills, `Name: "`+n[1]+`"`) {
				t.Errorf("%s: there is no drill %s", when, n[1])
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d promises were read", rows)
	}
}

// TestEveryGuaranteeHasItsTest holds docs/durability.md to the tests that it names.
func TestEveryGuaranteeHasItsTest(t *testing.T) {
	tests := sources(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	named := testName.FindAllStringSubmatch(read(t, "docs/durability.md"), -1)
	if len(named) < 15 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, n := range named {
		if !strings.Contains(tests, "func "+n[1]+"(") {
			t.Errorf("there is no %s", n[1])
		}
	}
}

func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	documents := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			documents = append(documents, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		for _, l := range link.FindAllStringSubmatch(read(t, document), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(document), l[1])); err != nil {
				t.Errorf("%s leads to %s, which is not there", document, l[1])
			}
		}
	}
}

// TestReferenceNamesEveryMetric holds docs/reference/metrics.md to the metrics that there are.
func TestReferenceNamesEveryMetric(t *testing.T) {
	reference := read(t, "docs/reference/metrics.md")
	names := regexp.MustCompile(`r\.(?:histograms?|counters?|gauges?)\("([a-z_]+)"`).FindAllStringSubmatch(read(t, "shared/telemetry/metrics.go"), -1)
	if len(names) < 10 {
		t.Fatalf("only %d metrics were read", len(names))
	}
	for _, n := range names {
		if !strings.Contains(reference, "`aguante_"+n[1]+"`") {
			t.Errorf("docs/reference/metrics.md does not name aguante_%s", n[1])
		}
	}
}
