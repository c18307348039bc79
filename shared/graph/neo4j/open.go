// Package neo4j keeps the memory graph in Neo4j 5:
//
//	(:Turn)-[:MENTIONS]->(:Entity)
//	(:Turn)-[:STATES]->(:Fact)-[:SUBJECT]->(:Entity), (:Fact)-[:OBJECT]->(:Entity)
//	(:User)
//
// Every node carries its owner, a digest of the user's id; of a forgotten user the User node alone stays, without the id.
// What users say is in properties only, and reaches Cypher in parameters only. The database is for this alone.
package neo4j

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/config"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/notifications"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Config says where the server is. Without a username there is no authentication.
type Config struct{ URI, Username, Password string }

// idle is how long a connection may have been unused before it is tried first: after a restart of the server dead ones
// are replaced instead of failing one call each.
const idle = time.Second

// Store is a graph.Store in a Neo4j server.
type Store struct {
	driver neo4j.DriverWithContext
	schema *schema
}

var _ graph.Store = (*Store)(nil)

// Open makes a Store for the server, which need not be there yet: constraints and indexes are made before the first call
// that reaches it. It fails on a URI that is none.
func Open(_ context.Context, c Config) (*Store, error) {
	auth := neo4j.NoAuth()
	if c.Username != "" {
		auth = neo4j.BasicAuth(c.Username, c.Password, "")
	}
	driver, err := neo4j.NewDriverWithContext(c.URI, auth, func(d *config.Config) {
		d.MaxConnectionPoolSize = limits.Neo4jPool
		d.ConnectionAcquisitionTimeout = limits.Neo4jPoolWait
		d.SocketConnectTimeout = limits.Neo4jPoolWait
		d.ConnectionLivenessCheckTimeout = idle
		d.MaxTransactionRetryTime = 0 // one attempt: retrying is for who calls
		d.FetchSize = neo4j.FetchAll
		d.TelemetryDisabled = true
		d.NotificationsMinSeverity = notifications.DisabledLevel
		d.UserAgent = "aguante"
	})
	if err != nil {
		return nil, fmt.Errorf("neo4j: %w", err)
	}
	return &Store{driver: driver, schema: newSchema(driver)}, nil
}

// Ping asks the server for an answer, once constraints and indexes are there.
func (s *Store) Ping(ctx context.Context) error {
	_, err := read(ctx, s, "ping", func(tx *transaction) (struct{}, error) {
		_, err := tx.run(`RETURN 1`, nil)
		return struct{}{}, err
	})
	return err
}

// Close closes all connections.
func (s *Store) Close() error {
	s.schema.close()
	return s.driver.Close(context.Background())
}

// transaction is one attempt at a transaction.
type transaction struct {
	ctx context.Context
	neo4j.ManagedTransaction
}

func (tx *transaction) run(cypher string, values map[string]any) ([]*neo4j.Record, error) {
	result, err := tx.Run(tx.ctx, cypher, values)
	if err != nil {
		return nil, err
	}
	return result.Collect(tx.ctx)
}

func read[T any](ctx context.Context, s *Store, doing string, work func(tx *transaction) (T, error)) (T, error) {
	return attempt(ctx, s, doing, neo4j.SessionWithContext.ExecuteRead, work)
}

// execute is ExecuteRead or ExecuteWrite.
type execute = func(neo4j.SessionWithContext, context.Context, neo4j.ManagedTransactionWork, ...func(*neo4j.TransactionConfig)) (any, error)

func attempt[T any](ctx context.Context, s *Store, doing string, execute execute, work func(tx *transaction) (T, error)) (T, error) {
	var done, none T
	session := s.driver.NewSession(ctx, neo4j.SessionConfig{})
	defer session.Close(ctx)
	if err := s.schema.ensure(ctx, session); err != nil {
		return none, explain(ctx, doing, err)
	}
	_, err := execute(session, ctx, func(tx neo4j.ManagedTransaction) (_ any, err error) {
		done, err = work(&transaction{ctx, tx})
		return nil, err
	})
	s.schema.answered(ctx, err)
	if err != nil {
		return none, explain(ctx, doing, err)
	}
	return done, nil
}

// explain wraps err with what was being done, and with the context's own error where that has ended: the driver's words
// for it do not say so. That there was one attempt alone goes without saying.
func explain(ctx context.Context, doing string, err error) error {
	var limit *neo4j.TransactionExecutionLimit
	if errors.As(err, &limit) && len(limit.Errors) > 0 {
		err = limit.Errors[len(limit.Errors)-1]
	}
	ended := ctx.Err()
	if deadline, is := ctx.Deadline(); is && ended == nil && !time.Now().Before(deadline) {
		ended = context.DeadlineExceeded // the connection's own timer was first
	}
	if ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("neo4j: %s: %w: %w", doing, ended, err)
	}
	return fmt.Errorf("neo4j: %s: %w", doing, err)
}
