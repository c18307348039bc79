package broker

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const schema = `
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS deliveries (
	trigger TEXT NOT NULL,
	dead    INTEGER NOT NULL,  -- 1: for the dead-letter sink
	seq     INTEGER NOT NULL REFERENCES events (seq),
	failure TEXT,              -- JSON of why, where dead is 1
	PRIMARY KEY (trigger, dead, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_of_event ON deliveries (seq)`

// maxCommit is how many writes one commit takes at most.
const maxCommit = 256

var errClosed = errors.New("broker: the journal is closed")

// journal keeps events until all their deliveries are done, in one SQLite file. What was written survives the end of the
// process at any moment. Writes that come together are committed together.
type journal struct {
	writeDB, readDB *sql.DB
	insertEvent     *sql.Stmt
	insertDelivery  *sql.Stmt
	deleteDelivery  *sql.Stmt
	deleteEvent     *sql.Stmt
	page            *sql.Stmt

	writes chan write
	stop   chan struct{}
	writer sync.WaitGroup
	seq    int64 // of the last event; the writer's own
}

// write is one caller's part of a commit; done is told what became of it.
type write struct {
	do   func(tx *sql.Tx) error
	done chan error
}

// failure is why a delivery is for the dead-letter sink, in the terms of Knative's extension attributes.
type failure struct {
	Destination string `json:"destination"`
	Code        int    `json:"code"`
	Data        string `json:"data,omitempty"` // base64, as Knative encodes the answer's body
}

// delivery is one event on its way to one trigger.
type delivery struct {
	seq     int64
	body    []byte
	failure *failure // nil: for the subscriber
}

// route is where an event goes: to a trigger's subscriber or, with a failure, straight to its dead-letter sink.
type route struct {
	to      *trigger
	failure *failure
}

func (r route) queue() *queue {
	if r.failure != nil {
		return r.to.dead
	}
	return r.to.live
}

func openJournal(ctx context.Context, path string) (*journal, error) {
	j := &journal{writes: make(chan write), stop: make(chan struct{})}
	if err := j.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("broker: open %s: %w", path, err), j.closeFiles())
	}
	j.writer.Go(j.commit)
	return j, nil
}

func (j *journal) open(ctx context.Context, path string) (err error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=secure_delete(FAST)"
	if j.writeDB, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return err
	}
	j.writeDB.SetMaxOpenConns(1)
	if _, err = j.writeDB.ExecContext(ctx, schema); err != nil {
		return err
	}
	if j.readDB, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	j.readDB.SetMaxOpenConns(4)
	if err = j.writeDB.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM events").Scan(&j.seq); err != nil {
		return err
	}
	return j.prepare(ctx)
}

func (j *journal) prepare(ctx context.Context) error {
	var faults []error
	in := func(db *sql.DB, query string) *sql.Stmt {
		s, err := db.PrepareContext(ctx, query)
		faults = append(faults, err)
		return s
	}
	j.insertEvent = in(j.writeDB, "INSERT INTO events (seq, body) VALUES (?, ?)")
	j.insertDelivery = in(j.writeDB, "INSERT INTO deliveries (trigger, dead, seq, failure) VALUES (?, ?, ?, ?)")
	j.deleteDelivery = in(j.writeDB, "DELETE FROM deliveries WHERE trigger = ? AND dead = ? AND seq = ?")
	j.deleteEvent = in(j.writeDB, "DELETE FROM events WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE seq = ?1)")
	j.page = in(j.readDB, `SELECT d.seq, e.body, d.failure FROM deliveries d JOIN events e ON e.seq = d.seq
		WHERE d.trigger = ? AND d.dead = ? AND d.seq > ? ORDER BY d.seq LIMIT ?`)
	return errors.Join(faults...)
}

// append makes an event durable with the deliveries that it is due.
func (j *journal) append(ctx context.Context, body []byte, routes []route) error {
	return j.write(ctx, func(tx *sql.Tx) error { return j.insert(tx, body, routes) })
}

// done ends a delivery and, in the same commit, appends what the subscriber replied, if it has routes.
func (j *journal) done(ctx context.Context, trigger string, d delivery, reply []byte, routes []route) error {
	return j.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Stmt(j.deleteDelivery).Exec(trigger, d.failure != nil, d.seq); err != nil {
			return err
		}
		if _, err := tx.Stmt(j.deleteEvent).Exec(d.seq); err != nil {
			return err
		}
		return j.insert(tx, reply, routes)
	})
}

// bury turns a delivery that failed into one for the dead-letter sink.
func (j *journal) bury(ctx context.Context, trigger string, d delivery, why failure) error {
	return j.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Stmt(j.deleteDelivery).Exec(trigger, 0, d.seq); err != nil {
			return err
		}
		_, err := tx.Stmt(j.insertDelivery).Exec(trigger, 1, d.seq, encode(&why))
		return err
	})
}

func (j *journal) insert(tx *sql.Tx, body []byte, routes []route) error {
	if len(routes) == 0 {
		return nil
	}
	j.seq++
	if _, err := tx.Stmt(j.insertEvent).Exec(j.seq, body); err != nil {
		return err
	}
	for _, r := range routes {
		if _, err := tx.Stmt(j.insertDelivery).Exec(r.to.name, r.failure != nil, j.seq, encode(r.failure)); err != nil {
			return err
		}
	}
	return nil
}

// next gives up to limit deliveries of a trigger, oldest first, that come after one.
func (j *journal) next(ctx context.Context, trigger string, dead bool, after int64, limit int) ([]delivery, error) {
	rows, err := j.page.QueryContext(ctx, trigger, dead, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []delivery
	for rows.Next() {
		var d delivery
		var why sql.NullString
		if err := rows.Scan(&d.seq, &d.body, &why); err != nil {
			return nil, err
		}
		if dead {
			d.failure = new(failure)
			if err := json.Unmarshal([]byte(why.String), d.failure); err != nil {
				return nil, err
			}
		}
		found = append(found, d)
	}
	return found, rows.Err()
}

// keepOnly drops the deliveries of all triggers but those named, and says how many.
func (j *journal) keepOnly(ctx context.Context, triggers []string) (dropped int64, err error) {
	names, err := json.Marshal(triggers)
	if err != nil {
		return 0, err
	}
	result, err := j.writeDB.ExecContext(ctx, "DELETE FROM deliveries WHERE trigger NOT IN (SELECT value FROM json_each(?))", string(names))
	if err != nil {
		return 0, err
	}
	if dropped, err = result.RowsAffected(); err == nil && dropped > 0 {
		_, err = j.writeDB.ExecContext(ctx, "DELETE FROM events WHERE seq NOT IN (SELECT seq FROM deliveries)")
	}
	return dropped, err
}

// waiting counts the deliveries of a trigger.
func (j *journal) waiting(ctx context.Context, trigger string, dead bool) (n int64, err error) {
	err = j.readDB.QueryRowContext(ctx, "SELECT count(*) FROM deliveries WHERE trigger = ? AND dead = ?", trigger, dead).Scan(&n)
	return n, err
}

func encode(f *failure) any {
	if f == nil {
		return nil
	}
	text, _ := json.Marshal(f) // two strings and a number
	return string(text)
}
