package trace

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aguante-chat/aguante/functions/trace/internal/redistest"
	"github.com/aguante-chat/aguante/shared/event"
)

// victim is trace in a process of its own, which says where it listens and waits to be killed.
func victim(c Config) {
	f, err := New(context.Background(), c)
	if err != nil {
		panic(err)
	}
	fmt.Println(httptest.NewServer(f.Handler).URL)
	select {}
}

// TestWhatWasAcknowledgedSurvivesAKill kills the process with SIGKILL while eight senders post, and looks for every
// trace that was answered 202.
func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Run("file", func(t *testing.T) { acknowledgedSurvives(t, Config{DataDir: t.TempDir()}) })
	t.Run("redis", func(t *testing.T) {
		acknowledgedSurvives(t, Config{DataDir: t.TempDir(), RedisURL: redistest.Start(t).URL()})
	})
}

func acknowledgedSurvives(t *testing.T, c Config) {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), "AGUANTE_TRACE_TEST_DIR="+c.DataDir, "AGUANTE_TRACE_TEST_REDIS="+c.RedisURL)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := postUntilKilled(t, strings.TrimSpace(address), 300, func() { _ = child.Process.Kill() })
	_ = child.Wait()

	r := run(t, c)
	kept := map[string]bool{}
	for _, id := range r.turns("?limit=500") {
		kept[id] = true
	}
	for _, id := range acknowledged {
		if !kept[id] {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	t.Logf("%d acknowledged, %d kept", len(acknowledged), len(kept))
}

// postUntilKilled posts from eight senders at once, kills after so many were acknowledged, and returns all that were.
func postUntilKilled(t *testing.T, url string, after int, kill func()) []string {
	t.Helper()
	var mu sync.Mutex
	var acknowledged []string
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", sender, i)
				taken, alive := post(t, client, url, id)
				if !alive {
					return
				}
				if !taken { // Redis took too long
					continue
				}
				mu.Lock()
				acknowledged = append(acknowledged, id)
				if len(acknowledged) == after {
					kill()
				}
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	return acknowledged
}

// post says whether the trace of turn id was taken, and whether anyone answered.
func post(t testing.TB, client *http.Client, url, id string) (taken, alive bool) {
	body, err := json.Marshal(turn(id, "ana", today))
	if err != nil {
		t.Error(err)
		return false, false
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return false, false
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0",
		"Ce-Type": event.TurnDecided, "Ce-Source": "/test", "Ce-Id": id} {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return false, false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusAccepted, true
}
