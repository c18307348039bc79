package decisions

import (
	"context"
	"time"
)

// chunk is how many traces are dropped at once, so that events come in between.
const chunk = 200

// growth is how many bytes are kept between two looks at what may be dropped: 2 % of what may be kept.
const growth = 1 << 20

// Retain drops, oldest first, traces of turns that began before oldest and then as many as it takes for the rest to
// have at most maxBytes. It says how many. Several instances may do so at once.
func (s *Store) Retain(ctx context.Context, oldest time.Time, maxBytes int64) (dropped int, err error) {
	for {
		some, bytes, err := s.keeper.Oldest(ctx, chunk)
		if err != nil {
			return dropped, err
		}
		n := 0
		for n < len(some) && (some[n].At.Before(oldest) || bytes > maxBytes) {
			bytes -= some[n].Bytes
			n++
		}
		if n == 0 {
			return dropped, nil
		}
		gone, err := s.keeper.Drop(ctx, some[:n])
		dropped += gone
		if err != nil || n < chunk {
			return dropped, err
		}
	}
}

// Grown tells after every megabyte or so kept that it is time to look at what may be dropped.
func (s *Store) Grown() <-chan struct{} { return s.grown }

func (s *Store) grow(bytes int) {
	if s.kept.Add(int64(bytes)) < growth {
		return
	}
	s.kept.Store(0)
	select {
	case s.grown <- struct{}{}:
	default:
	}
}
