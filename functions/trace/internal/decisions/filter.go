package decisions

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How many traces one page holds, unless the caller says otherwise, and at most.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Filter says which traces to list. An empty field lets everything through.
type Filter struct {
	Session, User, Outcome, Dependency string

	Since  string // as the caller wrote it: a time in RFC 3339 or a duration such as 1h
	After  time.Time
	Limit  int
	Before *Cursor // nil: from the newest
}

// Cursor is a place in the list: the trace after which the next page begins.
type Cursor struct {
	At  int64 // when its turn began, microseconds since 1970
	Row int64
}

var params = []string{"session_id", "user", "outcome", "dependency", "since", "limit", "before"}

// ParseFilter reads a query string. Its error names every parameter that cannot be right.
func ParseFilter(q url.Values, now time.Time) (Filter, error) {
	f := Filter{Session: q.Get("session_id"), User: q.Get("user"), Outcome: q.Get("outcome"),
		Dependency: q.Get("dependency"), Since: q.Get("since"), Limit: DefaultLimit}
	faults := []error{checkParams(q), checkID("session_id", f.Session, false), checkID("user", f.User, false),
		checkWord("dependency", f.Dependency)}
	if f.Outcome != "" {
		faults = append(faults, checkOutcome("outcome", f.Outcome))
	}
	var since, limit, before error
	f.After, since = parseSince(f.Since, now)
	f.Limit, limit = ParseLimit(q.Get("limit"))
	f.Before, before = parseCursor(q.Get("before"))
	if err := errors.Join(append(faults, since, limit, before)...); err != nil {
		return Filter{}, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return f, nil
}

// checkParams refuses what no filter is called: a misspelt one would let everything through.
func checkParams(q url.Values) error {
	for name, values := range q {
		if !slices.Contains(params, name) {
			return fmt.Errorf("%.64q: is no filter; there are %s", name, strings.Join(params, ", "))
		}
		if len(values) > 1 {
			return fmt.Errorf("%s: is given %d times", name, len(values))
		}
	}
	return nil
}

func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 {
		return time.Time{}, errors.New("since: must be a time such as 2026-10-01T12:00:00Z or a duration such as 1h")
	}
	return now.Add(-ago), nil
}

// ParseLimit reads how many a page shall hold; empty: DefaultLimit.
func ParseLimit(text string) (int, error) {
	if text == "" {
		return DefaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxLimit {
		return 0, fmt.Errorf("limit: must be 1 to %d", MaxLimit)
	}
	return n, nil
}

func parseCursor(text string) (*Cursor, error) {
	if text == "" {
		return nil, nil
	}
	at, row, found := strings.Cut(text, "-")
	var c Cursor
	var err, err2 error
	c.At, err = strconv.ParseInt(at, 10, 64)
	c.Row, err2 = strconv.ParseInt(row, 10, 64)
	if !found || err != nil || err2 != nil || c.At < 0 || c.Row < 0 {
		return nil, errors.New("before: is no place in the list; take it from next")
	}
	return &c, nil
}

func (c Cursor) String() string { return fmt.Sprintf("%d-%d", c.At, c.Row) }

// Values is the query string that ParseFilter reads as f, in one spelling.
func (f Filter) Values() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("session_id", f.Session)
	set("user", f.User)
	set("outcome", f.Outcome)
	set("dependency", f.Dependency)
	set("since", f.Since)
	if f.Limit != DefaultLimit && f.Limit != 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	if f.Before != nil {
		set("before", f.Before.String())
	}
	return q
}

// Match tells whether f lets s through, wherever it stands in the list.
func (f Filter) Match(s Summary) bool {
	return (f.Session == "" || s.SessionID == f.Session) && (f.User == "" || s.User == f.User) &&
		(f.Outcome == "" || s.Outcome == f.Outcome) && (f.Dependency == "" || slices.Contains(s.Dependencies, f.Dependency)) &&
		s.StartedAt.UnixMicro() >= f.After.UnixMicro()
}
