package redis

import (
	"context"
	"slices"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
)

const oldestTraces = traceScript + `
local found = redis.call('ZRANGE', traces, 0, ARGV[1] - 1, 'WITHSCORES')
local answer = {redis.call('GET', bytes) or '0'}
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = found[i + 1]
  answer[#answer + 1] = tostring(takes(found[i]))
end
return answer`

func (t traces) Oldest(ctx context.Context, n int) (some []decisions.Aged, bytes int64, err error) {
	answer, err := t.texts(ctx, oldestTraces, traceKeys, n)
	if err != nil {
		return nil, 0, err
	}
	for entry := range slices.Chunk(answer[1:], 3) {
		some = append(some, decisions.Aged{Key: entry[0], At: moment(entry[1]), Bytes: integer(entry[2])})
	}
	return some, integer(answer[0]), nil
}

const dropTraces = traceScript + `
local dropped = 0
for i = 1, #ARGV, 2 do
  local at = redis.call('ZSCORE', traces, ARGV[i])
  if at and tonumber(at) == tonumber(ARGV[i + 1]) then
    remove(ARGV[i])
    dropped = dropped + 1
  end
end
return dropped`

func (t traces) Drop(ctx context.Context, some []decisions.Aged) (int, error) {
	var args []any
	for _, a := range some {
		args = append(args, a.Key, a.At.UnixMicro())
	}
	return t.number(ctx, dropTraces, traceKeys, args...)
}
