package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// underLoad takes turns for as long as breaking takes, and a little longer.
func underLoad(t testing.TB, atOnce int, message string, breaking func()) *result {
	t.Helper()
	c := newCaller(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	var r *result
	group.Go(func() { r = c.load(ctx, atOnce, someone("load"), message) })
	time.Sleep(time.Second) // of load before
	breaking()
	time.Sleep(time.Second) // and after
	stop()
	group.Wait()
	return r
}

// kill ends pods at once, as a crash of their node would.
func kill(t testing.TB, names ...string) {
	t.Helper()
	if len(names) > 0 {
		k(t, append([]string{"delete", "pod", "--grace-period=0", "--force", "--ignore-not-found"}, names...)...)
	}
}

// arriving is when a turn is in the graph, or is a dead letter: a broker tries five times in five minutes (broker.yaml).
const arriving = 5 * time.Minute

// lost are the answered turns that are not in the graph within so long.
func lost(t testing.TB, r *result, within time.Duration) []string {
	t.Helper()
	c := newCaller(t)
	turns := slices.Clone(r.replies)
	for deadline := time.Now().Add(within); len(turns) > 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		turns = slices.DeleteFunc(turns, func(told reply) bool { return c.remembered(t, told.user, "Where do I live?", told.TurnID) })
	}
	ids := make([]string, len(turns))
	for i, told := range turns {
		ids[i] = told.TurnID
	}
	return ids
}

func TestKilledPodsLoseNoTurn(t *testing.T) {
	annotate(t, map[string]string{"min-scale": "2"}, "chat")
	useEngine(t, "commanded")
	const atOnce = 6
	for _, service := range []string{"chat", "materialize", "trace"} {
		t.Run(service, func(t *testing.T) {
			kills := 0
			r := underLoad(t, atOnce, "I live in Cuenca. (take 200ms)", func() {
				for range 3 {
					victims := pods(t, service)
					kill(t, victims[:min(1, len(victims))]...)
					kills += min(1, len(victims))
					time.Sleep(2 * time.Second)
				}
			})
			failed := 0
			for status, n := range r.statuses {
				if status != 200 {
					failed += n
				}
			}
			allowed := 0
			if service == "chat" {
				allowed = kills * atOnce // no more than were in flight
			}
			if kills == 0 {
				t.Error("no pod was killed")
			}
			if failed > allowed {
				t.Errorf("%d pods killed, %d turns failed: %v", kills, failed, r.faults[:min(5, len(r.faults))])
			}
			if gone := lost(t, r, arriving); len(gone) > 0 {
				t.Errorf("%d answered turns are lost: %s", len(gone), strings.Join(gone[:min(5, len(gone))], " "))
			}
			t.Logf("%d pods killed: %v; lost: none of %d", kills, r, len(r.replies))
		})
	}
}

// java is a shell's way to signal Neo4j's process.
const java = `for p in /proc/[0-9]*; do read -r name < $p/comm; if [ "$name" = java ]; then kill -%s ${p##*/}; fi; done`

// feel takes turns until one lacks a dependency that was killed just now, or it is back already.
func feel(t *testing.T, dependency string) {
	t.Helper()
	c := newCaller(t)
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) { // between two turns
		if told, _, err := c.ask(t.Context(), someone("felt"), "Where do I live?"); err == nil && told.lacks(dependency) {
			return
		}
	}
}

func TestChatGoesOnWithoutItsStores(t *testing.T) {
	annotate(t, map[string]string{"min-scale": "1"}, "chat")
	const frozen = 5 * time.Second
	cases := []struct {
		name, dependency string
		breakIt          func(t *testing.T)
		within           time.Duration // of all answers
	}{
		{"Redis killed", "redis", func(t *testing.T) { kill(t, pods(t, "redis")...); feel(t, "redis") }, 5 * time.Second},
		{"Redis frozen", "redis", func(t *testing.T) {
			k(t, "exec", "deploy/redis", "--", "redis-cli", "client", "pause", fmt.Sprint(frozen.Milliseconds()), "all")
			time.Sleep(frozen)
		}, 5 * time.Second},
		{"Neo4j frozen", "neo4j", func(t *testing.T) {
			signal := func(ctx context.Context, name string) error {
				_, err := run(ctx, "", "-n", namespace, "exec", "deploy/neo4j", "--", "sh", "-c", fmt.Sprintf(java, name))
				return err
			}
			t.Cleanup(func() { _ = signal(context.Background(), "CONT") }) // whatever happens: other tests need it
			if err := signal(t.Context(), "STOP"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(frozen)
			if err := signal(t.Context(), "CONT"); err != nil {
				t.Error(err)
			}
		}, 8 * time.Second},
		{"Neo4j killed", "neo4j", func(t *testing.T) { kill(t, pods(t, "neo4j")...); feel(t, "neo4j") }, 8 * time.Second},
	}
	for _, broken := range cases {
		t.Run(broken.name, func(t *testing.T) {
			r := underLoad(t, 4, "Where do I live?", func() { broken.breakIt(t) })
			if len(r.statuses) != 1 || r.statuses[200] == 0 {
				t.Errorf("answers: %v %v", r, r.faults[:min(5, len(r.faults))])
			}
			if slowest := at(r.took, 1); slowest > broken.within {
				t.Errorf("a turn took %v", slowest)
			}
			degraded := 0
			for _, told := range r.replies {
				if told.lacks(broken.dependency) {
					degraded++
				}
			}
			if degraded == 0 {
				t.Error("no answer says that anything was lacking")
			}
			c, mended := newCaller(t), time.Now()
			eventually(t, "chat has it back", 2*time.Minute, func() bool { return len(c.say(t, someone("back"), "Where do I live?").Degraded) == 0 })
			whole, user := time.Since(mended), someone("eva")
			c.say(t, user, "My aunt Rosa lives in Loja.")
			eventually(t, "what is said then is remembered", arriving, func() bool { return c.remembered(t, user, "Where does Rosa live?", "Loja") })
			t.Logf("%v, slowest %v; %d of them say %s is lacking; whole again %v after, and remembers %v after",
				r, at(r.took, 1), degraded, broken.dependency, whole.Round(time.Millisecond), time.Since(mended).Round(time.Millisecond))
		})
	}
}
