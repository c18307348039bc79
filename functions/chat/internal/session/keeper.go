package session

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
)

const (
	keptFor    = 2 * time.Minute       // after the last piece
	keptBytes  = 1 << 20               // of one stream
	heldFor    = 5 * time.Second       // by a holder who does not write
	renewEvery = time.Second           // a holder who has nothing to say writes all the same
	writeEvery = 25 * time.Millisecond // what the running streams have said
	writeMost  = 500                   // streams in one round trip
)

// Keeper keeps streams in Redis. Pieces are gathered in memory and written a few dozen times a second, those of all
// streams in one round trip. What cannot be written is not tried again: its stream goes on and cannot be resumed. Safe
// for concurrent use.
type Keeper struct {
	store *Store
	redis *guard.Guard

	writing sync.Mutex // held for a round trip

	mu      sync.Mutex
	running map[*keeping]struct{}
	armed   bool
	closed  bool
}

// NewKeeper returns a Keeper on s, whose calls go through redis.
func NewKeeper(s *Store, redis *guard.Guard) *Keeper {
	return &Keeper{store: s, redis: redis, running: map[*keeping]struct{}{}}
}

// Close writes what is left.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.write()
}

// Keep begins to keep t's stream in the name of holder.
func (k *Keeper) Keep(t turn.Turn, holder string) turn.Keeping {
	s := &keeping{keeper: k, turn: t, holder: holder}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running[s] = struct{}{}
	k.arm()
	return s
}

// arm has the streams written soon; k.mu is held.
func (k *Keeper) arm() {
	if !k.armed && !k.closed && len(k.running) > 0 {
		k.armed = true
		time.AfterFunc(writeEvery, k.tick)
	}
}

func (k *Keeper) tick() {
	k.write()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed = false
	k.arm()
}

// write writes what the running streams have to say.
func (k *Keeper) write() {
	k.writing.Lock()
	defer k.writing.Unlock()
	for some := range slices.Chunk(k.due(time.Now()), writeMost) {
		held, err := guard.Do(context.Background(), k.redis, func(ctx context.Context) ([]*redis.Cmd, error) {
			return k.store.write(ctx, some)
		})
		for i, e := range some {
			if err == nil {
				e.stream.written(held[i])
			} else {
				e.stream.lose(guard.ResultOf(err))
			}
		}
	}
}

// due gives what is to be written now, and forgets the streams that are over.
func (k *Keeper) due(now time.Time) (all []entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for s := range k.running {
		e, due, over := s.take(now)
		if due {
			all = append(all, e)
		}
		if over {
			delete(k.running, s)
		}
	}
	return all
}

// entry is what a stream has to write.
type entry struct {
	stream            *keeping
	head, pieces, end string
	isNew, letGo      bool
}

// writeEntry writes what a stream has to say, if its holder still holds it, or begins it. It answers whether they did.
const writeEntry = `
local holder = redis.call('GET', KEYS[3])
if holder ~= ARGV[1] and (holder or ARGV[2] ~= 'new') then return 0 end
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4]) end
if ARGV[5] ~= '' or ARGV[6] ~= '' then redis.call('XADD', KEYS[1], '*', 'pieces', ARGV[5], 'end', ARGV[6]) end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
if ARGV[3] == 'let go' then redis.call('DEL', KEYS[3]) else redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[8]) end
return 1`

// write writes some streams' entries in one round trip.
func (s *Store) write(ctx context.Context, some []entry) ([]*redis.Cmd, error) {
	p := s.client.Pipeline()
	held := make([]*redis.Cmd, 0, len(some))
	for _, e := range some {
		id, isNew, letGo := e.stream.turn.ID, "", ""
		if e.isNew {
			isNew = "new"
		}
		if e.letGo {
			letGo = "let go"
		}
		held = append(held, p.Eval(ctx, writeEntry, []string{piecesKey(id), headKey(id), holderKey(id)}, e.stream.holder,
			isNew, letGo, e.head, e.pieces, e.end, keptFor.Milliseconds(), heldFor.Milliseconds()))
	}
	if _, err := exec(ctx, p); err != nil {
		return nil, fmt.Errorf("session: stream: %w", err)
	}
	return held, nil
}
