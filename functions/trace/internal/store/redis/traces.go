package redis

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Keys of the traces. A trace's name is in all of them: row:user LF turn_id, where row is 15 hexadecimal digits of a hash of
// the other two; it orders turns that began at once, and no id holds a control character.
const (
	tracesKey     = prefix + "traces"           // sorted set: name by start, in microseconds since 1970
	namesKey      = prefix + "traces:names"     // sorted set, by letters: u:user LF row turn_id, and t:turn_id LF row user
	summariesKey  = prefix + "traces:summaries" // hash: name to JSON
	bodiesKey     = prefix + "traces:bodies"    // hash: name to JSON
	traceBytesKey = prefix + "traces:bytes"     // what all of them take
)

// traceKeys are the KEYS of every script over traces.
var traceKeys = []string{tracesKey, namesKey, summariesKey, bodiesKey, traceBytesKey, forgottenKey}

// traceScript is what the scripts over traceKeys begin with. What a trace takes beside its texts is measured by
// TestWhatIsKeptTakesWhatIsCounted. A script's first write decides whether a Redis that is out of memory refuses all of it:
// what removes begins with one that is never refused, what keeps with one that is.
const traceScript = `
local traces, names, summaries, bodies, bytes, forgotten = unpack(KEYS)
local function split(name) return name:match('^(%x+):([^\n]*)\n(.*)$') end
local function takes(name)
  return redis.call('HSTRLEN', summaries, name) + redis.call('HSTRLEN', bodies, name) + 5 * #name + 400
end
local function remove(name)
  local row, user, turn = split(name)
  local size = takes(name)
  redis.call('HDEL', summaries, name)
  redis.call('HDEL', bodies, name)
  redis.call('ZREM', traces, name)
  redis.call('ZREM', names, 'u:' .. user .. '\n' .. row .. turn, 't:' .. turn .. '\n' .. row .. user)
  redis.call('DECRBY', bytes, size)
end
`

// Traces are the decision traces in r.
func (r *Redis) Traces() decisions.Keeper { return traces{r} }

type traces struct{ *Redis }

// name of a user's turn in traceKeys.
func name(user, turnID string) string {
	sum := sha256.Sum256([]byte(user + "\n" + turnID))
	return hex.EncodeToString(sum[:8])[:rowDigits] + ":" + user + "\n" + turnID
}

const rowDigits = 15

// row is the place of a trace among those that began at once.
func row(name string) int64 {
	n, _ := strconv.ParseInt(name[:min(rowDigits, len(name))], 16, 64)
	return n
}

// When no turn was kept for as long as a trace is, all of them are too old: then they go without us.
const keepTrace = traceScript + `
local name, at, summary, body, owner, age = unpack(ARGV)
local gone, had = redis.call('ZSCORE', forgotten, owner), redis.call('ZSCORE', traces, name)
if gone and tonumber(at) <= tonumber(gone) or had and tonumber(at) <= tonumber(had) then return 0 end
local before = had and takes(name) or 0
local row, user, turn = split(name)
redis.call('ZADD', traces, at, name)
redis.call('ZADD', names, 0, 'u:' .. user .. '\n' .. row .. turn, 0, 't:' .. turn .. '\n' .. row .. user)
redis.call('HSET', summaries, name, summary)
redis.call('HSET', bodies, name, body)
redis.call('INCRBY', bytes, takes(name) - before)
for i = 1, 5 do redis.call('EXPIRE', KEYS[i], age) end
return 1`

func (t traces) Keep(ctx context.Context, r decisions.Record) error {
	summary, err := json.Marshal(r.Summary)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	_, err = t.number(ctx, keepTrace, traceKeys, name(r.User, r.TurnID), r.StartedAt.UnixMicro(), summary, r.Body,
		digest(r.User), int(limits.DecisionAge.Seconds()))
	return err
}

func (t traces) Get(ctx context.Context, turnID string, user *string) ([][]byte, error) {
	return ask(ctx, t.Redis, func(ctx context.Context) ([][]byte, error) {
		if user != nil {
			return t.bodies(ctx, []string{name(*user, turnID)})
		}
		found, err := t.client.ZRangeByLex(ctx, namesKey,
			&redis.ZRangeBy{Min: "[t:" + turnID + "\n", Max: "(t:" + turnID + "\v", Count: 20}).Result()
		if err != nil {
			return nil, err
		}
		all := make([]string, len(found))
		for i, entry := range found {
			rest := strings.TrimPrefix(entry, "t:"+turnID+"\n")
			all[i] = name(rest[min(rowDigits, len(rest)):], turnID)
		}
		return t.bodies(ctx, all)
	})
}

// bodies gives those of the traces with these names, newest first.
func (t traces) bodies(ctx context.Context, all []string) ([][]byte, error) {
	if len(all) == 0 {
		return nil, store.ErrNotFound
	}
	p := t.client.Pipeline()
	texts, starts := p.HMGet(ctx, bodiesKey, all...), p.ZMScore(ctx, tracesKey, all...)
	if _, err := p.Exec(ctx); err != nil {
		return nil, err
	}
	began := map[string]float64{}
	var found []string
	for i, text := range texts.Val() {
		if body, ok := text.(string); ok {
			found, began[body] = append(found, body), starts.Val()[i]
		}
	}
	if len(found) == 0 {
		return nil, store.ErrNotFound
	}
	slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(began[b], began[a]) })
	bodies := make([][]byte, len(found))
	for i, body := range found {
		bodies[i] = []byte(body)
	}
	return bodies, nil
}

const forgetTraces = traceScript + `
local user, moment, from, n = unpack(ARGV)
local found = redis.call('ZRANGEBYLEX', names, '[u:' .. user .. '\n', '(u:' .. user .. '\v', 'LIMIT', from, n)
local left = 0
for _, entry in ipairs(found) do
  local rest = entry:sub(#user + 4)
  local name = rest:sub(1, 15) .. ':' .. user .. '\n' .. rest:sub(16)
  if tonumber(redis.call('ZSCORE', traces, name) or 0) <= tonumber(moment) then remove(name) else left = left + 1 end
end
if #found < tonumber(n) then return -1 end
return left`

// forget removes a user's traces of turns that began at the moment or before.
func (t traces) forget(ctx context.Context, user string, moment time.Time) error {
	for from := 0; ; {
		left, err := t.number(ctx, forgetTraces, traceKeys, user, moment.UnixMicro(), from, atOnce)
		if err != nil || left < 0 {
			return err
		}
		from += left
	}
}
