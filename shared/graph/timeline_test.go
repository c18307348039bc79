package graph

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func drawStatement(t *rapid.T) Statement {
	s := Statement{Order: fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "turn")), Seq: rapid.IntRange(0, 3).Draw(t, "seq")}
	s.Object = rapid.SampledFrom([]string{"Loja", "LOJA", "Quito", "Cuenca"}).Draw(t, "object")
	s.Ended = rapid.IntRange(0, 3).Draw(t, "ended") == 0
	if s.Ended && rapid.Bool().Draw(t, "whatever") {
		s.Object = ""
	}
	s.ValidFrom = monday.AddDate(0, 0, rapid.IntRange(0, 6).Draw(t, "day"))
	return s
}

func place(s Statement) string { return fmt.Sprint(s.ValidFrom, s.Order, s.Seq) }

func TestTimelineDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SliceOfNDistinct(rapid.Custom(drawStatement), 1, 12, place).Draw(t, "line")
		other := rapid.Permutation(line).Draw(t, "shuffled")
		Timeline(line)
		Timeline(other)
		if !reflect.DeepEqual(line, other) {
			t.Fatalf("\n%+v\n%+v", line, other)
		}
	})
}

func TestOneObjectHoldsAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SliceOfNDistinct(rapid.Custom(drawStatement), 1, 12, place).Draw(t, "line")
		Timeline(line)
		for day := range 8 {
			holding := map[string]bool{}
			at := monday.AddDate(0, 0, day).Add(time.Hour)
			for _, s := range line {
				if !s.ValidFrom.After(at) && (s.ValidUntil.IsZero() || s.ValidUntil.After(at)) {
					holding[Key(s.Object)] = true
				}
				if !s.ValidUntil.IsZero() && s.ValidUntil.Before(s.ValidFrom) {
					t.Fatalf("ends before it begins: %+v", s)
				}
			}
			if len(holding) > 1 {
				t.Fatalf("on day %d all of %v hold: %+v", day, holding, line)
			}
		}
		if last := line[len(line)-1]; !last.Ended && !last.ValidUntil.IsZero() {
			t.Fatalf("the last word has ended: %+v", last)
		}
	})
}
