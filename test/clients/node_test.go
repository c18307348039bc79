package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
)

func TestOpenAIsClientForNode(t *testing.T) {
	e := newEngine(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	node, err := stack.Node(ctx, "node", "cases.cjs")
	if err != nil {
		t.Fatal(err)
	}
	node.Env = append(node.Env, "BASE_URL="+startChat(t, e)+"/v1", "KEY="+key, "SLOW_KEY="+slowKey, "ONCE_KEY="+onceKey, "ENGINE_URL="+e.URL, "ANSWER="+answer, "MODEL="+model)
	var faults bytes.Buffer
	node.Stderr = &faults
	output, err := node.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, faults.String())
	}
	cases := 0
	for line := range bytes.Lines(output) {
		var c struct{ Name, Fault string }
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		cases++
		t.Run(c.Name, func(t *testing.T) {
			if c.Fault != "" {
				t.Error(c.Fault)
			}
		})
	}
	if cases < 17 {
		t.Errorf("%d cases ran: %s", cases, faults.String())
	}
	e.check(t, "node")
}

// check looks at what a client's cases left with the engine.
func (e *engine) check(t *testing.T, client string) {
	t.Helper()
	if !e.got(client+" format", `"unheard_of":[1]`, `"response_format":{`, `"type":"json_schema"`) {
		t.Error("response_format and fields that are not known did not reach the engine")
	}
	if !e.got(client+" parts", `"image_url":{"url":"data:image/png;base64,AA=="}`) {
		t.Error("the parts of a message did not reach the engine")
	}
	for range 2 { // one stream, one not
		select {
		case <-e.left:
		case <-time.After(10 * time.Second):
			t.Fatal("a call that was cancelled goes on at the engine")
		}
	}
}
