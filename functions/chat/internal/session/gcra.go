package session

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// gcra counts one request in a bucket that leaks at a steady rate (GCRA; turn.Judge has the arithmetic and its source).
// The key holds when the bucket will have leaked empty, by Redis's own clock, so that instances whose clocks differ
// agree; a key that is not there, or holds nonsense, is an empty bucket, and so is one fuller than full: the clock was set
// back, and nobody is to be refused until it is where it was. The answer is how full the bucket was, in µs.
//
// It is sent as text each time (EVAL): 500 bytes that Redis compiles once, instead of a hash that a restart or a
// SCRIPT FLUSH makes unknown in the middle of a pipeline.
const gcra = `
local each, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = tonumber(redis.call('GET', KEYS[1]) or now) or now
local filled = math.max(0, full - now)
if filled > each * burst then filled = 0 end
if filled + each <= each * burst then
  full = filled + each
  redis.call('SET', KEYS[1], string.format('%.0f', now + full), 'PX', math.ceil(full / 1000))
end
return filled`

// count adds a request of c to p.
func count(ctx context.Context, p redis.Pipeliner, c turn.Caller) *redis.Cmd {
	return p.Eval(ctx, gcra, []string{rateKey(c)}, turn.Interval(c.Rate).Microseconds(), c.Rate.Burst)
}

// verdict reads what count was answered.
func verdict(answer *redis.Cmd, c turn.Caller) (*turn.Verdict, error) {
	filled, err := answer.Int64()
	if err != nil {
		return nil, fmt.Errorf("session: rate limit: %w", err)
	}
	v := turn.Judge(c.Class, c.Rate, time.Duration(filled)*time.Microsecond)
	return &v, nil
}
