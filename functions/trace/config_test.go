package trace

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/aguante-chat/aguante/shared/serve"
)

var update = flag.Bool("update", false, "write the golden files")

// TestTheConfigReferenceIsCurrent keeps docs/reference/config-trace.md equal to Config. Write it with -update.
func TestTheConfigReferenceIsCurrent(t *testing.T) {
	doc := "# trace: configuration\n\nWritten from `functions/trace/config.go` by `go test ./functions/trace -update`.\n\n" + serve.ReferenceTable(Config{})
	for _, v := range serve.Reference(Config{}) {
		if v.Doc == "" {
			t.Errorf("%s has no sentence", v.Name)
		}
	}
	path := filepath.Join("..", "..", "docs", "reference", "config-trace.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != doc {
		t.Errorf("%s is not what Config says; run the test with -update", path)
	}
}
