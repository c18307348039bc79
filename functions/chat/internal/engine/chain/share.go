package chain

import (
	"sync"
	"time"

	"github.com/aguante-chat/aguante/shared/limits"
)

// share lets a part of all calls of the last minute cost something extra, so that a bad hour is not made worse by
// everyone trying twice.
type share struct {
	limits.Share
	now func() time.Time

	mu      sync.Mutex
	seconds [60]tally // of the last minute
}

// tally is what happened in one second.
type tally struct {
	second       int64 // Unix time
	calls, extra int
}

func newShare(s limits.Share) *share { return &share{Share: s, now: time.Now} }

// call counts a call.
func (s *share) call() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current().calls++
}

// take counts something extra, if there is room for it.
func (s *share) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.current()
	calls, extra := 0, 0
	for _, t := range s.seconds {
		if current.second-t.second < int64(len(s.seconds)) {
			calls, extra = calls+t.calls, extra+t.extra
		}
	}
	if extra >= max(s.Few, int(s.Of*float64(calls))) {
		return false
	}
	current.extra++
	return true
}

// giveBack takes back what was taken and not used.
func (s *share) giveBack(taken bool) {
	if taken {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.current().extra--
	}
}

// current is the tally of this second. The caller holds mu.
func (s *share) current() *tally {
	second := s.now().Unix()
	t := &s.seconds[second%int64(len(s.seconds))]
	if t.second != second {
		*t = tally{second: second}
	}
	return t
}
