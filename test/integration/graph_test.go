package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/test/stack"
)

func TestANeo4jIsMadeReadyWhateverHappenedToIt(t *testing.T) {
	server, err := stack.StartNeo4j(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	t.Run("those who made its indexes were killed", func(t *testing.T) { testCutOff(t, server) })
	t.Run("it comes back empty", func(t *testing.T) { testEmpty(t, server) })
}

// testCutOff has some make indexes and constraints who are gone a moment later, as pods are that are killed. Neo4j is left with
// the index of a constraint that it never takes up again.
func testCutOff(t *testing.T, server *stack.Server) {
	for round := range 5 {
		forgetSchema(t, server)
		for range 3 {
			store := open(t, server)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+rand.IntN(80))*time.Millisecond)
			_ = store.Ping(ctx)
			cancel()
			_ = store.Close()
		}
		store := open(t, server)
		remember(t, store, fmt.Sprint("round ", round), fmt.Sprintf("My box%d is in the attic.", round))
		_ = store.Close()
		if t.Failed() {
			return
		}
	}
}

// testEmpty is a Neo4j whose volume is gone, or another one at its address. Nobody has called it meanwhile.
func testEmpty(t *testing.T, server *stack.Server) {
	store := open(t, server)
	defer store.Close()
	remember(t, store, "before", "My sister Lucía lives in Cuenca.")
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Empty(); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	remember(t, store, "after", "My brother Tomás plays the oboe.")
	if items := recall(t, store, "Where does Lucía live?"); len(items) != 0 {
		t.Errorf("it was not empty: %+v", items)
	}
}

func open(t *testing.T, server *stack.Server) *neo4j.Store {
	t.Helper()
	store, err := neo4j.Open(t.Context(), neo4j.Config{URI: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// forgetSchema drops all constraints and indexes, also those that Neo4j is still making for who has gone.
func forgetSchema(t *testing.T, server *stack.Server) {
	t.Helper()
	d, err := driver.NewDriverWithContext(server.URL, driver.NoAuth())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close(t.Context())
	run := func(cypher string) ([]*driver.Record, error) {
		result, err := driver.ExecuteQuery(t.Context(), d, cypher, nil, driver.EagerResultTransformer)
		if err != nil {
			return nil, err
		}
		return result.Records, nil
	}
	eventually(t, "there are no indexes", func() bool {
		left, err := run(`SHOW INDEXES YIELD name, type, owningConstraint WHERE type <> 'LOOKUP' RETURN name, owningConstraint IS NULL`)
		for _, r := range left {
			kind := "CONSTRAINT"
			if r.Values[1].(bool) {
				kind = "INDEX"
			}
			_, _ = run(fmt.Sprintf("DROP %s %s IF EXISTS", kind, r.Values[0]))
		}
		return err == nil && len(left) == 0
	})
}

// remember writes a turn, several times at once as a broker does that delivers it again, and finds it, once.
func remember(t *testing.T, store *neo4j.Store, id, text string) {
	t.Helper()
	now := time.Now()
	write := graph.Write{SentAt: now, Turn: graph.Turn{ID: id, SessionID: "s", User: "ana", Messages: []graph.Message{{Role: "user", Content: text, At: now}}}}
	var group sync.WaitGroup
	faults := make(chan error, 8)
	for range cap(faults) {
		group.Go(func() {
			if err := writes(t.Context(), store, write); err != nil {
				faults <- fmt.Errorf("%s: %w", id, err)
			}
		})
	}
	group.Wait()
	close(faults)
	for err := range faults {
		t.Error(err)
	}
	if items := recall(t, store, text); len(items) == 0 || items[0].TurnID != id {
		t.Errorf("%q finds %+v", text, items)
	}
	turns, err := store.Session(t.Context(), "ana", "s", 100)
	if err != nil {
		t.Fatal(err)
	}
	turns = slices.DeleteFunc(turns, func(turn graph.Turn) bool { return turn.ID != id })
	if len(turns) != 1 {
		t.Errorf("%s is there %d times", id, len(turns))
	}
}

// writes tries for a minute, each time for less than a cold server needs for all of its indexes.
func writes(ctx context.Context, store *neo4j.Store, write graph.Write) error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // between two deliveries
		once, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := store.Write(once, []graph.Write{write})
		cancel()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

func recall(t *testing.T, store *neo4j.Store, text string) []graph.Item {
	t.Helper()
	items, err := store.Recall(t.Context(), graph.Query{User: "ana", Text: text, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	return items
}
