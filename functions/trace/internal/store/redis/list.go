package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
)

// Bounds of a list: how many traces are read in one round trip, and looked at for one page.
const (
	readAtOnce = decisions.MaxLimit
	lookedAt   = 20 * readAtOnce
)

// List looks at the newest traces first and, when the filter lets few of them through, ends the page after lookedAt of
// them: the next one goes on from there.
func (t traces) List(ctx context.Context, f decisions.Filter) (decisions.Page, error) {
	page, at := decisions.Page{Decisions: []decisions.Summary{}}, f.Before
	n := f.Limit + 1 // enough when all are let through
	for seen := 0; seen < lookedAt; seen, n = seen+n, readAtOnce {
		some, err := t.after(ctx, at, n)
		if err != nil {
			return decisions.Page{}, err
		}
		for _, s := range some {
			switch {
			case s.unreadable:
				continue
			case s.place.At < f.After.UnixMicro():
				return page, nil
			case !f.Match(s.Summary):
				continue
			case len(page.Decisions) == f.Limit:
				page.Next = at
				return page, nil
			}
			page.Decisions, at = append(page.Decisions, s.Summary), &s.place
		}
		if len(some) < n {
			return page, nil
		}
		at = &some[len(some)-1].place
	}
	page.Next = at
	return page, nil
}

// placed is a trace with its place in the list.
type placed struct {
	decisions.Summary
	place      decisions.Cursor
	unreadable bool
}

const tracesAfter = traceScript + `
local at, row, n = unpack(ARGV)
local skip = 0
if row ~= '' then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', traces, at, at)) do
    if split(name) >= row then skip = skip + 1 end
  end
end
local found = redis.call('ZREVRANGEBYSCORE', traces, at, '-inf', 'WITHSCORES', 'LIMIT', skip, n)
local answer = {}
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = found[i + 1]
  answer[#answer + 1] = redis.call('HGET', summaries, found[i]) or ''
end
return answer`

// after gives the next n traces after a place, nil for the newest ones.
func (t traces) after(ctx context.Context, c *decisions.Cursor, n int) ([]placed, error) {
	at, from := "+inf", ""
	if c != nil {
		at, from = fmt.Sprint(c.At), fmt.Sprintf("%0*x", rowDigits, c.Row)
	}
	answer, err := t.texts(ctx, tracesAfter, traceKeys, at, from, n)
	if err != nil {
		return nil, err
	}
	var some []placed
	for entry := range slices.Chunk(answer, 3) {
		p := placed{place: decisions.Cursor{At: integer(entry[1]), Row: row(entry[0])}}
		p.unreadable = json.Unmarshal([]byte(entry[2]), &p.Summary) != nil
		some = append(some, p)
	}
	return some, nil
}
