package turn

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// Verdict is what a rate limit said of one request.
type Verdict struct {
	Allowed    bool
	Limit      int           // requests at once
	Remaining  int           // of them
	Reset      time.Duration // until all of them are back
	RetryAfter time.Duration // until one of them is back; 0 when allowed
	Policy     string        // for the RateLimit-Policy header: name, quota, window in seconds, burst
}

// Judge is GCRA, the generic cell rate algorithm (ITU-T I.371, annex A): every request fills a bucket that leaks at
// the rate, and one that would overflow the burst is not allowed and fills nothing. filled is the time the bucket
// needs to leak empty, before this request.
func Judge(class string, r limits.Rate, filled time.Duration) Verdict {
	each, whole := Interval(r), Interval(r)*time.Duration(r.Burst)
	v := Verdict{Limit: r.Burst, Reset: filled, Policy: fmt.Sprintf("%q;q=%d;w=60;burst=%d", class, r.PerMinute, r.Burst)}
	if filled+each > whole {
		v.RetryAfter = filled + each - whole
		return v
	}
	v.Allowed = true
	v.Reset += each
	v.Remaining = int((whole - v.Reset) / each)
	return v
}

// Interval is the time between two requests at the rate r, in whole microseconds: Redis counts in them.
func Interval(r limits.Rate) time.Duration {
	return (time.Minute / time.Duration(max(1, r.PerMinute))).Truncate(time.Microsecond)
}

// shareKeys bounds the callers that one instance keeps in mind: 100 bytes each.
const shareKeys = 50_000

// share is the rate limit in memory. While Redis answers it mirrors what Redis said last, and a caller over the limit
// here is over it everywhere; when Redis fails it goes on from there.
type share struct {
	now  func() time.Time
	mu   sync.Mutex
	full map[string]time.Time // when each caller's bucket will have leaked empty
}

func newShare(now func() time.Time) *share {
	return &share{now: now, full: map[string]time.Time{}}
}

// take judges one request of key and counts it if it is allowed.
func (s *share) take(key, class string, r limits.Rate) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	v := Judge(class, r, max(0, s.full[key].Sub(now)))
	if v.Allowed {
		s.put(key, now.Add(v.Reset))
	}
	return v
}

// learn takes over what Redis said of key.
func (s *share) learn(key string, v Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, s.now().Add(v.Reset))
}

// put makes room by dropping callers whose buckets are empty and then, where that is not enough, any: a tenth of all
// goes at once, so that a flood of callers pays for it rarely.
func (s *share) put(key string, full time.Time) {
	if _, known := s.full[key]; !known && len(s.full) >= shareKeys {
		now := s.now()
		maps.DeleteFunc(s.full, func(_ string, t time.Time) bool { return !t.After(now) })
		for k := range s.full {
			if len(s.full) <= shareKeys*9/10 {
				break
			}
			delete(s.full, k)
		}
	}
	s.full[key] = full
}
