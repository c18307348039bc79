package broker

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
)

func TestEventsTakenWhileTheSubscriberIsDownAreDeliveredOnceItIsBack(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	var senders sync.WaitGroup
	const events, sending = 2000, 8
	for s := range sending {
		senders.Go(func() {
			for i := range events / sending {
				b.send(t, "a", fmt.Sprintf("%d-%d", s, i))
			}
		})
	}
	senders.Wait()
	b.kill()
	b.first.answers(nil)
	before := len(b.first.events())
	b.run(t).idle(t)
	seen := map[string]bool{}
	for _, e := range append(b.first.events()[before:], b.sink.events()...) {
		seen[e.ID()] = true // at least once: an attempt that the kill cut off may have arrived too
	}
	if len(seen) != events {
		t.Errorf("%d of %d events arrived", len(seen), events)
	}
}

// TestAKilledBrokerKeepsWhatItAcknowledged ends another process, which runs TestBrokerToBeKilled, by SIGKILL.
func TestAKilledBrokerKeepsWhatItAcknowledged(t *testing.T) {
	b := newBench(t)
	child := exec.Command(os.Args[0], "-test.run=^TestBrokerToBeKilled$")
	addressFile := filepath.Join(t.TempDir(), "address")
	child.Env = append(os.Environ(), "BROKER_JOURNAL="+b.journal, "BROKER_ADDRESS="+addressFile)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var address string
	eventually(t, "the other broker listens", func() bool {
		content, _ := os.ReadFile(addressFile)
		address = string(content)
		return strings.HasSuffix(address, "/")
	})
	const events = 300
	for i := range events {
		body := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/test","type":"a"}`, i)
		if code := post(t, address, "application/cloudevents+json", body); code != http.StatusAccepted {
			t.Fatalf("%d", code)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	b.run(t).idle(t)
	seen := map[string]bool{}
	for _, e := range b.first.events() {
		seen[e.ID()] = true
	}
	if len(seen) != events {
		t.Errorf("%d of %d acknowledged events arrived", len(seen), events)
	}
}

func TestBrokerToBeKilled(t *testing.T) {
	journal, addressFile := os.Getenv("BROKER_JOURNAL"), os.Getenv("BROKER_ADDRESS")
	if journal == "" {
		t.Skip("run by TestAKilledBrokerKeepsWhatItAcknowledged")
	}
	b := newBench(t)
	b.journal = journal
	b.first.answers(func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b.run(t)
	if err := os.WriteFile(addressFile, []byte(b.URL+"/"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute) // until killed
}

func TestClosingDeliversWhatWaits(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(func(_ int, w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Millisecond)
		w.WriteHeader(http.StatusAccepted)
	})
	for i := range 500 {
		b.send(t, "a", fmt.Sprint(i))
	}
	b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := b.function.Close(ctx); err != nil {
		t.Fatal(err)
	}
	b.function = nil
	if n := len(b.first.events()); n != 500 {
		t.Errorf("%d of 500 were delivered", n)
	}
}

func TestATriggerThatIsGoneTakesItsDeliveriesAlong(t *testing.T) {
	b := newBench(t).run(t)
	b.first.answers(status(503))
	b.send(t, "both", "1")
	b.kill()
	b.trigger = "renamed"
	b.run(t).idle(t)
	b.send(t, "a", "2")
	b.idle(t)
}

func TestBadEventsAreRefused(t *testing.T) {
	b := newBench(t).run(t)
	cases := []struct {
		name, contentType, body string
		code                    int
	}{
		{"no id", "application/cloudevents+json", `{"specversion":"1.0","source":"/x","type":"a"}`, 400},
		{"garbage", "application/cloudevents+json", "\x00\x01", 400},
		{"no event", "application/json", `{}`, 415},
		{"batch", "application/cloudevents-batch+json", `[]`, 415},
		{"too large", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/x","type":"a","data":"` + strings.Repeat("a", 2<<20) + `"}`, 413},
		{"control characters", "application/cloudevents+json", `{"specversion":"1.0","id":"1\n2","source":"/x","type":"a"}`, 400},
		{"more than one event", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/x","type":"a"} {}`, 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if code := post(t, b.URL, c.contentType, c.body); code != c.code {
				t.Errorf("%d", code)
			}
		})
	}
	answer, err := http.Get(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", answer.StatusCode)
	}
	b.idle(t)
}

func TestDataThatOnlyClaimsToBeJSONTravelsUnchanged(t *testing.T) {
	b := newBench(t).run(t)
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL, strings.NewReader("{\xff not json"))
	for name, value := range map[string]string{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "a", "Content-Type": "application/json"} {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	b.idle(t)
	if got := b.first.events(); len(got) != 1 || string(got[0].Data()) != "{\xff not json" {
		t.Errorf("got %v", got)
	}
}

func BenchmarkIngestAndDelivery(b *testing.B) {
	bench := newBench(b).run(b)
	e, err := event.New("a", "/test", "1", "s1", 0, map[string]string{"text": strings.Repeat("word ", 100)})
	if err != nil {
		b.Fatal(err)
	}
	body, _ := e.MarshalJSON()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if code := post(b, bench.URL, "application/cloudevents+json", string(body)); code != http.StatusAccepted {
				b.Errorf("%d", code)
			}
		}
	})
	ingested := b.Elapsed()
	eventually(b, "all is delivered", func() bool { return len(bench.first.events()) >= b.N })
	b.ReportMetric(float64(b.N)/ingested.Seconds(), "ingested/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
}

func BenchmarkAcknowledge(b *testing.B) {
	bench := newBench(b).run(b)
	body := `{"specversion":"1.0","id":"1","source":"/test","type":"a","data":"` + strings.Repeat("word ", 100) + `"}`
	for b.Loop() {
		if code := post(b, bench.URL, "application/cloudevents+json", body); code != http.StatusAccepted {
			b.Fatal(code)
		}
	}
}
