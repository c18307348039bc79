package deadletters

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Keeper keeps letters and their audit: in a file of one instance's own, or in a Redis that all instances share.
type Keeper interface {
	Box
	Replays
	Expiry
	Book
}

// Box is where letters lie.
type Box interface {
	// Keep keeps a, or counts that it came again: then it waits again, and what was sent came back. Data of an owner who
	// was forgotten since a was sent is not kept.
	Keep(ctx context.Context, a Arrival) error
	// List gives at most limit letters without their data, those that came last first.
	List(ctx context.Context, limit int) ([]Kept, error)
	// Waiting is how many letters wait for an operator.
	Waiting(ctx context.Context) (int, error)
}

// Replays are what a replay needs of the letters.
type Replays interface {
	// Queue gives the ids of at most limit letters that wait, those that came longest ago first.
	Queue(ctx context.Context, limit int) ([]string, error)
	// Take gives a letter to one replay at a time, until release. Another gets ErrUnderWay.
	Take(ctx context.Context, id string) (k Kept, release func(), err error)
	// Replayed notes that e.Letter was sent. If it came more than arrivals times it came back meanwhile: it waits on.
	Replayed(ctx context.Context, arrivals int, e Entry) error
}

// Expiry is what retention needs of the letters.
type Expiry interface {
	// Oldest gives at most n letters in state, oldest first, and how many bytes all letters take.
	Oldest(ctx context.Context, state string, n int) (some []Aged, bytes int64, err error)
	// Drop removes a letter that is as it was, and writes e, if there is one, into the audit.
	Drop(ctx context.Context, a Aged, e *Entry) (dropped bool, err error)
}

// Book is where the audit is written.
type Book interface {
	Note(ctx context.Context, e Entry) error
	// Audit gives at most limit entries, newest first.
	Audit(ctx context.Context, limit int) ([]Entry, error)
	// Trim drops entries from before oldest, and the oldest of those beyond most.
	Trim(ctx context.Context, oldest time.Time, most int) error
}

// Arrival is an event that nobody took, as it comes.
type Arrival struct {
	ID         string
	Type       string
	Owner      string    // whose data it holds; empty: nobody's
	Unreadable bool      // the data does not say whose it is in a way we can read
	Sent       time.Time // by its source
	At         time.Time
	Attributes []byte // JSON object of strings
	Data       []byte
}

// Kept is a letter as it is kept. What its attributes tell is not in Letter yet.
type Kept struct {
	Letter
	Attributes []byte
	Data       []byte
}

// read gives the whole letter, and the event's attributes.
func (k Kept) read() (Letter, map[string]string, error) {
	var attributes map[string]string
	if err := json.Unmarshal(k.Attributes, &attributes); err != nil {
		return Letter{}, nil, fmt.Errorf("attributes: %w", err)
	}
	l := k.Letter
	l.describe(attributes)
	return l, attributes, nil
}

// Aged is a letter as retention sees it.
type Aged struct {
	ID, Type, State string
	At              time.Time // it last came or, in the state Replayed, was replayed
	Bytes           int64     // of data and attributes
}
