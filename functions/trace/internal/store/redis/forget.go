package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// forgottenKey is a sorted set of users by when they were forgotten. They are in it as digests: the list of the forgotten
// must not name them.
const forgottenKey = prefix + "forgotten"

// digest stands for a user, 128 bits of SHA-256.
func digest(user string) string {
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:16])
}

// atOnce bounds what one script erases.
const atOnce = 200

// Forget erases a user's traces of turns that began at the moment or before and the dead letters that hold data of theirs
// from before. What they did until then and that comes later is not kept. After an error it is to be tried again.
func (r *Redis) Forget(ctx context.Context, user string, moment time.Time) error {
	_, err := ask(ctx, r, func(ctx context.Context) (int64, error) {
		return r.client.ZAddArgs(ctx, forgottenKey, redis.ZAddArgs{GT: true,
			Members: []redis.Z{{Score: float64(moment.UnixMicro()), Member: digest(user)}}}).Result()
	})
	if err != nil {
		return err
	}
	return errors.Join(traces{r}.forget(ctx, user, moment), letters{r}.forget(ctx, user, moment))
}

// integer reads what a script of ours answered; what is none is 0.
func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// moment reads microseconds since 1970.
func moment(text string) time.Time { return time.UnixMicro(integer(text)).UTC() }
