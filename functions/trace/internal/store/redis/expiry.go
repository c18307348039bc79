package redis

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
)

func (l letters) Oldest(ctx context.Context, state string, n int) (some []deadletters.Aged, bytes int64, err error) {
	set := replayedKey
	if state == deadletters.Waiting {
		set = waitingKey
	}
	some, err = ask(ctx, l.Redis, func(ctx context.Context) (some []deadletters.Aged, err error) {
		p := l.client.Pipeline()
		all, first := p.Get(ctx, bytesKey), p.ZRangeWithScores(ctx, set, 0, int64(n)-1)
		if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		bytes = integer(all.Val())
		for _, z := range first.Val() {
			id, _ := z.Member.(string)
			some = append(some, deadletters.Aged{ID: id, State: state, At: time.UnixMicro(int64(z.Score))})
		}
		return some, l.describe(ctx, some)
	})
	return some, bytes, err
}

// describe fills in what the letters themselves tell.
func (l letters) describe(ctx context.Context, some []deadletters.Aged) error {
	if len(some) == 0 {
		return nil
	}
	p := l.client.Pipeline()
	for _, a := range some {
		p.HMGet(ctx, letterKey(a.ID), "type", "bytes")
	}
	answers, err := p.Exec(ctx)
	for i, answer := range answers {
		if told := answer.(*redis.SliceCmd).Val(); len(told) == 2 {
			some[i].Type, _ = told[0].(string)
			size, _ := told[1].(string)
			some[i].Bytes = integer(size)
		}
	}
	return err
}

const dropLetter = letterScript + `
local id, at, state, now, outcome, entry, age = unpack(ARGV)
local since = redis.call('ZSCORE', state == 'waiting' and waiting or replayed, id)
if not since or tonumber(since) ~= tonumber(at) then return 0 end
remove(id, letter)
if entry ~= '' then note(now, outcome, entry, age) end
return 1`

func (l letters) Drop(ctx context.Context, a deadletters.Aged, e *deadletters.Entry) (bool, error) {
	args := []any{a.ID, a.At.UnixMicro(), a.State, 0, "", "", auditAge}
	if e != nil {
		args[3], args[4], args[5] = e.At.UnixMicro(), e.Outcome, text(*e)
	}
	n, err := l.number(ctx, dropLetter, letterKeys(a.ID), args...)
	return n > 0, err
}

const forgetLetters = letterScript + `
local owner, moment, spellings = ARGV[1], tonumber(ARGV[2]), {ARGV[3], ARGV[4]}
for i = 5, #ARGV do
  local letter = KEYS[i + 4]
  local told = redis.call('HMGET', letter, 'sent_at', 'owner', 'unreadable')
  if told[1] and tonumber(told[1]) <= moment then
    local theirs = told[2] == owner
    if told[3] == '1' then
      local data = redis.call('HGET', letter, 'data')
      theirs = data:find(spellings[1], 1, true) or data:find(spellings[2], 1, true)
    end
    if theirs then remove(ARGV[i], letter) end
  end
end
return 1`

// forget removes the letters that hold a user's data and were sent at the moment or before. What comes meanwhile is not
// kept, so one look at the ids is enough.
func (l letters) forget(ctx context.Context, user string, moment time.Time) error {
	ids, err := ask(ctx, l.Redis, func(ctx context.Context) ([]string, error) {
		return l.client.ZRange(ctx, lettersKey, 0, -1).Result()
	})
	if err != nil {
		return err
	}
	spellings := deadletters.Spellings(user)
	for some := range slices.Chunk(ids, atOnce) {
		args := []any{digest(user), moment.UnixMicro(), spellings[0], spellings[len(spellings)-1]}
		for _, id := range some {
			args = append(args, id)
		}
		if _, err := l.number(ctx, forgetLetters, letterKeys(some...), args...); err != nil {
			return err
		}
	}
	return nil
}
