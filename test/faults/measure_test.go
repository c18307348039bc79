package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/serve"
)

// turn is what became of one.
type turn struct {
	id       string
	status   int // 0: no answer
	err      error
	took     time.Duration
	degraded []guard.Degraded
}

func (t turn) names(dependency string) bool {
	return slices.ContainsFunc(t.degraded, func(d guard.Degraded) bool { return d.Dependency == dependency })
}

// say takes one turn of the cell's own user.
func (s *system) say(ctx context.Context) turn {
	n := s.said.Add(1)
	body, _ := json.Marshal(map[string]string{"user": s.user, "session_id": "s", "message": fmt.Sprintf("My box%05d is in room%05d.", n, n)})
	began := time.Now()
	status, answer, err := s.call(ctx, http.MethodPost, s.chat.URL+"/chat", body)
	t := turn{status: status, err: err, took: time.Since(began)}
	var reply struct {
		ID       string           `json:"turn_id"`
		Degraded []guard.Degraded `json:"degraded"`
	}
	if err == nil && status == http.StatusOK {
		t.err = json.Unmarshal(answer, &reply)
		t.id, t.degraded = reply.ID, reply.Degraded
		s.mu.Lock()
		s.answered = append(s.answered, t.id)
		s.mu.Unlock()
	}
	return t
}

func (s *system) call(ctx context.Context, method, address string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return answer.StatusCode, content, err
}

// comparison is turns of a broken system beside turns of one that is well, taken at the same time on the same machine.
type comparison struct{ broken, well []turn }

// added is how much longer a turn takes at a quantile.
func (c comparison) added(q float64) time.Duration {
	return quantile(c.broken, q) - quantile(c.well, q)
}

func quantile(turns []turn, q float64) time.Duration {
	if len(turns) == 0 {
		return 0
	}
	var took []time.Duration
	for _, t := range turns {
		took = append(took, t.took)
	}
	slices.Sort(took)
	return took[min(int(q*float64(len(took))), len(took)-1)]
}

// until is enough after n pairs of turns.
func until(n int) func(int) bool { return func(done int) bool { return done >= n } }

// compare has some callers take a turn of s and one of the control in turn, until it is enough.
func (s *system) compare(ctx context.Context, control *system, callers int, enough func(done int) bool) (c comparison) {
	var mu sync.Mutex
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				done := len(c.broken)
				mu.Unlock()
				if enough(done) {
					return
				}
				well, broken := control.say(ctx), s.say(ctx)
				mu.Lock()
				c.well, c.broken = append(c.well, well), append(c.broken, broken)
				mu.Unlock()
			}
		})
	}
	calling.Wait()
	return c
}

// look is what chat says of itself at one moment.
type look struct {
	goroutines int
	heap       int64 // live bytes
	lines      int   // of the log, those of requests left out
	dropped    int   // decision traces that were not sent, by its own count
	failedOpen map[string]float64
	health     serve.Health
}

func (s *system) look(ctx context.Context) (l look, err error) {
	s.client.CloseIdleConnections() // each has its goroutines in chat
	if l.health, err = s.health(ctx); err != nil {
		return l, err
	}
	if _, _, err = s.call(ctx, http.MethodGet, s.chat.Ops+"/debug/pprof/heap?gc=1", nil); err != nil {
		return l, err
	}
	_, text, err := s.call(ctx, http.MethodGet, s.chat.Ops+"/metrics", nil)
	if err != nil {
		return l, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	metrics, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return l, err
	}
	l.goroutines = int(metrics["go_goroutines"].GetMetric()[0].GetGauge().GetValue())
	l.heap = int64(metrics["go_memstats_heap_alloc_bytes"].GetMetric()[0].GetGauge().GetValue())
	l.dropped = int(metrics["aguante_decisions_dropped_total"].GetMetric()[0].GetCounter().GetValue())
	l.failedOpen = map[string]float64{}
	for _, m := range metrics["aguante_failopen_total"].GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "dependency" {
				l.failedOpen[label.GetValue()] += m.GetCounter().GetValue()
			}
		}
	}
	l.lines = len(s.logged())
	return l, nil
}

// logged are the lines of chat's log, and of what else is the cell's own, those of requests left out.
func (s *system) logged() []string {
	lines := slices.Collect(strings.Lines(s.chat.Output()))
	if s.up != nil {
		lines = slices.AppendSeq(lines, strings.Lines(s.up.Output()))
	}
	return slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, `"msg":"request"`) })
}

func (s *system) health(ctx context.Context) (serve.Health, error) {
	var all map[string]serve.Health
	_, text, err := s.call(ctx, http.MethodGet, s.chat.Ops+"/health", nil)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all["chat"], err
}

// open tells whether /health has the dependency's breaker open.
func (s *system) open(ctx context.Context, dependency string) bool {
	h, err := s.health(ctx)
	return err == nil && look{health: h}.state(dependency) == "open"
}

// state is that of a dependency's breaker; one that is not known has nothing against it.
func (l look) state(dependency string) string {
	if s := l.status(dependency); s.State != "" {
		return s.State
	}
	return "closed"
}

func (l look) since(dependency string) time.Time { return l.status(dependency).Since }

func (l look) status(dependency string) guard.Status {
	for _, z := range l.health.Zones {
		for _, s := range z.Dependencies {
			if s.Dependency == dependency {
				return s
			}
		}
	}
	return guard.Status{}
}
