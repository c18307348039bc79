package session

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
)

// keeping keeps one stream.
type keeping struct {
	keeper *Keeper
	turn   turn.Turn
	holder string

	mu      sync.Mutex
	pending []byte // pieces that are not written yet
	bytes   int
	begun   bool // it is in Redis
	over    bool
	end     string
	wrote   time.Time
	lack    *guard.Degraded
}

var errLost = errors.New("session: the stream is another's")

func (s *keeping) Add(p turn.Piece) *guard.Degraded {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lack != nil {
		return s.lack
	}
	before := len(s.pending)
	s.pending = appendPiece(s.pending, p)
	if s.bytes += len(s.pending) - before; s.bytes > keptBytes {
		s.lacks(guard.Error)
	}
	return s.lack
}

func (s *keeping) End(e turn.Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	end, err := json.Marshal(e)
	if err != nil {
		s.lacks(guard.Error)
	}
	s.end = string(end)
}

func (s *keeping) LetGo() bool {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.keeper.write()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lack == nil
}

// take takes what is to be written, and tells whether that is anything and whether anything will come after it.
func (s *keeping) take(now time.Time) (e entry, due, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lack != nil {
		return e, false, true
	}
	due = !s.begun || s.over || len(s.pending) > 0 || now.Sub(s.wrote) >= renewEvery
	if !due {
		return e, false, false
	}
	e = entry{stream: s, pieces: string(s.pending), end: s.end, isNew: !s.begun, letGo: s.over}
	if !s.begun || s.end != "" {
		head, err := encodeTurn(s.turn, s.end != "")
		if err != nil {
			s.lacks(guard.Error)
			return e, false, true
		}
		e.head = string(head)
	}
	s.pending = s.pending[:0]
	s.wrote, s.begun = now, true
	return e, true, s.over
}

// written notes what Redis answered.
func (s *keeping) written(answer *redis.Cmd) {
	held, err := answer.Bool()
	if err == nil && !held {
		err = errLost
	}
	if err != nil {
		s.lose(guard.ResultOf(err))
	}
}

func (s *keeping) lose(why guard.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lacks(why)
}

// lacks gives keeping up; s.mu is held.
func (s *keeping) lacks(why guard.Result) {
	d := s.keeper.redis.Dependency()
	s.lack = &guard.Degraded{Zone: d.Zone, Dependency: d.Name, Reason: string(why)}
	s.pending = nil
}
