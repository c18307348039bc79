package redis

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/shared/limits"
)

// auditAge is after how many seconds without entries Redis lets go of the audit by itself.
var auditAge = int(limits.DeadLetterAge.Seconds())

// text is e as it stands in the audit. Its outcome is kept beside it: that changes.
func text(e deadletters.Entry) string {
	line, _ := json.Marshal(e) // strings and a time
	return string(line)
}

const noteEntry = letterScript + `
note(unpack(ARGV))
return 1`

func (l letters) Note(ctx context.Context, e deadletters.Entry) error {
	_, err := l.number(ctx, noteEntry, letterKeys(), e.At.UnixMicro(), e.Outcome, text(e), auditAge)
	return err
}

func (l letters) Audit(ctx context.Context, limit int) ([]deadletters.Entry, error) {
	return ask(ctx, l.Redis, func(ctx context.Context) ([]deadletters.Entry, error) {
		entries := []deadletters.Entry{}
		numbers, err := l.client.ZRevRange(ctx, auditKey, 0, int64(limit)-1).Result()
		if err != nil || len(numbers) == 0 {
			return entries, err
		}
		lines, err := l.client.HMGet(ctx, entriesKey, numbers...).Result()
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			written, _ := line.(string)
			outcome, rest, _ := strings.Cut(written, "\n")
			var e deadletters.Entry
			if json.Unmarshal([]byte(rest), &e) == nil {
				e.Outcome = outcome
				entries = append(entries, e)
			}
		}
		return entries, nil
	})
}

const trimAudit = letterScript + `
local function cut(found)
  for _, n in ipairs(found) do
    redis.call('HDEL', entries, n)
    redis.call('ZREM', audit, n)
  end
end
cut(redis.call('ZRANGEBYSCORE', audit, '-inf', '(' .. ARGV[1]))
cut(redis.call('ZRANGE', audit, 0, -1 - ARGV[2]))
return 1`

func (l letters) Trim(ctx context.Context, oldest time.Time, most int) error {
	_, err := l.number(ctx, trimAudit, letterKeys(), oldest.UnixMicro(), most)
	return err
}
