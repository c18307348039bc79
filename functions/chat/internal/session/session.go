// Package session keeps sessions, rate limits and the outbox in Redis: one server, TLS, or a cluster. A turn costs two
// round trips, Open before the engine and Close after it. Every call is one attempt and gives its error back.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Store keeps sessions in Redis. Safe for concurrent use.
type Store struct {
	client  redis.UniversalClient
	waiting atomic.Int64 // events in the outbox, as last seen
}

// Failures are given back to who called; go-redis would write them to stderr as well.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// New returns a Store on the Redis at address: redis://, rediss:// or, with the parameter cluster=true or one addr=
// for each further node, a cluster. Other parameters are go-redis's, as read_timeout=1s. It does not connect: a Redis
// that is down is found by the first call.
func New(address string) (*Store, error) {
	client, err := connect(address)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &Store{client: client}, nil
}

// Ping asks Redis for an answer.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// Disconnect closes the connections.
func (s *Store) Disconnect() error { return s.client.Close() }

func connect(address string) (redis.UniversalClient, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("not a Redis address") // url's error would show the password
	}
	query := u.Query()
	cluster := query.Get("cluster") == "true" || query.Has("addr")
	query.Del("cluster")
	u.RawQuery = query.Encode()
	if cluster {
		return connectCluster(u.String())
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	wait := limits.Redis.Timeout
	o.DialTimeout, o.ReadTimeout = cmp.Or(o.DialTimeout, wait), cmp.Or(o.ReadTimeout, wait)
	o.WriteTimeout, o.PoolTimeout = cmp.Or(o.WriteTimeout, wait), cmp.Or(o.PoolTimeout, wait)
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PoolSize, o.MaxActiveConns, o.PipelinePoolSize = limits.RedisPool, limits.RedisPool, -1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

// connectCluster is connect for a cluster, whose client follows one redirection, to the node that has the key.
func connectCluster(address string) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(address)
	if err != nil {
		return nil, err
	}
	wait := limits.Redis.Timeout
	o.DialTimeout, o.ReadTimeout = cmp.Or(o.DialTimeout, wait), cmp.Or(o.ReadTimeout, wait)
	o.WriteTimeout, o.PoolTimeout = cmp.Or(o.WriteTimeout, wait), cmp.Or(o.PoolTimeout, wait)
	o.MaxRetries, o.DialerRetries, o.MaxRedirects = -1, 1, 1
	o.PoolSize, o.MaxActiveConns, o.PipelinePoolSize = limits.RedisPool, limits.RedisPool, -1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(o), nil
}
