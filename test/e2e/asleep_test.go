package e2e

import (
	"testing"
	"time"
)

const rounds = 5

func TestEverythingWakesFromZero(t *testing.T) {
	functions := []string{"chat", "materialize", "trace"}
	annotate(t, map[string]string{"min-scale": "0", "window": "6s"}, functions...)
	c := newCaller(t)
	var answered, materialized, decided, asleep []time.Duration
	for range rounds {
		still := time.Now()
		for _, service := range functions {
			eventually(t, service+" is at zero", 2*time.Minute, func() bool { return len(pods(t, service)) == 0 })
		}
		asleep = append(asleep, time.Since(still))
		woke := false // trace, which may be at zero again before materialize has written
		traceWoke := func() bool { woke = woke || len(pods(t, "trace")) > 0; return woke }
		user, began := someone("zoe"), time.Now()
		told := c.say(t, user, "My brother Tomás plays the oboe.")
		answered = append(answered, time.Since(began))
		eventually(t, "materialize woke", arriving, func() bool {
			traceWoke()
			return c.remembered(t, user, "What does Tomás play?", "oboe")
		})
		materialized = append(materialized, time.Since(began))
		eventually(t, "trace woke", arriving, func() bool { return traceWoke() && traced(t, told.TurnID) })
		decided = append(decided, time.Since(began))
	}
	t.Logf("from zero, medians of %d: answered %v, materialized %v, traced %v; quiet → all at zero %v",
		rounds, median(answered), median(materialized), median(decided), median(asleep))
}
