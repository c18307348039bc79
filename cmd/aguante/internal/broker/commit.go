package broker

import (
	"context"
	"database/sql"
	"errors"
)

// write has do committed, together with what others write at the time, and waits for it.
func (j *journal) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	w := write{do: do, done: make(chan error, 1)}
	select {
	case j.writes <- w:
		return <-w.done
	case <-j.stop:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit is the one writer. It takes whatever waits into one transaction, so that a commit's price is shared when there
// is much to write and paid at once when there is not.
func (j *journal) commit() {
	for {
		select {
		case w := <-j.writes:
			j.together(j.gather(w))
		case <-j.stop:
			return
		}
	}
}

func (j *journal) gather(first write) []write {
	batch := []write{first}
	for len(batch) < maxCommit {
		select {
		case w := <-j.writes:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// together commits a batch. If it fails as a whole, each write gets a chance on its own: one that cannot be written
// must not take others with it.
func (j *journal) together(batch []write) {
	err := j.transact(batch)
	if err != nil && len(batch) > 1 {
		for _, w := range batch {
			j.together([]write{w})
		}
		return
	}
	for _, w := range batch {
		w.done <- err
	}
}

func (j *journal) transact(batch []write) error {
	before := j.seq
	tx, err := j.writeDB.Begin()
	if err != nil {
		return err
	}
	for _, w := range batch {
		if err := w.do(tx); err != nil {
			j.seq = before
			return errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		j.seq = before
		return errors.Join(err, tx.Rollback())
	}
	return nil
}

// close ends the writer, after whom nothing is written, and closes the file.
func (j *journal) close() error {
	close(j.stop)
	j.writer.Wait()
	return j.closeFiles()
}

func (j *journal) closeFiles() error {
	var faults []error
	for _, db := range []*sql.DB{j.readDB, j.writeDB} {
		if db != nil {
			faults = append(faults, db.Close())
		}
	}
	return errors.Join(faults...)
}
