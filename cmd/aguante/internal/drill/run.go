package drill

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Phases of a drill.
const (
	before = "before"
	during = "during"
	after  = "after"
)

const (
	glance = 500 * time.Millisecond // between two looks at the system
	lead   = 3 * time.Second        // of traffic before the fault, and at least after it
)

// run is one drill under way.
type run struct {
	*system
	Drill
	*traffic
	injected
	memory   string // what the graph is called here
	report   *Report
	progress io.Writer
	began    time.Time
	mended   time.Time // when an outage's fault was undone
}

// hold holds one drill. The report is there also with an error, as far as it got.
func hold(ctx context.Context, s *system, d Drill, progress io.Writer) (report *Report, err error) {
	r := &run{system: s, Drill: d, began: time.Now(), progress: progress, memory: s.faults.graph()}
	r.report = &Report{Drill: d.Name, Passes: d.Passes, Fault: d.length(s.Options.Short).Seconds()}
	r.traffic = &traffic{system: s, user: "drill-" + d.Name + "-" + strings.ToLower(rand.Text()[:8])}
	fmt.Fprintf(progress, "%s: %s\n", d.Name, d.Does)
	defer func() {
		if undone := r.undo(); undone != nil {
			err = errors.Join(err, fmt.Errorf("a fault may still be in place: `curl -X POST %s/reset`: %w", s.Faults, undone))
		}
		err = errors.Join(err, r.forget(context.WithoutCancel(ctx)))
		r.report.Took = time.Since(r.began).Seconds()
	}()
	if err = d.play(ctx, r); ctx.Err() != nil {
		err = errInterrupted
	}
	r.report.judge(err)
	return r.report, err
}

// forget has the system forget what the drill's user said, as soon as it can.
func (r *run) forget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		got, err := r.do(ctx, http.MethodDelete, r.Chat+"/users/"+r.user, "", nil)
		if err == nil && got.status < 300 {
			return nil
		}
		if !sleep(ctx, time.Second) {
			return fmt.Errorf("what %s said is not forgotten: %w", r.user, cmp.Or(err, fmt.Errorf("chat answers %d", got.status)))
		}
	}
}

// length is how long the fault lasts.
func (r *run) length() time.Duration { return r.Drill.length(r.Options.Short) }

// watch looks at the system until done says so or time is up, and puts what it saw into the phase's part of the report.
// It says how long that took; an unreadable system is not done.
func (r *run) watch(ctx context.Context, phase string, limit time.Duration, done func(look) bool) (took time.Duration, is bool) {
	p := r.report.phase(phase)
	r.enter(phase)
	began := time.Now()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		l, err := r.look(ctx)
		if err == nil {
			p.see(l)
		}
		took = time.Since(began)
		is = err == nil && done != nil && done(l)
		p.Seconds, p.tally = p.whole+took.Seconds(), count(r.in(phase))
		r.tell(phase, took, limit, p)
		if is || took >= limit || ctx.Err() != nil {
			p.whole = p.Seconds
			return took, is
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// outage is the shape of the drills that break a dependency.
type outage struct {
	inject func() error
	see    func(look)      // at every look while the fault is in place
	felt   func() bool     // asked at its end: did it bite at all?
	back   func(look) bool // whether the system has recovered
	within time.Duration   // how long that is waited for
}

// outage has traffic before the fault, during it, and until the system is back, which is the time it gives.
func (r *run) outage(ctx context.Context, o outage) (back time.Duration, whole bool, err error) {
	r.enter(before)
	r.begin(ctx)
	defer r.end()
	r.watch(ctx, before, lead, nil)
	if err := o.inject(); err != nil {
		return 0, false, fmt.Errorf("inject: %w", err)
	}
	r.watch(ctx, during, r.length(), func(l look) bool { o.see(l); return false })
	r.check(o.felt(), "the fault was felt", "%s", r.report.phase(during).words())
	if err := r.undo(); err != nil {
		return 0, false, fmt.Errorf("undo: %w", err)
	}
	r.mended = time.Now()
	back, whole = r.watch(ctx, after, o.within, o.back)
	r.watch(ctx, after, lead, nil)
	return back, whole, nil
}

// steady is a while of usual traffic.
func (r *run) steady(ctx context.Context, phase string) {
	r.enter(phase)
	r.begin(ctx)
	defer r.end()
	r.watch(ctx, phase, lead, nil)
}

// check is one part of the verdict.
func (r *run) check(passed bool, what, found string, arguments ...any) {
	r.report.Checks = append(r.report.Checks, Check{What: what, Passed: passed, Found: fmt.Sprintf(found, arguments...)})
}

// account looks for each answered turn in the graph until all are there or limit is over.
func (r *run) account(ctx context.Context, limit time.Duration) (found, missing, twice int) {
	var left []said
	for _, s := range r.in("") {
		if s.status == http.StatusOK {
			left = append(left, s)
		}
	}
	all, told := len(left), -1
	for began := time.Now(); ; {
		left = slices.DeleteFunc(left, func(s said) bool {
			times, err := r.recalled(ctx, s)
			if times > 1 {
				twice++
			}
			return err == nil && times > 0
		})
		if len(left) != told {
			told = len(left)
			fmt.Fprintf(r.progress, "  %s: %d of %d answered turns are in the graph\n", r.Name, all-told, all)
		}
		if len(left) == 0 || time.Since(began) > limit || !sleep(ctx, time.Second) {
			return all - len(left), len(left), twice
		}
	}
}

// noneLost is the check that every answered turn is in the graph, once.
func (r *run) noneLost(ctx context.Context) {
	found, missing, twice := r.account(ctx, delivered)
	r.check(missing == 0 && found > 0, "no turn lost", "%d answered, %d of them in the graph", found+missing, found)
	r.check(twice == 0, "none twice", "%d are there more than once", twice)
}

// delivered is when every event has been taken or is a dead letter (WS3: 5 min a job).
const delivered = 5 * time.Minute

// recalled says how often the graph has a turn: turns with its mark, if its own is among them.
func (r *run) recalled(ctx context.Context, s said) (times int, err error) {
	var found struct {
		Items []struct {
			TurnID string `json:"turn_id"`
			Text   string
		}
	}
	address := fmt.Sprintf("%s/recall?user=%s&q=%s&limit=50", r.Chat, r.user, mark(s.n))
	if err := r.get(ctx, address, &found); err != nil {
		return 0, err
	}
	own := false
	for _, item := range found.Items {
		if strings.Contains(item.Text, mark(s.n)) {
			times++
		}
		own = own || item.TurnID == s.turnID
	}
	if !own {
		return 0, nil
	}
	return max(times, 1), nil
}

// tell says where the drill is: when a phase begins, and every ten seconds.
func (r *run) tell(phase string, took, limit time.Duration, p *Phase) {
	now := took.Truncate(10 * time.Second)
	switch {
	case p.told == now && now > 0 || took >= glance && now == 0:
	case now > 0:
		p.told = now
		fmt.Fprintf(r.progress, "  %s: %s %s of %s: %s\n", r.Name, phase, brief(now), brief(limit), p.words())
	case limit > 0:
		fmt.Fprintf(r.progress, "  %s: %s, %s at most\n", r.Name, phase, brief(limit))
	}
}
