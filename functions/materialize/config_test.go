package materialize_test

import (
	"flag"
	"os"
	"testing"

	"github.com/aguante-chat/aguante/functions/materialize"
	"github.com/aguante-chat/aguante/shared/serve"
)

var update = flag.Bool("update", false, "write the reference instead of comparing it")

func TestTheConfigReferenceIsCurrent(t *testing.T) {
	const path = "../../docs/reference/config-materialize.md"
	want := "# materialize: configuration\n\nWritten from `functions/materialize/config.go` by `go test ./functions/materialize -update`.\n\n" + serve.ReferenceTable(materialize.Config{})
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is out of date (run make gen): %v", path, err)
	}
}
