package drill

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/aguante-chat/aguante/shared/serve"
)

// patience is how long any request of a drill waits: longer than a turn may take.
const patience = 20 * time.Second

// system is what is drilled, seen from outside.
type system struct {
	Options
	client http.Client
	faults door
}

func connect(o Options) (*system, error) {
	for _, address := range []*string{&o.Chat, &o.Trace, &o.Broker, &o.Ops, &o.Faults} {
		if !strings.Contains(*address, "://") {
			*address = "http://" + *address
		}
		*address = strings.TrimRight(*address, "/")
	}
	if o.Rate <= 0 || o.Rate > 1000 {
		return nil, fmt.Errorf("--rate: %v is not between 0 and 1000 turns a second", o.Rate)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = crowd
	return &system{Options: o, client: http.Client{Timeout: patience, Transport: transport}, faults: newDoor(o.Faults)}, nil
}

// answer is what came back; status 0: nothing did.
type answer struct {
	status int
	body   []byte
}

// do sends one request, with the key if it is to chat.
func (s *system) do(ctx context.Context, method, address, contentType string, body []byte) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if s.Key != "" && strings.HasPrefix(address, s.Chat) {
		request.Header.Set("Authorization", "Bearer "+s.Key)
	}
	got, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{got.StatusCode, content}, nil
}

// get reads JSON.
func (s *system) get(ctx context.Context, address string, into any) error {
	got, err := s.do(ctx, http.MethodGet, address, "", nil)
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("%s answers %d", address, got.status)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(got.body, into)
}

// look is the system at one moment, as it sees itself.
type look struct {
	metrics map[string]*dto.MetricFamily
	health  map[string]serve.Health
}

func (s *system) look(ctx context.Context) (look, error) {
	var l look
	if err := s.get(ctx, s.Ops+"/health", &l.health); err != nil {
		return l, fmt.Errorf("--ops: %w", err)
	}
	got, err := s.do(ctx, http.MethodGet, s.Ops+"/metrics", "", nil)
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("%s/metrics answers %d", s.Ops, got.status)
	}
	if err == nil {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		l.metrics, err = parser.TextToMetricFamilies(bytes.NewReader(got.body))
	}
	if err != nil {
		return l, fmt.Errorf("--ops: %w", err)
	}
	return l, nil
}

// value sums a metric over its series that have these labels (name, value, …).
func (l look) value(metric string, labels ...string) (sum float64) {
	for _, m := range l.metrics[metric].GetMetric() {
		if has(m, labels) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func has(m *dto.Metric, labels []string) bool {
	values := map[string]string{}
	for _, l := range m.GetLabel() {
		values[l.GetName()] = l.GetValue()
	}
	for i := 0; i+1 < len(labels); i += 2 {
		if values[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}

// fallback is the gauge of a dependency that is done without: its breaker is not closed.
func (l look) fallback(dependency string) bool {
	return l.value("aguante_breaker_state", "dependency", dependency, "state", "open")+
		l.value("aguante_breaker_state", "dependency", dependency, "state", "half-open") > 0
}

// open says whether /health has that dependency of a function as anything but closed.
func (l look) open(function, dependency string) bool {
	for _, z := range l.health[function].Zones {
		for _, d := range z.Dependencies {
			if d.Dependency == dependency && d.State != "closed" {
				return true
			}
		}
	}
	return false
}

// degraded names what is not as it should be, in the words of /health; nothing: all is well.
func (l look) degraded() (names []string) {
	for function, h := range l.health {
		known := len(names)
		for _, z := range h.Zones {
			for _, d := range z.Dependencies {
				if d.State != "closed" {
					names = append(names, fmt.Sprintf("%s of %s is %s", d.Dependency, function, d.State))
				}
			}
		}
		if h.Status != "ok" && len(names) == known {
			names = append(names, function+" is "+h.Status)
		}
	}
	slices.Sort(names)
	return names
}

// settling is how long a drill waits for what the drill before left open: Redis' breaker and a round of delivery.
const settling = 2 * time.Minute

// ready wants a system that is reachable, whole and without faults; what is not yet whole has as long as within.
func (s *system) ready(ctx context.Context, d Drill, within time.Duration) error {
	for name, address := range map[string]string{"chat": s.Chat, "trace": s.Trace, "broker": s.Broker} {
		if got, err := s.do(ctx, http.MethodGet, address+"/readyz", "", nil); err != nil || got.status != http.StatusOK {
			return fmt.Errorf("nothing to drill: --%s: %w", name, cmp.Or(err, fmt.Errorf("%s/readyz answers %d", address, got.status)))
		}
	}
	if len(d.Breaks) > 0 {
		if err := s.faults.ready(s.Force); err != nil {
			return err
		}
	}
	for began := time.Now(); ; {
		l, err := s.look(ctx)
		if err != nil {
			return err
		}
		wrong := l.degraded()
		if len(wrong) == 0 || s.Force {
			return nil
		}
		if time.Since(began) >= within {
			return fmt.Errorf("the system is degraded already (%s): wait, or --force", strings.Join(wrong, ", "))
		}
		if !sleep(ctx, time.Second) {
			return errInterrupted
		}
	}
}

var errInterrupted = errors.New("interrupted: faults are undone")

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
