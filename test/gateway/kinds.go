package main

import (
	"context"
	"fmt"
	"time"
)

// kind is one measurement, made of each way in turn.
type kind struct {
	name    string
	measure func(ctx context.Context, w *way, f *figures) error
}

const (
	words     = 10 // of an answer
	cpuAt     = 1000
	pieces    = 400 // more in a long stream than in a short one
	longs     = 8   // streams of each length
	jsonName  = "JSON"
	eventName = "stream"
)

func kinds() []kind {
	var all []kind
	for _, stream := range []bool{false, true} {
		for _, rate := range rates {
			all = append(all, steadily(rate, stream))
		}
	}
	return append(all, kind{"full load", fully}, kind{"long streams", perPiece})
}

func nameOf(stream bool) string {
	if stream {
		return eventName
	}
	return jsonName
}

// steadily measures latencies and, at the highest rate, what a request costs.
func steadily(rate int, stream bool) kind {
	name := nameOf(stream)
	return kind{fmt.Sprintf("%s at %d/s", name, rate), func(ctx context.Context, w *way, f *figures) error {
		spent, err := spending(w)
		if err != nil {
			return err
		}
		before := sent.Load()
		t, err := steady(ctx, w, rate, words, stream)
		if err != nil {
			return err
		}
		requests := float64(sent.Load() - before)
		f.take(fmt.Sprintf("%s %d p50", name, rate), at(t.took, 0.5))
		f.take(fmt.Sprintf("%s %d p99", name, rate), at(t.took, 0.99))
		f.count(w, t)
		cpu, mallocs, err := spent()
		if rate != cpuAt {
			return err
		}
		f.take(name+" cpu", cpu/requests)
		if w.metrics != "" {
			f.take(name+" mallocs", mallocs/requests)
		}
		if stream {
			f.take("piece p50", at(t.pieces, 0.5))
			f.take("piece p99", at(t.pieces, 0.99))
		}
		return err
	}}
}

// fully measures how many requests a second are answered, and what one costs then.
func fully(ctx context.Context, w *way, f *figures) error {
	spent, err := spending(w)
	if err != nil {
		return err
	}
	began := time.Now()
	t, err := full(ctx, w, saturating, words)
	if err != nil {
		return err
	}
	took := time.Since(began)
	cpu, _, err := spent()
	f.take("full", float64(len(t.took))/took.Seconds())
	f.take("full p99", at(t.took, 0.99))
	f.take("full cpu", cpu/float64(len(t.took)))
	f.count(w, t)
	return err
}

// perPiece measures what one more piece of a stream allocates: long streams less short ones.
func perPiece(_ context.Context, w *way, f *figures) error {
	if w.metrics == "" {
		return nil
	}
	allocated := func(words int) (float64, error) {
		spent, err := spending(w)
		if err != nil {
			return 0, err
		}
		c, err := dial(w.address)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		for range longs {
			if _, err := c.ask(w.request(w.next(), words, true)); err != nil {
				return 0, err
			}
		}
		_, mallocs, err := spent()
		return mallocs, err
	}
	short, err := allocated(words)
	if err != nil {
		return err
	}
	long, err := allocated(words + pieces)
	f.take("piece mallocs", (long-short)/(longs*pieces))
	return err
}

// spending measures from now on: the process's time in µs, and its allocations.
func spending(w *way) (spent func() (cpu, mallocs float64, err error), err error) {
	look := func() (cpu time.Duration, mallocs float64, err error) {
		if w.process != nil {
			cpu, err = w.process.cpu()
		}
		if err == nil && w.metrics != "" {
			mallocs, err = w.mallocs()
		}
		return cpu, mallocs, err
	}
	cpuBefore, mallocsBefore, err := look()
	return func() (float64, float64, error) {
		cpu, mallocs, err := look()
		return float64((cpu - cpuBefore).Microseconds()), mallocs - mallocsBefore, err
	}, err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
