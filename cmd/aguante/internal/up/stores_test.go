package up

import (
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func TestKeysOfTheEmbeddedRedisExpire(t *testing.T) {
	r := miniredis.NewMiniRedis()
	if err := r.Set("key", "value"); err != nil {
		t.Fatal(err)
	}
	r.SetTTL("key", time.Second)
	stop := make(chan struct{})
	var clock sync.WaitGroup
	clock.Go(func() { expire(r, stop) })
	eventually(t, "the key is gone", func() bool { return !r.Exists("key") })
	close(stop)
	clock.Wait()
}
