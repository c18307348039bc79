package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/shared/limits"
)

func lettersExpireByAge(t *testing.T, s Store) {
	box, now := open(s), time.Now()
	sized(t, box, "old", 1, now.Add(-limits.DeadLetterAge-time.Second))
	sized(t, box, "came again", 1, now.Add(-limits.DeadLetterAge-time.Second))
	sized(t, box, "came again", 1, now)
	sized(t, box, "young", 1, now.Add(-limits.DeadLetterAge+time.Minute))
	replay(t, box, sized(t, box, "replayed", 1, now), false)
	if gone, err := box.Retain(t.Context(), now, limits.DeadLetterBytes); err != nil || gone != 1 {
		t.Fatalf("%d, %v", gone, err)
	}
	if got := left(t, box); !sameSet(got, []string{"came again", "replayed", "young"}) {
		t.Errorf("left: %v", got)
	}
	if gone, err := box.Retain(t.Context(), now.Add(limits.DecisionAge+time.Minute), limits.DeadLetterBytes); err != nil || gone != 2 || slices.Contains(left(t, box), "replayed") {
		t.Errorf("a week after its replay: %d gone, %v; left %v", gone, err, left(t, box))
	}
	audit, err := box.Audit(t.Context(), 10)
	if err != nil || len(audit) != 3 || audit[0].Outcome != deadletters.Expired || audit[0].Detail != "older than 30 days" ||
		audit[0].Who != "retention" || audit[0].Type != "t" {
		t.Errorf("audited: %+v, %v", audit, err)
	}
	if n := testutil.ToFloat64(box.Expired); n != 2 {
		t.Errorf("%v counted", n)
	}
}

func lettersExpireBySizeReplayedOnesFirst(t *testing.T, s Store) {
	box, now := open(s), time.Now().Add(time.Minute)
	const size, room = 500 << 10, 2 << 20
	replay(t, box, sized(t, box, "replayed", size, now), false)
	for i := range 3 {
		sized(t, box, fmt.Sprint(i), size, now.Add(time.Duration(i-9)*time.Minute))
	}
	for _, want := range []struct{ then, left string }{
		{"", "replayed 2 1 0"}, {"3", "3 2 1 0"}, {"4", "4 3 2 1"},
	} {
		if want.then != "" {
			sized(t, box, want.then, size, now.Add(-time.Minute))
		}
		if _, err := box.Retain(t.Context(), now, room); err != nil {
			t.Fatal(err)
		}
		if got := left(t, box); !sameSet(got, strings.Fields(want.left)) {
			t.Errorf("after %q: left %v, want %s", want.then, got, want.left)
		}
	}
	select {
	case <-box.Grown():
	default:
		t.Error("nobody was told that much has come")
	}
	if audit, _ := box.Audit(t.Context(), 1); len(audit) != 1 || audit[0].Detail != "more than 2 MB were kept" {
		t.Errorf("audited: %+v", audit)
	}
	if gone, err := box.Retain(t.Context(), now, 0); err != nil || gone != 4 {
		t.Fatalf("%d gone, %v", gone, err)
	}
	if _, bytes, err := s.Letters().Oldest(t.Context(), deadletters.Waiting, 1); err != nil || bytes != 0 {
		t.Errorf("nothing takes %d bytes, %v", bytes, err)
	}
}

func aLetterThatCameMeanwhileIsNotDropped(t *testing.T, s Store) {
	box := open(s)
	id := sized(t, box, "1", 1, noon)
	some, _, err := s.Letters().Oldest(t.Context(), deadletters.Waiting, 10)
	if err != nil || len(some) != 1 || some[0].ID != id {
		t.Fatalf("%+v, %v", some, err)
	}
	sized(t, box, "1", 1, noon.Add(time.Hour))
	if dropped, err := s.Letters().Drop(t.Context(), some[0], &deadletters.Entry{At: noon, Outcome: deadletters.Expired}); err != nil || dropped {
		t.Fatalf("%v, %v", dropped, err)
	}
	replay(t, box, id, false)
	some[0].At = noon.Add(time.Hour)
	if dropped, err := s.Letters().Drop(t.Context(), some[0], nil); err != nil || dropped {
		t.Fatalf("one that was replayed meanwhile: %v, %v", dropped, err)
	}
	if audit, err := box.Audit(t.Context(), 10); err != nil || len(audit) != 1 {
		t.Errorf("audited: %+v, %v", audit, err)
	}
}
