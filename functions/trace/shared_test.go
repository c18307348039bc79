package trace

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/redistest"
)

func TestCallersSeeTheSameOnRedis(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"ADecidedTurnIsListedAndToldOnce": TestADecidedTurnIsListedAndToldOnce, "ATurnIDOfTwoUsersAsksWhose": TestATurnIDOfTwoUsersAsksWhose,
		"OddTurnIDsAreFound": TestOddTurnIDsAreFound, "TheListFollowsItsFiltersAndItsNext": TestTheListFollowsItsFiltersAndItsNext,
		"TheListLinksFiltersAndPages": TestTheListLinksFiltersAndPages, "EmptyPagesSayWhatToDo": TestEmptyPagesSayWhatToDo,
		"HostileTextStaysText": TestHostileTextStaysText, "AForgottenUserStaysForgotten": TestAForgottenUserStaysForgotten,
		"ADeadLetterIsKeptHoweverItComes": TestADeadLetterIsKeptHoweverItComes, "AFailedReplayKeepsTheLetter": TestAFailedReplayKeepsTheLetter,
		"AReplaySendsTheEventAsItCame":               TestAReplaySendsTheEventAsItCameWithNoHopsBehindIt,
		"ALetterThatReplaysItselfStops":              TestALetterThatReplaysItselfStopsAfterThreeTimes,
		"ASecondReplayNeedsAgain":                    TestASecondReplayNeedsAgain,
		"AnOpenBreakerEndsReplayAllAndKeepsTheRest":  TestAnOpenBreakerEndsReplayAllAndKeepsTheRest,
		"TheAuditSaysWhoReplayedAndWhatCameOfIt":     TestTheAuditSaysWhoReplayedAndWhatCameOfIt,
		"ReplayAllSaysHowManyAndWhyItStopped":        TestReplayAllSaysHowManyAndWhyItStopped,
		"ReplayAllReplaysEachOnceWithThreeOperators": TestReplayAllReplaysEachOnce,
	} {
		t.Run(name, func(t *testing.T) {
			everyonesRedis = redistest.Start(t).URL()
			defer func() { everyonesRedis = "" }()
			test(t)
		})
	}
}

func TestTwoInstancesShowTheSameAndReplayOnce(t *testing.T) {
	broker := newSink(t)
	c := Config{RedisURL: redistest.Start(t).URL(), DeadLetterReplay: broker.URL}
	one, two := run(t, c), run(t, c)
	one.decide(turn("t1", "ana", today), turn("t2", "eva", today.Add(-time.Second)))
	two.decide(turn("t1", "ana", today), turn("t3", "eva", today.Add(-time.Minute)))
	if got := one.turns(""); !slices.Equal(got, two.turns("")) || !slices.Equal(got, []string{"t1", "t2", "t3"}) {
		t.Errorf("one lists %v, the other %v", got, two.turns(""))
	}
	for i := range 15 {
		one.die(string(rune('a' + i)))
		two.die(string(rune('A' + i)))
	}
	if one.page("/letters") == "" || len(one.letters()) != 30 || len(two.letters()) != 30 {
		t.Errorf("%d letters, and %d", len(one.letters()), len(two.letters()))
	}
	var operators sync.WaitGroup
	for _, r := range []*running{one, two} {
		operators.Go(func() { r.do(http.MethodPost, "/dead-letters/replay", "") })
	}
	operators.Wait()
	one.do(http.MethodPost, "/dead-letters/replay", "") // what the other one held while it was looked at
	seen := map[string]int{}
	for _, h := range broker.headers {
		seen[h.Get("Ce-Id")]++
	}
	if len(seen) != 30 || broker.taken() != 30 || !slices.Equal(one.audit(), two.audit()) {
		t.Errorf("%d letters were sent %d times", len(seen), broker.taken())
	}

	one.forget("eva", today)
	two.decide(turn("t2", "eva", today.Add(-time.Second))) // redelivered
	if got := two.turns(""); !slices.Equal(got, []string{"t1"}) {
		t.Errorf("left: %v", got)
	}
}
