package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/graph/neo4j"
	"github.com/aguante-chat/aguante/test/stack"
)

// A Neo4j whose volume is gone, or another one at the same address, has neither the turns nor the indexes and constraints.
// Nobody may have called it meanwhile.
func TestANeo4jThatComesBackEmptyIsMadeReadyAgain(t *testing.T) {
	server, err := stack.StartNeo4j(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	store, err := neo4j.Open(t.Context(), neo4j.Config{URI: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
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

// remember writes a turn, several times at once as a broker does that delivers it again, and finds it, once.
func remember(t *testing.T, store *neo4j.Store, id, text string) {
	t.Helper()
	now := time.Now()
	write := graph.Write{SentAt: now, Turn: graph.Turn{ID: id, SessionID: "s", User: "ana", Messages: []graph.Message{{Role: "user", Content: text, At: now}}}}
	var group sync.WaitGroup
	faults := make(chan error, 8)
	for range cap(faults) {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it is cold, and opens its database yet
			defer cancel()
			_, err := store.Write(ctx, []graph.Write{write})
			for ; err != nil && ctx.Err() == nil; _, err = store.Write(ctx, []graph.Write{write}) {
				time.Sleep(100 * time.Millisecond)
			}
			if err != nil {
				faults <- fmt.Errorf("%s: %w", id, err)
			}
		})
	}
	group.Wait()
	close(faults)
	for err := range faults {
		t.Error(err)
	}
	if items := recall(t, store, text); len(items) != 1 || items[0].TurnID != id {
		t.Errorf("%q finds %+v", text, items)
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
