package neo4j

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
)

// definitions are the constraints and indexes, by name. Terms come analyzed; the full-text index only parts them.
var definitions = map[string]string{
	"aguante_user":    `CREATE CONSTRAINT aguante_user IF NOT EXISTS FOR (u:User) REQUIRE u.key IS UNIQUE`,
	"aguante_turn":    `CREATE CONSTRAINT aguante_turn IF NOT EXISTS FOR (t:Turn) REQUIRE (t.owner, t.id) IS UNIQUE`,
	"aguante_entity":  `CREATE CONSTRAINT aguante_entity IF NOT EXISTS FOR (e:Entity) REQUIRE (e.owner, e.key) IS UNIQUE`,
	"aguante_fact":    `CREATE CONSTRAINT aguante_fact IF NOT EXISTS FOR (f:Fact) REQUIRE (f.owner, f.turn, f.seq) IS UNIQUE`,
	"aguante_line":    `CREATE INDEX aguante_line IF NOT EXISTS FOR (f:Fact) ON (f.owner, f.line)`,
	"aguante_session": `CREATE INDEX aguante_session IF NOT EXISTS FOR (t:Turn) ON (t.session, t.owner, t.place)`,
	"aguante_terms": `CREATE FULLTEXT INDEX aguante_terms IF NOT EXISTS FOR (t:Turn) ON EACH [t.owner, t.terms]
		OPTIONS {indexConfig: {` + "`fulltext.analyzer`: 'whitespace', `fulltext.eventually_consistent`: false" + `}}`,
}

// sure is for how long a server that answered is taken for the same: an empty one in its place takes longer to start.
const sure = 3 * time.Second

// schema is whether the server has all of them.
type schema struct {
	seen *atomic.Pointer[time.Time] // when the server last answered, and had them; nil: it may lack some
	turn chan struct{}              // held by the one call that looks
}

func newSchema() schema { return schema{new(atomic.Pointer[time.Time]), make(chan struct{}, 1)} }

// there tells whether nobody need look.
func (s schema) there() bool {
	seen := s.seen.Load()
	return seen != nil && time.Since(*seen) < sure
}

// answered takes note of how a call ended. Who left in the middle of one says nothing of the server.
func (s schema) answered(ctx context.Context, err error) {
	now := time.Now()
	switch {
	case err == nil:
		s.seen.Store(&now)
	case ctx.Err() == nil:
		s.seen.Store(nil)
	}
}

// ensure makes what is missing; a call that fails leaves it to the next.
func (s schema) ensure(ctx context.Context, session neo4j.SessionWithContext) error {
	if s.there() {
		return nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.there() {
		return nil
	}
	missing, err := missing(ctx, session)
	if err != nil {
		return err
	}
	for _, name := range missing {
		if err := auto(ctx, session, definitions[name], nil); err != nil && !madeByAnother(err) {
			return err
		}
	}
	if len(missing) > 0 {
		if err := auto(ctx, session, `CALL db.awaitIndexes()`, nil); err != nil {
			return err
		}
	}
	s.answered(ctx, nil)
	return nil
}

// madeByAnother tells whether IF NOT EXISTS looked just before another process made it.
func madeByAnother(err error) bool {
	var e *neo4j.Neo4jError
	return errors.As(err, &e) && strings.HasPrefix(e.Code, "Neo.ClientError.Schema.") && strings.HasSuffix(e.Code, "AlreadyExists")
}

func missing(ctx context.Context, session neo4j.SessionWithContext) ([]string, error) {
	online := map[any]bool{}
	err := auto(ctx, session, `SHOW INDEXES YIELD name, state WHERE name STARTS WITH 'aguante_' AND state = 'ONLINE' RETURN name`,
		func(r *neo4j.Record) { online[r.Values[0]] = true })
	var names []string
	for name := range definitions {
		if !online[name] {
			names = append(names, name)
		}
	}
	return names, err
}

// auto runs a statement in a transaction of its own, as schema needs.
func auto(ctx context.Context, session neo4j.SessionWithContext, cypher string, row func(*neo4j.Record)) error {
	result, err := session.Run(ctx, cypher, nil)
	if err != nil {
		return err
	}
	for result.Next(ctx) {
		if row != nil {
			row(result.Record())
		}
	}
	return result.Err()
}
