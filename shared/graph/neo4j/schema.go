package neo4j

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"golang.org/x/sync/singleflight"
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

// orphaned is after how long an index without its constraint is taken for one that nobody makes any more.
const orphaned = 5 * time.Second

// makingMost is how long all of them may take to make, on a server that has just been started.
const makingMost = time.Minute

// schema is whether the server has all of them.
type schema struct {
	driver neo4j.DriverWithContext
	seen   atomic.Pointer[time.Time] // when the server last answered, and had them; nil: it may lack some
	turn   chan struct{}             // held by the one call that looks
	making singleflight.Group

	running context.Context // ends with the Store
	stop    context.CancelFunc
}

func newSchema(driver neo4j.DriverWithContext) *schema {
	s := &schema{driver: driver, turn: make(chan struct{}, 1)}
	s.running, s.stop = context.WithCancel(context.Background())
	return s
}

// close stops what is being made, and waits for its end.
func (s *schema) close() {
	s.stop()
	_, _, _ = s.making.Do("", func() (any, error) { return nil, nil })
}

// there tells whether nobody need look.
func (s *schema) there() bool {
	seen := s.seen.Load()
	return seen != nil && time.Since(*seen) < sure
}

// answered takes note of how a call ended. Who left in the middle of one says nothing of the server.
func (s *schema) answered(ctx context.Context, err error) {
	now := time.Now()
	switch {
	case err == nil:
		s.seen.Store(&now)
	case ctx.Err() == nil:
		s.seen.Store(nil)
	}
}

// ensure waits until nothing is missing; a call that fails leaves it to the next.
func (s *schema) ensure(ctx context.Context, session neo4j.SessionWithContext) error {
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
	all, err := missing(ctx, session)
	if err == nil && len(all) > 0 {
		err = s.wait(ctx, all)
	}
	if err == nil {
		s.answered(ctx, nil)
	}
	return err
}

// wait has what is missing made, and waits for it. It goes on when the call ends: what a cold server cannot do within one call it
// would be asked for again by each, and never come to an end.
func (s *schema) wait(ctx context.Context, all []lack) error {
	select {
	case made := <-s.making.DoChan("", func() (any, error) { return nil, s.make(all) }):
		return made.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *schema) make(all []lack) error {
	ctx, cancel := context.WithTimeout(s.running, makingMost)
	defer cancel()
	session := s.driver.NewSession(ctx, neo4j.SessionConfig{})
	defer session.Close(ctx)
	all, err := orphans(ctx, session, all)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.orphan {
			if err := auto(ctx, session, `DROP INDEX `+l.name+` IF EXISTS`, nil); err != nil {
				return err
			}
		}
		if err := auto(ctx, session, definitions[l.name], nil); err != nil && !madeByAnother(err) {
			return err
		}
	}
	if err := auto(ctx, session, `CALL db.awaitIndexes(20)`, nil); err != nil { // seconds
		return err
	}
	if all, err = missing(ctx, session); err == nil && len(all) > 0 {
		err = fmt.Errorf("%s is not there yet", all[0].name)
	}
	return err
}

// madeByAnother tells whether IF NOT EXISTS looked just before another process made it.
func madeByAnother(err error) bool {
	var e *neo4j.Neo4jError
	return errors.As(err, &e) && strings.HasPrefix(e.Code, "Neo.ClientError.Schema.") && strings.HasSuffix(e.Code, "AlreadyExists")
}

// lack is a definition that is missing. An orphan is the index of a constraint whose making was cut off, by the death of who
// made it for one: it is in the way, and Neo4j never takes it up again.
type lack struct {
	name   string
	orphan bool
}

// orphans looks once more at all where one seems to be: another process may have been making it.
func orphans(ctx context.Context, session neo4j.SessionWithContext, all []lack) ([]lack, error) {
	if !slices.ContainsFunc(all, func(l lack) bool { return l.orphan }) {
		return all, nil
	}
	select {
	case <-time.After(orphaned):
		return missing(ctx, session)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func missing(ctx context.Context, session neo4j.SessionWithContext) (all []lack, err error) {
	seen, there := map[string]bool{}, map[string]bool{}
	err = auto(ctx, session, `SHOW INDEXES YIELD name, state, owningConstraint WHERE name STARTS WITH 'aguante_'
		RETURN name, state = 'ONLINE', owningConstraint IS NOT NULL`, func(r *neo4j.Record) {
		name, online, owned := r.Values[0].(string), r.Values[1].(bool), r.Values[2].(bool)
		seen[name] = true
		there[name] = online && (owned || !constraint(name))
	})
	for _, name := range slices.Sorted(maps.Keys(definitions)) { // in one order: two who make them do not wait for each other
		if !there[name] {
			all = append(all, lack{name, seen[name] && constraint(name)})
		}
	}
	return all, err
}

func constraint(name string) bool { return strings.HasPrefix(definitions[name], "CREATE CONSTRAINT") }

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
