// Package accounting breaks every part at random while people talk, and then counts: a turn that was answered is in the
// graph, and it is there once.
package accounting

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	duration = flag.Duration("duration", 20*time.Second, "how long parts are broken")
	pace     = flag.Int("pace", 20, "turns a second")
)

// settling is how long the last turn may be on its way: a broker tries again after 10, 20 and 40 s.
const settling = 3 * time.Minute

func TestEveryAnsweredTurnIsMaterializedOnce(t *testing.T) {
	dir, err := os.MkdirTemp("", "aguante-accounting-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{}
	t.Cleanup(w.close)
	if err := w.start(t.Context(), dir); err != nil {
		t.Fatal(err)
	}

	ctx, end := context.WithTimeout(t.Context(), *duration)
	defer end()
	talked := make(chan *ledger)
	go func() { talked <- w.talk(ctx, *pace) }()
	broken, err := w.breakParts(ctx)
	l := <-talked
	if err != nil {
		t.Fatal(err)
	}

	lost, twice, late := w.count(t.Context(), l)
	missing := len(lost)
	if strings.Contains(fmt.Sprint(broken), "chat killed") {
		lost = slices.DeleteFunc(lost, func(turn string) bool { return l.unheld[turn] })
	}
	t.Logf("%s, %d faults: %v", *duration, len(broken), broken)
	t.Logf("%d turns were held by a chat's memory alone, as their replies said, and %d of them went with it", len(l.unheld), missing-len(lost))
	t.Logf("%d turns answered, %d not (%v), told %d times to come back; %d materialized beyond them; the last after %s", len(l.answered), l.failed, l.failures, l.back, late.beyond, late.after.Round(time.Second))
	if len(lost) > 0 || twice > 0 {
		t.Errorf("%d answered turns are lost, %d are there twice: %.2000s", len(lost), twice, fmt.Sprint(lost))
	}
	if l.refused > 0 {
		t.Errorf("%d turns were answered 5xx: %v", l.refused, l.failures)
	}
	if len(l.answered) < int(duration.Seconds())**pace/4 {
		t.Errorf("only %d turns were answered", len(l.answered))
	}
}
