package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long an answer may take.
const patience = 30 * time.Second

// conn is one client's connection, thin so that the load leaves the machine to what is measured.
type conn struct {
	net.Conn
	in   *bufio.Reader
	said said
}

func dial(address string) (*conn, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 16<<10)}, nil
}

// ask sends one request. The answer is valid until the next.
func (c *conn) ask(request []byte) (*said, error) {
	c.said = said{body: c.said.body[:0], reads: c.said.reads[:0]}
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(request); err != nil {
		return &c.said, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return &c.said, err
	}
	defer answer.Body.Close()
	c.said.status = answer.StatusCode
	_, err = io.CopyBuffer(&c.said, struct{ io.Reader }{answer.Body}, make([]byte, 4<<10))
	return &c.said, err
}

// said is an answer, and when each part of it was read.
type said struct {
	status int
	body   []byte
	reads  []read
}

type read struct {
	upTo int
	at   time.Time
}

// Write takes the next part of the body.
func (s *said) Write(part []byte) (int, error) {
	s.body = append(s.body, part...)
	s.reads = append(s.reads, read{len(s.body), time.Now()})
	return len(part), nil
}

// right tells whether the answer is whole.
func (s *said) right() bool {
	whole := bytes.HasSuffix(bytes.TrimSpace(s.body), []byte("}")) || bytes.HasSuffix(s.body, []byte("data: [DONE]\n\n"))
	return s.status == http.StatusOK && whole
}

func (s *said) degraded() bool { return bytes.Contains(s.body, []byte(`"degraded":[{`)) }

// pieces tells how long each piece of a stream was under way.
func (s *said) pieces() []time.Duration {
	var took []time.Duration
	before, reads := []byte(`"content":"1`), s.reads
	for at := 0; ; {
		next := bytes.Index(s.body[at:], before)
		if next < 0 {
			return took
		}
		at += next + len(before) - 1
		digits, _, _ := bytes.Cut(s.body[at:], []byte(" "))
		sent, _ := strconv.ParseInt(string(digits), 10, 64)
		for reads[0].upTo <= at+len(digits) {
			reads = reads[1:]
		}
		took = append(took, reads[0].at.Sub(time.Unix(0, sent)))
	}
}

// tally is what a load saw.
type tally struct {
	mu               sync.Mutex
	took             []time.Duration // until the whole answer or, of a stream, its first piece
	pieces           []time.Duration
	failed, degraded int
}

// add counts an answer to what was due, or asked, at a time.
func (t *tally) add(due time.Time, answer *said, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, time.Since(due))
	if pieces := answer.pieces(); len(pieces) > 0 {
		t.took[len(t.took)-1] = answer.reads[0].at.Sub(due)
		t.pieces = append(t.pieces, pieces...)
	}
	if err != nil || !answer.right() {
		t.failed++
	}
	if answer.degraded() {
		t.degraded++
	}
}

// at is a percentile in milliseconds.
func at(took []time.Duration, share float64) float64 {
	slices.Sort(took)
	return milliseconds(took[int(share*float64(len(took)-1))])
}

// steady sends rate requests a second for a while, each when it is due, on whichever connection is free, and measures
// from then on. The first of them settle the connections and are not counted.
func steady(ctx context.Context, w *way, rate, words int, stream bool) (*tally, error) {
	t := &tally{}
	due := make(chan time.Time, rate*int(1+(*lasting+settling)/time.Second))
	begun := time.Now().Add(settling)
	stop, err := clients(w, workers, func(c *conn) bool {
		at, more := <-due
		if more {
			answer, err := c.ask(w.request(w.next(), words, stream))
			if !at.Before(begun) || err != nil {
				t.add(at, answer, err)
			}
			more = err == nil
		}
		return more
	})
	if err != nil {
		return nil, err
	}
	pace(ctx, due, rate, settling+*lasting)
	close(due)
	stop()
	return t, ctx.Err()
}

// pace says when requests are due. Go's own timers may be a millisecond late, so it sleeps by the kernel's.
func pace(ctx context.Context, due chan<- time.Time, rate int, lasting time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := time.Now()
	for n := range int(lasting.Seconds() * float64(rate)) {
		at := began.Add(time.Duration(n) * time.Second / time.Duration(rate))
		if wait := time.Until(at); wait > 0 {
			nap := syscall.NsecToTimespec(wait.Nanoseconds())
			_ = syscall.Nanosleep(&nap, nil)
		}
		if ctx.Err() != nil {
			return
		}
		due <- at
	}
}

// full keeps some connections busy for a while and counts what they are answered.
func full(ctx context.Context, w *way, connections, words int) (*tally, error) {
	t := &tally{}
	until := time.Now().Add(*lasting)
	stop, err := clients(w, connections, func(c *conn) bool {
		began := time.Now()
		answer, err := c.ask(w.request(w.next(), words, false))
		t.add(began, answer, err)
		return err == nil && ctx.Err() == nil && time.Now().Before(until)
	})
	if err != nil {
		return nil, err
	}
	stop()
	return t, ctx.Err()
}

// clients runs each on a connection of its own for as long as it says true. wait returns when all have ended.
func clients(w *way, n int, each func(*conn) bool) (wait func(), err error) {
	var all sync.WaitGroup
	for range n {
		c, err := dial(w.address)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		all.Go(func() {
			defer c.Close()
			for each(c) {
			}
		})
	}
	return all.Wait, nil
}

// sent numbers requests over the whole run, so that sessions go on from one measurement to the next.
var sent atomic.Int64

func (w *way) next() int { return int(sent.Add(1)) }
