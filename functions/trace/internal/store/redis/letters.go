package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Keys of the letters. Times are microseconds since 1970.
const (
	lettersKey  = prefix + "letters"          // sorted set: id by when it last came
	waitingKey  = prefix + "letters:waiting"  // sorted set: the same of those that wait
	replayedKey = prefix + "letters:replayed" // sorted set: id by when it was replayed, of the others
	bytesKey    = prefix + "letters:bytes"    // of data and attributes, all together
	auditKey    = prefix + "audit"            // sorted set: number of an entry by when it was written
	entriesKey  = prefix + "audit:entries"    // hash: number to outcome LF JSON
	numberKey   = prefix + "audit:last"       // the last number
)

// letterKey is a hash: type, owner (as a digest), unreadable, sent_at, first_at, last_at, arrivals, waiting, replays,
// replayed_at, size, bytes, attributes, data, and sent: the numbers of the audit's entries that say it was, and is not back.
func letterKey(id string) string { return prefix + "letter:" + id }

// takenKey names the replay that has a letter.
func takenKey(id string) string { return prefix + "taken:" + id }

// letterKeys are the KEYS of every script over letters with these ids.
func letterKeys(ids ...string) []string {
	keys := []string{lettersKey, waitingKey, replayedKey, bytesKey, auditKey, entriesKey, numberKey, forgottenKey}
	for _, id := range ids {
		keys = append(keys, letterKey(id))
	}
	return keys
}

const letterScript = `
local letters, waiting, replayed, bytes, audit, entries, number, forgotten, letter = unpack(KEYS, 1, 9)
local function remove(id, letter)
  local size = redis.call('HGET', letter, 'bytes') or 0
  redis.call('DEL', letter)
  for _, set in ipairs({letters, waiting, replayed}) do redis.call('ZREM', set, id) end
  redis.call('DECRBY', bytes, size)
end
local function note(at, outcome, entry, age)
  local n = string.format('%015.0f', redis.call('INCR', number))
  redis.call('ZADD', audit, at, n)
  redis.call('HSET', entries, n, outcome .. '\n' .. entry)
  for _, key in ipairs({number, audit, entries}) do redis.call('EXPIRE', key, age) end
  return n
end
`

// Letters are the dead letters in r.
func (r *Redis) Letters() deadletters.Keeper { return letters{r} }

type letters struct{ *Redis }

// letterAge is after how many seconds without arrivals Redis lets go of the letters by itself: all of them had to expire
// by then, and nobody was there to see to it.
var letterAge = int((limits.DeadLetterAge + limits.DecisionAge).Seconds())

const keepLetter = letterScript + `
local id, at, sent, owner, unreadable, kind, attributes, data, back, age = unpack(ARGV)
local gone = owner ~= '' and redis.call('ZSCORE', forgotten, owner)
if gone and tonumber(sent) <= tonumber(gone) then return 0 end
redis.call('ZADD', letters, at, id)
if redis.call('EXISTS', letter) == 0 then
  redis.call('HSET', letter, 'type', kind, 'owner', owner, 'unreadable', unreadable, 'sent_at', sent, 'first_at', at,
    'replays', 0, 'replayed_at', 0, 'size', #data, 'bytes', 0, 'data', data)
end
local size = redis.call('HGET', letter, 'size') + #attributes
redis.call('INCRBY', bytes, size - redis.call('HGET', letter, 'bytes'))
redis.call('HINCRBY', letter, 'arrivals', 1)
redis.call('HSET', letter, 'last_at', at, 'waiting', 1, 'attributes', attributes, 'bytes', size)
redis.call('ZADD', waiting, at, id)
redis.call('ZREM', replayed, id)
for n in (redis.call('HGET', letter, 'sent') or ''):gmatch('%d+') do
  local entry = redis.call('HGET', entries, n)
  if entry then redis.call('HSET', entries, n, back .. entry:match('\n.*')) end
end
redis.call('HDEL', letter, 'sent')
for _, key in ipairs({letters, waiting, replayed, bytes, letter}) do redis.call('EXPIRE', key, age) end
return 1`

func (l letters) Keep(ctx context.Context, a deadletters.Arrival) error {
	owner := ""
	if a.Owner != "" {
		owner = digest(a.Owner)
	}
	_, err := l.number(ctx, keepLetter, letterKeys(a.ID), a.ID, a.At.UnixMicro(), a.Sent.UnixMicro(), owner, a.Unreadable,
		a.Type, a.Attributes, a.Data, deadletters.CameBack, letterAge)
	return err
}

