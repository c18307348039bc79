// Package redis keeps decision traces and dead letters in a Redis that all instances share: one server, TLS, or a cluster.
// Lists are sorted sets by time beside hashes; what changes together is changed by one script. Every call goes through
// one guard and is one attempt.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// Dependency is Redis as trace sees it: it belongs to another zone than that of chat and, since no turn waits for it, has
// as long as the hand-off of a decision trace.
var Dependency = limits.Dependency{Name: limits.Redis.Name, Zone: limits.ZoneAsync, Timeout: limits.HandOff,
	InFlight: limits.Redis.InFlight, Breaker: limits.Redis.Breaker}

// prefix of every key. They share one hash tag: a cluster keeps them on one node, as scripts over several of them need, and
// there are never more than what retention leaves.
const prefix = "aguante:trace:{all}:"

// Redis is safe for concurrent use.
type Redis struct {
	client redis.UniversalClient
	guard  *guard.Guard
	fault  *store.Fault

	leave    context.CancelFunc
	watching sync.WaitGroup
}

// Failures are given back to who called; go-redis would write them to stderr as well.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// New returns the Redis at address: redis://, rediss:// or, with the parameter cluster=true or one addr= for each further
// node, a cluster. Other parameters are go-redis's, as read_timeout=1s. It does not connect: a Redis that is down is found
// by the first call. While d's breaker is open Redis is pinged, until Close, also when ctx ends before.
func New(ctx context.Context, address string, d limits.Dependency, observer guard.Observer, log *slog.Logger) (*Redis, error) {
	client, err := connect(address, d)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	r := &Redis{client: client, guard: guard.New(d, observer), fault: store.NewFault(log.With("store", "redis"))}
	ctx, r.leave = context.WithCancel(context.WithoutCancel(ctx))
	r.watching.Go(func() {
		r.guard.Watch(ctx, func(ctx context.Context) error { return r.client.Ping(ctx).Err() })
	})
	return r, nil
}

func connect(address string, d limits.Dependency) (redis.UniversalClient, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("not a Redis address") // url's error would show the password
	}
	query := u.Query()
	cluster := query.Get("cluster") == "true" || query.Has("addr")
	query.Del("cluster")
	u.RawQuery = query.Encode()
	if cluster {
		return connectCluster(u.String(), d)
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	o.DialTimeout, o.ReadTimeout = cmp.Or(o.DialTimeout, d.Timeout), cmp.Or(o.ReadTimeout, d.Timeout)
	o.WriteTimeout, o.PoolTimeout = cmp.Or(o.WriteTimeout, d.Timeout), cmp.Or(o.PoolTimeout, d.Timeout)
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PoolSize, o.MaxActiveConns, o.PipelinePoolSize = limits.RedisPool, limits.RedisPool, -1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

// connectCluster is connect for a cluster, whose client follows one redirection, to the node that has the keys.
func connectCluster(address string, d limits.Dependency) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(address)
	if err != nil {
		return nil, err
	}
	o.DialTimeout, o.ReadTimeout = cmp.Or(o.DialTimeout, d.Timeout), cmp.Or(o.ReadTimeout, d.Timeout)
	o.WriteTimeout, o.PoolTimeout = cmp.Or(o.WriteTimeout, d.Timeout), cmp.Or(o.PoolTimeout, d.Timeout)
	o.MaxRetries, o.DialerRetries, o.MaxRedirects = -1, 1, 1
	o.PoolSize, o.MaxActiveConns, o.PipelinePoolSize = limits.RedisPool, limits.RedisPool, -1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(o), nil
}

// ask makes one call through the guard, and keeps how it ended unless the caller has left.
func ask[T any](ctx context.Context, r *Redis, call func(context.Context) (T, error)) (T, error) {
	result, err := guard.Do(ctx, r.guard, func(ctx context.Context) (T, error) {
		result, err := call(ctx)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, deadletters.ErrUnderWay) {
			err = guard.Neutral(err)
		}
		return result, err
	})
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, deadletters.ErrUnderWay):
		r.fault.Note(nil)
		return result, err
	case errors.Is(err, redis.ErrClosed):
		return result, store.ErrClosed
	case err != nil:
		err = fmt.Errorf("store: redis: %w", err)
	}
	if ctx.Err() == nil {
		r.fault.Note(err)
	}
	return result, err
}

// number runs a script that answers a number. Scripts are sent as text each time: Redis compiles one once, and no restart
// makes it unknown.
func (r *Redis) number(ctx context.Context, script string, keys []string, args ...any) (int, error) {
	return ask(ctx, r, func(ctx context.Context) (int, error) { return r.client.Eval(ctx, script, keys, args...).Int() })
}

// texts runs a script that answers a list of texts.
func (r *Redis) texts(ctx context.Context, script string, keys []string, args ...any) ([]string, error) {
	return ask(ctx, r, func(ctx context.Context) ([]string, error) {
		return r.client.Eval(ctx, script, keys, args...).StringSlice()
	})
}

// Status is the state of the guard, with the last call's fault as its last error.
func (r *Redis) Status() guard.Status { return r.fault.In(r.guard.Status()) }

// Fault is what the last call failed with; nil when it worked.
func (r *Redis) Fault() error { return r.fault.Err() }

// Close closes the connections. Calls after it get store.ErrClosed.
func (r *Redis) Close() error {
	r.leave()
	r.watching.Wait()
	return r.client.Close()
}