func (l letters) List(ctx context.Context, limit int) ([]deadletters.Kept, error) {
	return ask(ctx, l.Redis, func(ctx context.Context) ([]deadletters.Kept, error) {
		ids, err := l.client.ZRevRange(ctx, lettersKey, 0, int64(limit)-1).Result()
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		p := l.client.Pipeline()
		for _, id := range ids {
			p.HMGet(ctx, letterKey(id), fields...)
		}
		answers, err := p.Exec(ctx)
		if err != nil {
			return nil, err
		}
		var some []deadletters.Kept
		for i, answer := range answers {
			if k, found := kept(ids[i], answer.(*redis.SliceCmd)); found {
				some = append(some, k)
			}
		}
		return some, nil
	})
}

func (l letters) Waiting(ctx context.Context) (int, error) {
	return ask(ctx, l.Redis, func(ctx context.Context) (int, error) {
		n, err := l.client.ZCard(ctx, waitingKey).Result()
		return int(n), err
	})
}

// fields of a letter that lists need.
var fields = []string{"first_at", "last_at", "arrivals", "waiting", "replays", "replayed_at", "size", "attributes"}

// kept reads fields, and data if it follows them.
func kept(id string, answer *redis.SliceCmd) (k deadletters.Kept, found bool) {
	text := func(i int) string {
		if i < len(answer.Val()) {
			s, _ := answer.Val()[i].(string)
			return s
		}
		return ""
	}
	number := func(i int) int { return int(integer(text(i))) }
	k.ID, k.State = id, deadletters.Replayed
	k.FirstAt, k.LastAt = moment(text(0)), moment(text(1))
	k.Arrivals, k.Replays, k.Size = number(2), number(4), number(6)
	if number(3) == 1 {
		k.State = deadletters.Waiting
	}
	if number(5) != 0 {
		k.ReplayedAt = moment(text(5))
	}
	k.Attributes, k.Data = []byte(text(7)), []byte(text(8))
	return k, text(0) != ""
}

func (l letters) Queue(ctx context.Context, limit int) ([]string, error) {
	return ask(ctx, l.Redis, func(ctx context.Context) ([]string, error) {
		return l.client.ZRange(ctx, waitingKey, 0, int64(limit)-1).Result()
	})
}

// takenFor is how long a replay has a letter: longer than it takes to send it and to note that, and no longer than an
// operator would wait when the instance has died meanwhile.
const takenFor = 30 * time.Second

const releaseLetter = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`

func (l letters) Take(ctx context.Context, id string) (deadletters.Kept, func(), error) {
	replay := rand.Text()
	k, err := ask(ctx, l.Redis, func(ctx context.Context) (deadletters.Kept, error) {
		p := l.client.TxPipeline()
		taken, letter := p.SetNX(ctx, takenKey(id), replay, takenFor), p.HMGet(ctx, letterKey(id), append(fields, "data")...)
		if _, err := p.Exec(ctx); err != nil {
			return deadletters.Kept{}, err
		}
		k, found := kept(id, letter)
		switch {
		case !taken.Val():
			return k, deadletters.ErrUnderWay
		case !found:
			return k, store.ErrNotFound
		}
		return k, nil
	})
	release := func() {
		_, _ = l.number(context.WithoutCancel(ctx), releaseLetter, []string{takenKey(id)}, replay) // it ends by itself too
	}
	if errors.Is(err, store.ErrNotFound) {
		release()
	}
	return k, release, err
}

const replayedLetter = letterScript + `
local id, at, seen, sent, back, entry, age, letterAge = unpack(ARGV)
if redis.call('EXISTS', letter) == 0 then return note(at, sent, entry, age) end
redis.call('HINCRBY', letter, 'replays', 1)
redis.call('HSET', letter, 'replayed_at', at)
if tonumber(redis.call('HGET', letter, 'arrivals')) > tonumber(seen) then return note(at, back, entry, age) end
redis.call('HSET', letter, 'waiting', 0)
redis.call('ZREM', waiting, id)
redis.call('ZADD', replayed, at, id)
redis.call('EXPIRE', replayed, letterAge)
return redis.call('HSET', letter, 'sent', (redis.call('HGET', letter, 'sent') or '') .. ' ' .. note(at, sent, entry, age))`

func (l letters) Replayed(ctx context.Context, arrivals int, e deadletters.Entry) error {
	_, err := l.number(ctx, replayedLetter, letterKeys(e.Letter), e.Letter, strconv.FormatInt(e.At.UnixMicro(), 10), arrivals,
		deadletters.Sent, deadletters.CameBack, text(e), auditAge, letterAge)
	return err
}
